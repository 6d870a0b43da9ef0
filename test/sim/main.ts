/**
 * `make sim`: runs seeds and ends with status 1 at the first that fails, with the shortest trace that still does.
 *
 * Settings, in the environment: SEEDS, how many (200); FIRST, from which on (1); SEED, this one only, with its trace;
 * BRIEF, no traces; KEEP_GOING, do not stop at a failure; THREADS, how many seeds at a time (as many as there are cores).
 */
import os from 'node:os';
import { makePlan } from './plan.js';
import { outcomesOf } from './seeds.js';
import { findShortest } from './shortest.js';
import { runSeed } from './world.js';

const setting = (name: string) => (process.env[name] === undefined ? undefined : Number(process.env[name]));
const isSet = (name: string) => process.env[name] !== undefined;
const say = (line: string) => process.stdout.write(`${line}\n`);

async function explain(seed: number, violation: string): Promise<void> {
  say(`seed ${seed}: ${violation}`);
  const without = await findShortest({ seed, plan: makePlan(seed) }, runSeed);
  say(`the shortest that still fails leaves out ${JSON.stringify(without)}; its trace:`);
  await runSeed(seed, { without, trace: say });
  say(`again: SEED=${seed} make sim`);
}

const only = setting('SEED');
if (only !== undefined) {
  const outcome = await runSeed(only, isSet('BRIEF') ? {} : { trace: say });
  say(`seed ${only}: ${outcome.violation ?? 'all is well'}; fingerprint ${outcome.fingerprint}`);
  process.exitCode = outcome.violation === null ? 0 : 1;
} else {
  const first = setting('FIRST') ?? 1;
  const count = setting('SEEDS') ?? 200;
  const threads = setting('THREADS') ?? os.availableParallelism();
  const isBrief = isSet('BRIEF') || isSet('KEEP_GOING');
  let [seeds, events, commits, longestMs, failures, tookMs] = [0, 0, 0, 0, 0, 0];
  let unexplained: (() => Promise<void>) | null = null;
  const startMs = Date.now();
  for await (const { seed, violation, ...outcome } of outcomesOf({ first, count, threads })) {
    tookMs = Date.now() - startMs;
    seeds++;
    events += outcome.events;
    commits += outcome.commits;
    longestMs = Math.max(longestMs, outcome.calmToDoneMs);
    if (seeds % 1000 === 0) say(`${seeds} seeds, ${failures} failed so far`);
    if (violation === null) continue;
    failures++;
    process.exitCode = 1;
    if (isBrief) say(`seed ${seed}: ${violation.split('\n')[0]?.slice(0, 300)}`);
    else unexplained = () => explain(seed, violation);
    if (!isSet('KEEP_GOING')) break;
  }
  await unexplained?.();
  say(
    `${seeds} seeds from ${first}: ${failures} failed; ${commits} commits, ${events} events; ` +
      `${(tookMs / 1000).toFixed(0)} s, ${((seeds * 1000) / tookMs).toFixed(1)} seeds a second on ${threads} threads`,
  );
  say(`jobs were done at most ${(longestMs / 1000).toFixed(0)} s of virtual time after calm`);
}
