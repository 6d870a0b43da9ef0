import t from 'tap';
import { isWithin } from '../../../src/common/clock.js';

t.test('a span ends when it is over, and when the clock was set back', async (t) => {
  t.ok(isWithin(1000, 5000, 5000));
  t.ok(isWithin(1000, 5000, 5999));
  t.notOk(isWithin(1000, 5000, 6000));
  t.notOk(isWithin(1000, 5000, 4999));
  t.notOk(isWithin(1000, Number.NEGATIVE_INFINITY, 0), 'or has never begun');
});
