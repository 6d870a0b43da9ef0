/** A few seeds of `make sim`: those in which something was found once, and some that anybody might meet. */
import t from 'tap';
import { runSeed } from './world.js';

const found = [11, 13, 28, 36, 63, 70];
const others = [1, 2];

for (const seed of [...found, ...others])
  t.test(`seed ${seed}`, async (t) => {
    const { violation } = await runSeed(seed);
    t.equal(violation, null);
  });

t.test('a seed fixes everything', async (t) => {
  const [one, two] = [await runSeed(2), await runSeed(2, { trace: () => {} })];
  t.equal(one.fingerprint, two.fingerprint);
  t.ok(one.commits > 50);
});
