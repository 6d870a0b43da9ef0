import fc from 'fast-check';
import t from 'tap';
import { createTurns, placeInLine } from '../../../../src/supervisor/jobs/turns.js';
import { handClock } from '../../../support/hand-clock.js';

const everybody = ['a', 'b', 'c'];

/** Supervisors that all see the same jobs; each counts how often it was asked to look again. */
function line(names: readonly string[], known: readonly string[] = names) {
  const clock = handClock();
  const looks = new Map<string, number>();
  const members = names.map((me) => {
    const peers = () => known.filter((name) => name !== me);
    const lookAgain = () => looks.set(me, (looks.get(me) ?? 0) + 1);
    return { me, turns: createTurns({ clock, me, peers, lookAgain }) };
  });
  const due = (jobId: string) => members.flatMap(({ me, turns }) => (turns.isDue(jobId) ? [me] : []));
  const passed = () => {
    for (const { turns } of members) turns.passed();
  };
  return { clock, looks, due, passed };
}

t.test('all stand in one line for a job, each at a place of its own', async () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.uuid(), names, (jobId, all) => {
      const places = all.map((name) => placeInLine(jobId, name, all));
      return [...places].sort((one, other) => one - other).every((place, index) => place === index);
    }),
  );
});

t.test('each is first for its share', async (t) => {
  const first = Array.from({ length: 600 }, (_, job) =>
    everybody.find((name) => placeInLine(`job ${job}`, name, everybody) === 0),
  );
  for (const name of everybody) t.ok(first.filter((one) => one === name).length > 150, name);
});

t.test('one after the other tries for a job that nobody takes', async (t) => {
  const { clock, due, passed, looks } = line(everybody);
  const order: string[] = [];
  for (let turn = 0; turn < 4; turn++) {
    for (const name of due('job')) if (!order.includes(name)) order.push(name);
    t.equal(order.length, [1, 1, 2, 3][turn], `turn ${turn}: nobody waits for less than a whole turn`);
    passed();
    clock.advance(500);
  }
  const expected = [...everybody].sort(
    (one, other) => placeInLine('job', one, everybody) - placeInLine('job', other, everybody),
  );
  t.same(order, expected);
  t.same([...looks.values()], [1, 1], 'whoever is not the first looks again, once');
});

t.test('who is first tries whenever it sees the job; who knows of no other, too', async (t) => {
  const { due } = line(['a'], ['a']);
  t.same([...due('job'), ...due('job')], ['a', 'a']);
});

t.test('a job that is not seen any more is forgotten', async (t) => {
  const { clock, due, passed, looks } = line(everybody);
  due('job');
  passed();
  passed();
  clock.advance(10_000);
  t.same([...looks], []);
  t.equal(clock.timers, 0, 'and no turns are counted');
});

t.test('a clock that is set back makes nobody wait', async (t) => {
  const { clock, due, passed } = line(everybody);
  due('job');
  passed();
  clock.jump(-3_600_000);
  clock.advance(1_500);
  t.equal(due('job').length, 3);
});

t.test('a domain that stops counts no more turns', async (t) => {
  const clock = handClock();
  const lookAgain = () => t.fail('it has stopped');
  for (const me of everybody) {
    const turns = createTurns({ clock, me, peers: () => everybody, lookAgain });
    turns.isDue('job');
    turns.stop();
  }
  clock.advance(10_000);
  t.equal(clock.timers, 0);
});
