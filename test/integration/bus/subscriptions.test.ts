import { EventEmitter, once } from 'node:events';
import t from 'tap';
import { jobsChannel } from '../../../src/bus/channels.js';
import type { Bus, Query, Stored } from '../../../src/bus/types.js';
import { startTestBus } from '../../support/bus.js';

const never = 1_000_000;
const health = { component: 'agent', instance: 'test', generation: 'now' } as const;

interface Job {
  readonly jobId: string;
  readonly name?: string;
}

function waitingJobs(query: Partial<Query<Job>>): Query<Job> {
  return {
    name: 'waiting jobs',
    bucket: 'job',
    filter: () => '(state=queued)',
    channels: [jobsChannel],
    everyMs: never,
    unprovenEveryMs: never,
    onRecord() {},
    ...query,
  };
}

function put(bus: Bus, jobId: string, more: object = {}): Promise<unknown> {
  return bus.batch([{ op: 'put', bucket: 'job', key: jobId, value: { jobId, state: 'queued', ...more } }]);
}

t.test('a pass hands out everything, oldest first, page after page', async (t) => {
  const { bus } = await startTestBus(t);
  const names = Array.from({ length: 2100 }, (_, n) => `job${n}`);
  await bus.batch(names.map((key) => ({ op: 'put', bucket: 'job', key, value: { jobId: key, state: 'queued' } })));
  const found: string[] = [];
  const subscription = bus.subscribe(
    waitingJobs({
      onRecord({ value }) {
        found.push(value.jobId);
        return new Promise(() => {}); // in hand for ever
      },
    }),
  );
  await subscription.fence();
  t.same(found, names);
  await subscription.fence();
  t.equal(found.length, names.length, 'what is in hand is not handed out again');
  await put(bus, 'job7', { name: 'changed' });
  await subscription.fence();
  t.same(found.slice(names.length), ['job7'], 'unless it has changed');
  subscription.stop();
});

t.test('a notification is answered at once by a pass', async (t) => {
  const { bus } = await startTestBus(t);
  const found = new EventEmitter();
  bus.subscribe(waitingJobs({ onRecord: ({ key }) => void found.emit(key) }));
  bus.subscribe(waitingJobs({ onPass: () => void found.emit('pass') }));
  while (!bus.pushProven) {
    const passed = once(found, 'pass');
    await bus.heartbeat(health);
    await passed;
  }
  for (let n = 0; n < 20; n++) {
    const arrived = once(found, `job${n}`);
    await bus.batch([{ op: 'put', bucket: 'job', key: `job${n}`, value: { jobId: `job${n}`, state: 'queued' } }], {
      notify: [[jobsChannel, ['job']]],
    });
    await arrived;
  }
  t.pass('twenty times');
});

t.test('push is proven by the echo of a heartbeat', async (t) => {
  const { bus, faulty } = await startTestBus(t);
  const passes = { count: 0 };
  const events = new EventEmitter();
  bus.subscribe({
    name: 'heartbeats',
    bucket: 'health',
    filter: () => '(component=agent)',
    channels: ['marlin.self.test'],
    everyMs: 1_000_000,
    unprovenEveryMs: 20,
    onRecord() {},
    onPass() {
      passes.count++;
      if (bus.pushProven) events.emit('proven');
    },
  });
  t.notOk(bus.pushProven);
  const proven = once(events, 'proven');
  await bus.heartbeat(health);
  await proven;
  t.ok(bus.pushProven);
  faulty.forgetsNotify = true;
  const before = passes.count;
  const again = once(events, 'proven');
  await bus.heartbeat(health);
  await again;
  t.ok(passes.count > before, 'a server without the option gets notifications as calls');
});
t.test('without push a query runs at its fast rate', async (t) => {
  const { bus, faulty } = await startTestBus(t);
  faulty.isDeaf = true;
  const found = new EventEmitter();
  bus.subscribe(waitingJobs({ unprovenEveryMs: 10, onRecord: ({ key }) => void found.emit(key) }));
  const arrived = once(found, 'a');
  await put(bus, 'a');
  await arrived;
  t.notOk(bus.pushProven);
});

t.test('a record whose handler fails is handed out again, and delays no other', async (t) => {
  const { bus } = await startTestBus(t);
  await put(bus, 'bad');
  await put(bus, 'good');
  const found = new EventEmitter();
  const seen: string[] = [];
  const twice = once(found, 'twice');
  const subscription = bus.subscribe(
    waitingJobs({
      async onRecord({ key }: Stored<Job>) {
        seen.push(key);
        if (seen.filter((name) => name === 'bad').length === 2) found.emit('twice');
        else if (key === 'bad') throw new Error('poisoned');
      },
    }),
  );
  await subscription.fence();
  t.same(seen.slice(0, 2), ['bad', 'good']);
  await twice;
});
