import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { jobsChannel } from '../../../src/bus/channels.js';
import type { Bus, Query } from '../../../src/bus/types.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { startTestBus } from '../../support/bus.js';
import { mountSmallDisk } from '../../support/small-disk.js';

const never = 1_000_000;
const health = { component: 'agent', instance: 'test', generation: 'now' } as const;

interface Job {
  readonly jobId: string;
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

const job = (jobId: string) => ({ jobId, name: '', owner: 'o', state: 'queued', phases: [] });

function put(bus: Bus, jobId: string): Promise<unknown> {
  return bus.batch([{ op: 'put', bucket: 'job', key: jobId, value: job(jobId) }]);
}

t.test('a Moray that is killed and comes back costs time only', async (t) => {
  const { bus, moray } = await startTestBus(t);
  const keys = Array.from({ length: 600 }, (_, n) => `job${n}`);
  const writes = keys.map((key) => bus.batch([{ op: 'put', bucket: 'job', key, value: job(key), etag: null }]));
  await writes[0];
  await moray.kill();
  const counting = bus.count('job', '(jobId=*)');
  await moray.restart();
  const results = await Promise.all(writes);
  t.ok(results.every(([result]) => result?.etag !== undefined));
  t.ok((await counting) > 0);
  t.equal(await bus.count('job', '(jobId=*)'), keys.length);
});

t.test('a store whose disk is full costs time only', async (t) => {
  const disk = mountSmallDisk(t, '3m');
  if (disk === null) {
    t.pass('skipped: a small file system cannot be mounted by this user');
    return;
  }
  const { bus, moray } = await startTestBus(t, { dataFile: path.join(disk.directory, 'moray.db') });
  const filler = path.join(disk.directory, 'filler');
  t.throws(() => fs.writeFileSync(filler, Buffer.alloc(8_000_000)), { code: 'ENOSPC' });
  await t.rejects(moray.client.putObject(defaultBuckets.job, 'x', job('x')), { name: 'NoDatabasePeersError' });
  let written = false;
  const writing = put(bus, 'a').then(() => (written = true));
  while (bus.counters.refusals === 0) await moray.client.ping();
  t.notOk(written);
  fs.rmSync(filler);
  await writing;
  t.ok(await bus.get('job', 'a'));
});

t.test('subscriptions live on when Moray is killed', async (t) => {
  const { bus, moray } = await startTestBus(t);
  const found = new EventEmitter();
  const subscription = bus.subscribe(waitingJobs({ unprovenEveryMs: 50, onRecord: ({ key }) => void found.emit(key) }));
  await bus.heartbeat(health);
  await moray.kill();
  const fence = subscription.fence();
  await moray.restart();
  await fence;
  const arrived = once(found, 'a');
  await put(bus, 'a');
  await arrived;
  while (!bus.pushProven) await bus.heartbeat(health);
  t.ok(bus.pushProven, 'and push is proven again');
});
