import fc from 'fast-check';
import t from 'tap';
import { need, overscheduled, reservedZones, share } from '../../../../src/agent/scheduler/shares.js';

// The table of spec 05 §4.1: capacity, tasks of the group, of the others, zones held; share, surplus.
// biome-ignore format: table
const cases: readonly (readonly [number, number, number, number, number, number])[] = [
  [512,   50,  150,  0,  50, 0],
  [512,  150,   50,  0, 150, 0],
  [10,    10,   10, 10,   5, 4],
  [10,    10,   10,  7,   5, 1],
  [10,    10,   10,  6,   5, 0],
  [3,    100,  100,  2,   1, 0],
  [3,    100,  100,  3,   1, 1],
  [2,   1000,    1,  2,   1, 0],
  [10,     0,   50,  4,   0, 3],
  [10,     1, 5000,  1,   1, 0],
];
for (const [capacity, taskCount, others, streamCount, expectedShare, expectedSurplus] of cases) {
  const pool = { capacity, taskCount: taskCount + others };
  const title = `${taskCount} of ${taskCount + others} tasks with ${streamCount} of ${capacity} zones`;
  t.equal(share({ taskCount, streamCount }, pool), expectedShare, `share: ${title}`);
  t.equal(overscheduled({ taskCount, streamCount }, pool), expectedSurplus, `surplus: ${title}`);
}

t.equal(reservedZones(1, { minZones: 2, percent: 30 }), 1);
t.equal(reservedZones(10, { minZones: 2, percent: 30 }), 3);
t.equal(reservedZones(128, { minZones: 1, percent: 12 }), 15);
t.equal(need({ taskCount: 10, streamCount: 2 }, { taskCount: 20, capacity: 10 }), 1.5);

t.test('a lone zone is never too many, and shares beyond one each never exceed the pool', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 10_000 }), { minLength: 1, maxLength: 20 });
  const property = fc.property(sizes, fc.integer({ min: 0, max: 500 }), (groups, capacity) => {
    const taskCount = groups.reduce((sum, size) => sum + size, 0);
    const shares = groups.map((size) => share({ taskCount: size, streamCount: 1 }, { taskCount, capacity }));
    const lone = groups.every(
      (size) => overscheduled({ taskCount: size, streamCount: 1 }, { taskCount, capacity }) === 0,
    );
    return lone && shares.reduce((sum, one) => sum + one, 0) <= capacity + groups.length;
  });
  fc.assert(property);
});
