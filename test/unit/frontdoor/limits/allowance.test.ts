import fc from 'fast-check';
import t from 'tap';
import { createAllowance } from '../../../../src/frontdoor/limits/allowance.js';

t.test('a burst, then the rate', async (t) => {
  const { take } = createAllowance({ perSecond: 2, burstS: 3 });
  const first = Array.from({ length: 7 }, () => take('wilma', 1_000));
  t.same(first, [0, 0, 0, 0, 0, 0, 500], 'six at once, and the time until there is another');
  t.equal(take('fred', 1_000), 0, 'others have their own');
  t.equal(take('wilma', 1_250), 250);
  t.equal(take('wilma', 1_500), 0, 'who waits as long as told is served');
  t.equal(take('wilma', 1_500), 500);
  t.equal(take('wilma', 500), 500, 'a clock that is set back adds nothing');
  const later = Array.from({ length: 7 }, () => take('wilma', 3_600_000));
  t.same(later, [0, 0, 0, 0, 0, 0, 500], 'however long the pause: the burst');
});

t.test('no limit', async (t) => {
  const { take } = createAllowance({ perSecond: 0, burstS: 10 });
  t.ok(Array.from({ length: 1_000 }, () => take('wilma', 0)).every((waitMs) => waitMs === 0));
});

t.test('of many keys those seen last are kept', async (t) => {
  const { take } = createAllowance({ perSecond: 1, burstS: 1, maxKeys: 2 });
  for (const key of ['a', 'b', 'a', 'c']) take(key, 0);
  t.equal(take('a', 0), 1_000, 'seen again after b');
  t.equal(take('b', 0), 0, 'forgotten: begins anew');
});

t.test('in no span of time is more taken than burst and rate allow', async () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 1, maxLength: 100 });
  const rates = fc.record({ perSecond: fc.integer({ min: 1, max: 20 }), burstS: fc.integer({ min: 1, max: 5 }) });
  const holds = fc.property(rates, gaps, ({ perSecond, burstS }, pauses) => {
    const { take } = createAllowance({ perSecond, burstS });
    let nowMs = 0;
    const takenMs: number[] = [];
    for (const pauseMs of pauses) {
      nowMs += pauseMs;
      if (take('wilma', nowMs) === 0) takenMs.push(nowMs);
    }
    return takenMs.every((fromMs, first) =>
      takenMs.slice(first).every((toMs, index) => {
        const most = perSecond * burstS + ((toMs - fromMs) * perSecond) / 1000;
        return index + 1 <= most + 1e-6;
      }),
    );
  });
  fc.assert(holds);
});
