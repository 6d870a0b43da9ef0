import t from 'tap';
import VError from 'verror';
import type { Stored } from '../../../src/bus/types.js';
import type { BatchRequest } from '../../../src/moray/client/types.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { openBus, startTestBus, theJob } from '../../support/bus.js';

const job = (jobId: string, more: object = {}) => ({
  jobId,
  name: '',
  owner: 'o',
  state: 'queued',
  phases: [],
  ...more,
});

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

t.test('what is handed in together travels together, and everybody gets their own answer', async (t) => {
  const { bus, faulty } = await startTestBus(t);
  const results = await Promise.all(
    ['a', 'b', 'c'].map((key) =>
      bus.batch([
        { op: 'put', bucket: 'job', key, value: job(key), etag: null },
        { op: 'update', bucket: 'job', filter: `(jobId=${key})`, fields: { state: 'running' }, limit: 10 },
      ]),
    ),
  );
  t.equal(faulty.batches.length, 1);
  t.same(
    results.map(([, update]) => update?.count),
    [1, 1, 1],
  );
  t.equal((await theJob(bus, 'b')).etag, results[1]?.[1]?.etag);
  t.equal(await bus.count('job', '(state=running)'), 3);
});

t.test('who is refused does not drag others along', async (t) => {
  const { bus } = await startTestBus(t);
  await bus.batch([{ op: 'put', bucket: 'job', key: 'a', value: job('a') }]);
  const [refused, stored, wrong] = await Promise.allSettled([
    bus.batch([{ op: 'put', bucket: 'job', key: 'a', value: job('a', { name: 'x' }), etag: null }]),
    bus.batch([{ op: 'put', bucket: 'job', key: 'b', value: job('b'), etag: null }]),
    bus.batch([{ op: 'update', bucket: 'job', filter: '(((', fields: { state: 'x' }, limit: 1 }]),
  ]);
  t.equal(refused.status, 'rejected');
  t.equal(refused.status === 'rejected' && refused.reason.name, 'EtagConflictError');
  t.match(refused.status === 'rejected' && VError.info(refused.reason), { bucket: 'job', key: 'a' });
  t.equal(stored.status, 'fulfilled');
  t.equal(wrong.status, 'rejected');
  t.equal((await theJob(bus, 'a')).value['name'], '');
});

t.test('writes of one record are made in their order', async (t) => {
  const { bus, faulty } = await startTestBus(t);
  const writes = Array.from({ length: 10 }, (_, n) =>
    bus.batch([{ op: 'put', bucket: 'job', key: 'a', value: job('a', { name: `${n}` }) }]),
  );
  await Promise.all(writes);
  t.equal((await theJob(bus, 'a')).value['name'], '9');
  t.ok(faulty.batches.every((requests) => requests.length === 1));
});

t.test('a conflict is merged with what is stored', async (t) => {
  const { bus } = await startTestBus(t);
  await bus.batch([{ op: 'put', bucket: 'job', key: 'a', value: job('a') }]);
  const { etag, value } = await theJob(bus, 'a');
  await bus.batch([{ op: 'put', bucket: 'job', key: 'a', value: { ...value, timeCancelled: 'now' } }]);
  const merge = (mine: { readonly value: object }, stored: Stored<object>) => ({
    ...mine.value,
    timeCancelled: (stored.value as { timeCancelled?: string }).timeCancelled,
  });
  const [result] = await bus.batch(
    [{ op: 'put', bucket: 'job', key: 'a', value: { ...value, state: 'running' }, etag }],
    { merge },
  );
  const after = await theJob(bus, 'a');
  t.match(after.value, { state: 'running', timeCancelled: 'now' });
  t.equal(after.etag, result?.etag);
  const given = bus.batch([{ op: 'put', bucket: 'job', key: 'a', value, etag }], { merge: () => null });
  t.equal((await failure(given)).name, 'EtagConflictError', 'or given up');
});

t.test('a lost answer is no conflict', async (t) => {
  const { bus, faulty } = await startTestBus(t);
  faulty.loseAnswers = 1;
  const writes = await Promise.all(
    ['a', 'b'].map((key) =>
      bus.batch([
        { op: 'put', bucket: 'job', key, value: job(key), etag: null },
        { op: 'put', bucket: 'error', key, value: { errorId: key, jobId: key }, etag: null },
      ]),
    ),
  );
  t.equal(writes[0]?.[0]?.etag, (await theJob(bus, 'a')).etag);
  t.equal(writes[1]?.[0]?.repeated, true);
  t.equal(await bus.count('error', '(jobId=*)'), 2);
  faulty.loseAnswers = 1;
  await bus.batch([{ op: 'delete', bucket: 'error', key: 'a' }]);
  t.equal(await bus.get('error', 'a'), null);
});

t.test('equal content by somebody else is no success of more than one operation', async (t) => {
  const { bus } = await startTestBus(t);
  await bus.batch([{ op: 'put', bucket: 'job', key: 'a', value: job('a') }]);
  const both = bus.batch([
    { op: 'put', bucket: 'job', key: 'a', value: job('a'), etag: null },
    { op: 'put', bucket: 'job', key: 'b', value: job('b'), etag: null },
  ]);
  t.equal((await failure(both)).name, 'EtagConflictError');
  t.equal(await bus.get('job', 'b'), null);
});

t.test('nor is it of one whose request was lost', async (t) => {
  const { bus, moray } = await startTestBus(t);
  await bus.batch([{ op: 'put', bucket: 'job', key: 'a', value: job('a') }]);
  const { etag } = await theJob(bus, 'a');
  const named = { ...job('a'), name: 'x' };
  let isLost = false;
  const unlucky = openBus(t, {
    ...moray.client,
    async batch(requests, options) {
      if (isLost) return moray.client.batch(requests, options);
      isLost = true;
      await bus.batch([{ op: 'put', bucket: 'job', key: 'a', value: named }]);
      throw new VError({ name: 'FastTransportError' }, 'the request was lost');
    },
  });
  const error = { errorId: 'e', jobId: 'a' };
  await unlucky.batch(
    [
      { op: 'put', bucket: 'job', key: 'a', value: named, etag },
      { op: 'put', bucket: 'error', key: 'e', value: error, etag: null },
    ],
    { merge: (_mine, stored) => stored.value },
  );
  t.ok(await bus.get('error', 'e'), 'all of it was written');
});

t.test('a robbed supervisor cannot write, a visited one can', async (t) => {
  const { bus, faulty } = await startTestBus(t);
  const put = (value: object) => bus.batch([{ op: 'put', bucket: 'domain', key: 'd', value }]);
  await put({ domainId: 'd', operatedBy: 'me' });
  let current = await bus.get<{ operatedBy?: string }>('domain', 'd');
  let changes = 0;
  const fence = {
    current: () => current as Stored<object>,
    changed(stored: Stored<object> | null) {
      changes++;
      const isOurs = (stored?.value as { operatedBy?: string } | undefined)?.operatedBy === 'me';
      if (isOurs) current = stored as typeof current;
      return isOurs ? stored : null;
    },
  };
  const write = (key: string) => bus.batch([{ op: 'put', bucket: 'job', key, value: job(key) }], { fence });
  await Promise.all([write('a'), write('b')]);
  t.equal(faulty.batches.at(-1)?.length, 3, 'one fence for all');
  t.equal(changes, 0);
  await put({ domainId: 'd', operatedBy: 'me', wantTransfer: 'other' });
  await Promise.all([write('c'), write('d')]);
  t.equal(changes, 1, 'still ours');
  await put({ domainId: 'd', operatedBy: 'other' });
  t.equal((await failure(write('e'))).name, 'FenceLostError');
  t.equal(await bus.get('job', 'e'), null);
});

t.test('what is in flight is finished before a stop, nothing is begun after it', async (t) => {
  const { bus, moray } = await startTestBus(t);
  const write = bus.batch([{ op: 'put', bucket: 'job', key: 'a', value: job('a') }]);
  await bus.stop();
  await write;
  t.equal((await failure(bus.batch([{ op: 'delete', bucket: 'job', key: 'a' }]))).name, 'BusStoppedError');
  const other = openBus(t, moray.client, 'other');
  t.ok(await other.get('job', 'a'));
});

t.test('a heartbeat waits for no other write', async (t) => {
  const { moray } = await startTestBus(t);
  let letGo = () => {};
  const slow = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const isHeartbeat = ([first]: readonly BatchRequest[]) => first?.bucket === defaultBuckets.health;
  const bus = openBus(t, {
    ...moray.client,
    async batch(requests, options) {
      if (!isHeartbeat(requests)) await slow;
      return moray.client.batch(requests, options);
    },
  });
  const keys = Array.from({ length: 600 }, (_, n) => `job-${n}`);
  const writes = keys.map((key) => bus.batch([{ op: 'put', bucket: 'job', key, value: job(key) }]));
  await bus.heartbeat({ component: 'worker', instance: 'test', generation: '2026' });
  t.ok(await bus.get('health', 'test'), 'it is stored');
  t.equal(await bus.get('job', 'job-0'), null, 'while all else waits');
  letGo();
  await Promise.all(writes);
  t.equal(await bus.count('job', '(jobId=*)'), 600);
});
