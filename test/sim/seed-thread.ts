/** A thread of `make sim`: runs the seeds that it is sent, and answers with what came of each. */
import { parentPort } from 'node:worker_threads';
import { type Outcome, runSeed } from './world.js';

/** Without what is only needed to explain a failure, which is done by whoever reports it. */
export type SeedOutcome = Omit<Outcome, 'plan' | 'fingerprint'>;

// Of an unexpected error the trace tells more than a stack, and most errors are expected: they are the faults.
Error.stackTraceLimit = 0;

parentPort?.on('message', async (seed: number) => {
  const { violation, calmToDoneMs, events, commits } = await runSeed(seed);
  const outcome: SeedOutcome = { seed, violation, calmToDoneMs, events, commits };
  parentPort?.postMessage(outcome);
});
