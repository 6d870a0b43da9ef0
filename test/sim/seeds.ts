/**
 * Many seeds, on all cores: threads take one seed after another, and outcomes are handed on in the order of the seeds, so
 * that what is reported does not depend on how many threads there are.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { SeedOutcome } from './seed-thread.js';

export interface Seeds {
  readonly first: number;
  readonly count: number;
  readonly threads: number;
}

/** Short-lived objects are most of what a seed makes: with much room for them they are gone before they are looked at. */
const resourceLimits = { maxYoungGenerationSizeMb: 128 };

/** Whoever does not want any more of them ends the threads. @throws what a thread ended with. */
export async function* outcomesOf({ first, count, threads }: Seeds): AsyncGenerator<SeedOutcome> {
  const outcomes = new Map<number, SeedOutcome>();
  const beyond = first + count;
  let next = first;
  let failure: Error | null = null;
  let wake = () => {};
  const workers = Array.from({ length: Math.min(threads, count) }, () => {
    const worker = new Worker(new URL('./seed-thread.js', import.meta.url), { resourceLimits });
    const goOn = () => {
      if (next < beyond) worker.postMessage(next++);
    };
    worker.on('message', (outcome: SeedOutcome) => {
      outcomes.set(outcome.seed, outcome);
      goOn();
      wake();
    });
    worker.on('error', (error) => {
      failure ??= error;
      wake();
    });
    goOn();
    return worker;
  });
  try {
    for (let seed = first; seed < beyond; seed++) {
      for (let outcome = outcomes.get(seed); ; outcome = outcomes.get(seed)) {
        if (outcome !== undefined) {
          outcomes.delete(seed);
          yield outcome;
          break;
        }
        if (failure !== null) throw failure;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    await Promise.all(workers.map((worker) => Promise.all([once(worker, 'exit'), worker.terminate()])));
  }
}
