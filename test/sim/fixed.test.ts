/** A few seeds of `make sim`: those in which something was found once. */
import t from 'tap';
import { outcomesOf } from './seeds.js';
import { runSeed } from './world.js';

t.setTimeout(300_000); // seconds, but the machine may be busy

const seeds = [
  13, 36, 63, 70, 79, 91, 140, 246, 371, 440, 499, 668, 714, 829, 853, 884, 940, 969, 978, 1169, 3667, 9030, 9952,
  12870, 16700,
];
for (const seed of seeds)
  t.test(`seed ${seed}`, async (t) => {
    const { violation } = await runSeed(seed);
    t.equal(violation, null);
  });

t.test('a seed fixes everything', async (t) => {
  const [one, two] = [await runSeed(70), await runSeed(70, { trace: () => {} })];
  t.equal(one.fingerprint, two.fingerprint);
  t.ok(one.commits > 50);
});

t.test('threads report what one run after another does, in the order of the seeds', async (t) => {
  const told: unknown[] = [];
  for await (const outcome of outcomesOf({ first: 70, count: 4, threads: 3 })) told.push(outcome);
  const alone: unknown[] = [];
  for (const seed of [70, 71, 72, 73]) {
    const { violation, calmToDoneMs, events, commits } = await runSeed(seed);
    alone.push({ seed, violation, calmToDoneMs, events, commits });
  }
  t.same(told, alone);
});
