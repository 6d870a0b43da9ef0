/** Leaves out what a failure does not need: faults, troubles, jobs, one after another, as long as it still fails. */
import { noFaults } from './network.js';
import type { Without } from './plan.js';
import type { Outcome, RunOptions } from './world.js';

export async function findShortest(
  { seed, plan }: Pick<Outcome, 'seed' | 'plan'>,
  run: (seed: number, options: RunOptions) => Promise<Outcome>,
): Promise<Without> {
  let without: Required<Without> = { faults: [], troubles: [], jobs: [] };
  const tryWithout = async (next: Required<Without>) => {
    if ((await run(seed, { without: next })).violation !== null) without = next;
  };
  for (const fault of Object.keys(noFaults) as (keyof typeof noFaults)[])
    if (plan.faults[fault] > 0) await tryWithout({ ...without, faults: [...without.faults, fault] });
  for (const index of plan.jobs.keys()) await tryWithout({ ...without, jobs: [...without.jobs, index] });
  const indices = [...plan.troubles.keys()];
  // Halves first, then quarters, down to single ones.
  for (let size = Math.ceil(indices.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < indices.length; at += size) {
      const more = indices.slice(at, at + size).filter((index) => !without.troubles.includes(index));
      if (more.length > 0) await tryWithout({ ...without, troubles: [...without.troubles, ...more] });
    }
  return without;
}
