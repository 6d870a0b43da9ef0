import fc from 'fast-check';
import t from 'tap';
import type { Stored } from '../../../src/bus/types.js';
import type { HealthRecord } from '../../../src/records/health.js';
import { chooseAgent, HealthTable } from '../../../src/supervisor/agents.js';

function heartbeat(instance: string, mtimeMs: number, generation = 'g1'): Stored<HealthRecord> {
  const value = { component: 'agent', instance, generation } as const;
  return { bucket: 'health', key: instance, value, id: 1, etag: 'e', mtimeMs };
}

const limits = { everyMs: 5000, timeoutMs: 60_000 };

t.test('an agent is lost after enough heard silence, and comes back', async (t) => {
  const table = new HealthTable(limits);
  t.match(table.read(heartbeat('a', 1)), { event: 'started' });
  const events = [];
  for (let nowMs = 0; nowMs <= 70_000; nowMs += 5000) {
    table.read(heartbeat('a', 1));
    events.push(...table.passed(nowMs).map(({ event }) => `${event} at ${nowMs}`));
  }
  t.same(events, ['lost at 65000']);
  t.same(table.living(), []);
  t.match(table.read(heartbeat('a', 2)), { event: 'came back' });
  t.match(table.read(heartbeat('a', 3, 'g2')), { event: 'restarted', generation: 'g2' });
});

t.test('an outage of the store, however long, loses nobody', async () => {
  const outage = fc.property(fc.integer({ min: 0, max: 1e9 }), (outageMs) => {
    const table = new HealthTable(limits);
    table.read(heartbeat('a', 1));
    table.passed(0);
    table.read(heartbeat('a', 1));
    return table.passed(outageMs).length === 0;
  });
  fc.assert(outage);
});

t.test('an agent whose record is gone is lost, then forgotten', async (t) => {
  const table = new HealthTable(limits);
  table.read(heartbeat('a', 1));
  const events = [];
  for (let nowMs = 0; nowMs <= 70_000; nowMs += 5000) events.push(...table.passed(nowMs).map(({ event }) => event));
  t.same(events, ['lost', 'forgotten']);
});

t.test('who failed is chosen only if nobody else is left', async () => {
  const names = fc.uniqueArray(fc.constantFrom<string>('a', 'b', 'c'));
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const choice = fc.property(names, chance, (candidates, number) => {
    const agent = chooseAgent({ candidates, avoid: 'a', loadOf: () => 0, random: () => number });
    if (agent === undefined) return candidates.length === 0;
    return candidates.includes(agent) && (agent !== 'a' || candidates.length === 1);
  });
  fc.assert(choice);
});

t.test('the least busy of the candidates is chosen', async (t) => {
  const busy = new Map([
    ['a', 5],
    ['b', 2],
    ['c', 2],
  ]);
  const choose = (number: number, avoid?: string) =>
    chooseAgent({ candidates: ['a', 'b', 'c'], avoid, loadOf: (agent) => busy.get(agent) ?? 0, random: () => number });
  t.equal(choose(0), 'b');
  t.equal(choose(0.99), 'c');
  t.equal(choose(0.99, 'c'), 'b');
});

t.test('a loss is noticed when the budget runs out, not a pass later', async (t) => {
  const table = new HealthTable({ everyMs: 5000, timeoutMs: 12_000 });
  const pass = (nowMs: number) => {
    table.read(heartbeat('a', 1));
    return table.passed(nowMs).map(({ event }) => event);
  };
  t.same(pass(0), []);
  t.equal(table.nextLossMs(), null);
  t.same(pass(5000), []);
  t.equal(table.nextLossMs(), null, 'the next pass comes before');
  t.same(pass(10_000), []);
  t.equal(table.nextLossMs(), 2001);
  t.same(pass(12_001), ['lost']);
  t.equal(table.nextLossMs(), null);
});

t.test('somebody expected who never was heard is lost, and stays so while needed', async (t) => {
  let isNeeded = true;
  const table = new HealthTable(limits, () => isNeeded);
  table.expect('ghost');
  const events = [];
  for (let nowMs = 0; nowMs <= 80_000; nowMs += 5000) {
    events.push(...table.passed(nowMs).map(({ event }) => event));
    table.expect('ghost');
  }
  t.same(events, ['lost']);
  t.ok(table.get('ghost')?.lost);
  isNeeded = false;
  t.same(
    table.passed(85_000).map(({ event }) => event),
    ['forgotten'],
  );
});
