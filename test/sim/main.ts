/**
 * `make sim`: runs seeds and ends with status 1 at the first that fails, with the shortest trace that still does.
 *
 * Settings, in the environment: SEEDS, how many (200); FIRST, from which on (1); SEED, this one only, with its trace;
 * BRIEF, no traces; KEEP_GOING, do not stop at a failure.
 */
import { findShortest } from './shortest.js';
import { type Outcome, runSeed } from './world.js';

const setting = (name: string) => (process.env[name] === undefined ? undefined : Number(process.env[name]));
const isSet = (name: string) => process.env[name] !== undefined;
const say = (line: string) => process.stdout.write(`${line}\n`);

process.on('unhandledRejection', (error) => {
  say(`a rejection that nobody handles: ${(error as Error)?.stack ?? error}`);
  process.exit(1);
});

async function explain(outcome: Outcome): Promise<void> {
  say(`seed ${outcome.seed}: ${outcome.violation}`);
  const without = await findShortest(outcome, runSeed);
  say(`the shortest that still fails leaves out ${JSON.stringify(without)}; its trace:`);
  await runSeed(outcome.seed, { without, trace: say });
  say(`again: SEED=${outcome.seed} make sim`);
}

const only = setting('SEED');
if (only !== undefined) {
  const outcome = await runSeed(only, isSet('BRIEF') ? {} : { trace: say });
  say(`seed ${only}: ${outcome.violation ?? 'all is well'}; fingerprint ${outcome.fingerprint}`);
  process.exitCode = outcome.violation === null ? 0 : 1;
} else {
  const first = setting('FIRST') ?? 1;
  const count = setting('SEEDS') ?? 200;
  let [events, commits, longestMs, failures] = [0, 0, 0, 0];
  const startMs = Date.now();
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await runSeed(seed);
    events += outcome.events;
    commits += outcome.commits;
    longestMs = Math.max(longestMs, outcome.calmToDoneMs);
    if (outcome.violation === null) continue;
    failures++;
    process.exitCode = 1;
    if (isSet('BRIEF') || isSet('KEEP_GOING')) say(`seed ${seed}: ${outcome.violation.split('\n')[0]?.slice(0, 300)}`);
    else await explain(outcome);
    if (!isSet('KEEP_GOING')) break;
  }
  const tookS = ((Date.now() - startMs) / 1000).toFixed(0);
  say(`${count} seeds from ${first}: ${failures} failed; ${commits} commits, ${events} events, in ${tookS} s`);
  say(`jobs were done at most ${(longestMs / 1000).toFixed(0)} s of virtual time after calm`);
}
