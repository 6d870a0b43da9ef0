/** The pool with a driver that does what the test says, and a clock that moves when the test wants. */
import t from 'tap';
import { createInstruments } from '../../../../src/agent/instruments.js';
import type { SchedulerEvent } from '../../../../src/agent/scheduler/events.js';
import type { ZoneDriver } from '../../../../src/agent/zones/driver.js';
import { createPool } from '../../../../src/agent/zones/pool.js';
import { createLogger } from '../../../../src/common/logging.js';

const settled = () => new Promise((resolve) => setImmediate(resolve));

function createWorld(change: { readonly maxDisabledPercent?: number } = {}) {
  const events: string[] = [];
  const pauses: number[] = [];
  const saved: string[] = [];
  const endings = new Map<string, () => void>();
  let waiting: (() => void)[] = [];
  const world = { failures: 0, endedAlone: [] as string[] };
  const driver: Pick<ZoneDriver, 'reset' | 'saveLog' | 'ended' | 'destroy'> = {
    async reset() {
      if (world.failures-- > 0) throw new Error('no reset today');
    },
    async saveLog(zone, file) {
      saved.push(`${zone} ${file}`);
    },
    ended: (zone) => new Promise((resolve) => endings.set(zone, resolve)),
    destroy: async () => {},
  };
  const instruments = createInstruments();
  const pool = createPool({
    instruments,
    driver: driver as ZoneDriver,
    clock: {
      nowMs: () => 0,
      after(delayMs, action) {
        pauses.push(delayMs);
        waiting.push(action);
        return () => {};
      },
    },
    log: createLogger({ name: 'test', level: 'fatal' }),
    send: ({ event, ...rest }: SchedulerEvent) => {
      if ('zone' in rest) events.push(`${rest.zone}: ${event}`);
    },
    image: { name: 'host', version: '16.1.0' },
    limits: { memoryMb: 1, diskGb: 1 },
    attempts: 3,
    retryMs: 100,
    logDirectory: '/logs',
    newId: () => 'id',
    maxDisabledPercent: change.maxDisabledPercent ?? 50,
    closeRequests: () => {},
    endedAlone: (zone) => world.endedAlone.push(zone),
  });
  const pass = async () => {
    const due = waiting;
    waiting = [];
    for (const action of due) action();
    await settled();
  };
  const stateOf = (zone: string) => pool.zones.get(zone)?.state;
  return { pool, counts: instruments.counts, events, pauses, saved, endings, world, pass, stateOf };
}

t.test('a reset that fails is tried again after longer and longer pauses, then the zone is out', async (t) => {
  const { pool, counts, events, pauses, world, pass, stateOf } = createWorld();
  world.failures = 3;
  pool.add(['a']);
  await settled();
  t.match(pool.zones.get('a'), { state: 'uninit', resetting: { failures: 1, message: 'no reset today' } });
  await pass();
  await pass();
  t.same(pauses, [100, 200]);
  t.match(pool.zones.get('a'), { state: 'disabled', disabled: { message: 'zone not ready: no reset today' } });
  t.same(events, ['a: zone resetting', 'a: zone disabled']);
  pool.enable('a');
  await settled();
  t.equal(stateOf('a'), 'ready');
  t.equal(pool.zones.get('a')?.disabled, null);
  t.match(counts, { zones_added: 1, zones_readied: 1, zones_disabled: 1 });
});

t.test('a zone that was used is reset, and the log of its lackey is saved before', async (t) => {
  const { pool, saved, stateOf } = createWorld();
  pool.add(['a']);
  await settled();
  pool.assign('a');
  pool.release('a', 'job.0');
  t.equal(stateOf('a'), 'uninit');
  await settled();
  t.same(saved, ['a /logs/job.0.id']);
  t.equal(stateOf('a'), 'ready');
});

t.test('an operator takes zones out: ready ones at once, others when they come to an end', async (t) => {
  const { pool, events, stateOf } = createWorld();
  pool.add(['a', 'b']);
  pool.disable('b');
  t.equal(stateOf('b'), 'uninit');
  await settled();
  t.match(pool.zones.get('b'), { state: 'disabled', disabled: { message: 'zone disabled by operator' } });
  pool.assign('a');
  pool.disable('a');
  t.equal(events.at(-1), 'a: zone quiesced');
  pool.release('a', 'job.0');
  t.equal(stateOf('a'), 'disabled');
  pool.enable('a');
  await settled();
  t.match(pool.zones.get('a'), { state: 'ready', quiesced: false });
  await t.rejects(pool.remove('a'), { name: 'ConflictError' });
  pool.disable('a');
  const removal = pool.remove('a');
  pool.enable('a');
  await t.rejects(pool.remove('a'), { name: 'ConflictError' }, 'it is being removed');
  await removal;
  t.same([...pool.zones.keys()], ['b'], 'what is being removed cannot be enabled');
});

t.test('silent lackeys take no more than their part of the zones out of service', async (t) => {
  const { pool, stateOf } = createWorld({ maxDisabledPercent: 50 });
  pool.add(['a', 'b', 'c']);
  await settled();
  for (const zone of ['a', 'b']) {
    pool.assign(zone);
    pool.markFailed(zone);
    pool.release(zone, 'job.0');
  }
  t.same(['a', 'b'].map(stateOf), ['disabled', 'uninit']);
  t.match(pool.zones.get('a'), { disabled: { message: 'zone failed (lackey timed out)' } });
  t.match(pool.zones.get('b'), { failed: false });
});

t.test('a zone that ends on its own is reset, or reported if somebody uses it', async (t) => {
  const { pool, pauses, endings, world, pass, stateOf } = createWorld();
  pool.add(['a', 'b']);
  await settled();
  pool.assign('b');
  for (const end of endings.values()) end();
  await settled();
  t.same(['a', 'b'].map(stateOf), ['uninit', 'busy']);
  t.same(pauses, [100], 'not at once: a zone that cannot live must not spin');
  t.same(world.endedAlone, ['b']);
  await pass();
  t.equal(stateOf('a'), 'ready');
});
