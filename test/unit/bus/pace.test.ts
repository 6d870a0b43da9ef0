import fc from 'fast-check';
import t from 'tap';
import { createPace } from '../../../src/bus/pace.js';
import type { Clock } from '../../../src/common/clock.js';
import { handClock } from '../../support/hand-clock.js';

/** Work that asks for a turn whenever there is some, as the writers of batches do. */
function worker(clock: Clock, limits: { burst: number; everyMs: number; longestMs?: number }) {
  const turns: { readonly atMs: number; readonly askedMs: number }[] = [];
  let askedMs: number | null = null;
  const go = () => {
    if (askedMs === null || !pace.take()) return;
    turns.push({ atMs: clock.nowMs(), askedMs });
    askedMs = null;
  };
  const pace = createPace(clock, { longestMs: limits.everyMs, ...limits }, go);
  const ask = () => {
    askedMs ??= clock.nowMs();
    go();
  };
  return { turns, ask, took: pace.took, stop: pace.stop };
}

const limits = fc.record({ burst: fc.integer({ min: 1, max: 10 }), everyMs: fc.integer({ min: 1, max: 100 }) });
const pauses = fc.array(fc.nat({ max: 120 }), { maxLength: 60 });

t.test('nobody waits longer than one turn, and turns never exceed the allowance', async () => {
  const property = fc.property(limits, pauses, ({ burst, everyMs }, pausesMs) => {
    const clock = handClock();
    const { turns, ask } = worker(clock, { burst, everyMs });
    for (const pauseMs of pausesMs) {
      ask();
      if (clock.timers > 1) return false;
      clock.advance(pauseMs);
    }
    clock.advance(everyMs);
    if (pausesMs.length > 0 && turns.length === 0) return false;
    const isPrompt = turns.every(({ atMs, askedMs }) => atMs - askedMs <= everyMs);
    const isWithin = turns.every((first, from) =>
      turns.slice(from).every(({ atMs }, more) => more + 1 <= burst + (atMs - first.atMs) / everyMs),
    );
    return isPrompt && isWithin;
  });
  fc.assert(property);
});

t.test('a chain within the allowance never waits', async () => {
  const property = fc.property(limits, fc.array(fc.nat({ max: 50 }), { maxLength: 30 }), (given, moreMs) => {
    const clock = handClock();
    const { turns, ask } = worker(clock, given);
    for (const ms of moreMs) {
      ask();
      clock.advance(given.everyMs + ms);
    }
    return turns.length === moreMs.length && turns.every(({ atMs, askedMs }) => atMs === askedMs);
  });
  fc.assert(property);
});

t.test('as many as the burst go at once, all later ones gather', async (t) => {
  const clock = handClock();
  const { turns, ask } = worker(clock, { burst: 3, everyMs: 10 });
  for (let ms = 0; ms < 100; ms++) {
    ask();
    clock.advance(1);
  }
  t.same(
    turns.map(({ atMs }) => atMs),
    [0, 1, 2, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
  );
});

t.test('a clock that is set back closes the door for one turn only', async (t) => {
  const clock = handClock();
  const { turns, ask } = worker(clock, { burst: 2, everyMs: 10 });
  ask();
  ask();
  clock.jump(-3_600_000);
  ask();
  clock.advance(10);
  t.equal(turns.length, 3);
});

t.test('who stops is not called again', async (t) => {
  const clock = handClock();
  const { turns, ask, stop } = worker(clock, { burst: 1, everyMs: 10 });
  ask();
  ask();
  stop();
  t.equal(clock.timers, 0);
  clock.advance(100);
  t.equal(turns.length, 1);
});

t.test('while turns take long they come back later, and as before when they are short again', async (t) => {
  const clock = handClock();
  const { turns, ask, took } = worker(clock, { burst: 2, everyMs: 10, longestMs: 50 });
  const turnsOf = (spanMs: number, tookMs: number) => {
    const before = turns.length;
    for (let ms = 0; ms < spanMs; ms++) {
      took(tookMs);
      ask();
      clock.advance(1);
    }
    return turns.length - before;
  };
  turnsOf(1000, 1);
  t.equal(turnsOf(1000, 1), 100);
  turnsOf(1000, 10);
  t.equal(Math.round(turnsOf(3000, 10) / 10), 10, 'a third of the time');
  turnsOf(1000, 10_000);
  t.equal(turnsOf(1000, 10_000), 20, 'and not later than that');
  turnsOf(1000, 0);
  t.equal(turnsOf(1000, 0), 100);
});
