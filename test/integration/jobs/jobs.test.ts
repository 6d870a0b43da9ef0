import { EventEmitter, once } from 'node:events';
import t from 'tap';
import VError from 'verror';
import { domainChannel, jobsChannel } from '../../../src/bus/channels.js';
import { ensureBuckets } from '../../../src/bus/ensure-buckets.js';
import { systemClock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import { createJobs } from '../../../src/jobs/jobs.js';
import type { NewJob } from '../../../src/jobs/types.js';
import type { BatchRequest, MorayClient } from '../../../src/moray/client/types.js';
import { type BucketName, defaultBuckets } from '../../../src/records/buckets.js';
import { isJobRecord, type JobRecord } from '../../../src/records/job.js';
import { startTestMoray } from '../../support/moray.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const moray = await startTestMoray(t);
await ensureBuckets({ moray: moray.client, buckets: defaultBuckets, clock: systemClock, log });

const pausesMs: number[] = [];
const clock = {
  ...systemClock,
  after(delayMs: number, action: () => void) {
    pausesMs.push(delayMs);
    return systemClock.after(0, action);
  },
};
const jobsOn = (client: MorayClient) =>
  createJobs({ moray: client, buckets: defaultBuckets, clock, images: [], newId: () => crypto.randomUUID() });
const jobs = jobsOn(moray.client);

const newJob: NewJob = {
  name: 'a job',
  owner: 'uuid-wilma',
  auth: { login: 'wilma', token: 'token' },
  phases: [{ exec: 'wc' }, { type: 'reduce', exec: 'cat', count: 2 }],
};

async function job(jobId: string): Promise<Record<string, unknown>> {
  return { ...(await jobs.fetch(jobId)).value };
}

async function change(jobId: string, members: object): Promise<void> {
  await moray.client.putObject(defaultBuckets.job, jobId, { ...(await job(jobId)), ...members });
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === 'fulfilled') throw new Error('it did not fail');
  return result.reason;
}

/** Everything that is notified to a channel, from now on. */
async function listenTo(channel: string): Promise<EventEmitter> {
  const events = new EventEmitter();
  const stop = moray.client.listen(
    channel,
    (payload) => events.emit(payload),
    () => {},
  );
  t.teardown(stop);
  const listening = once(events, 'listening');
  const probe = setInterval(() => void moray.client.notify(channel, 'listening'), 20);
  await listening;
  clearInterval(probe);
  return events;
}

/** Somebody who always writes between our reading of a job and our writing of it. */
function rival(times: number): MorayClient & { readonly conflicts: () => number } {
  let left = times;
  let conflicts = 0;
  return {
    ...moray.client,
    conflicts: () => conflicts,
    async getObject<Value>(bucket: string, key: string) {
      const object = await moray.client.getObject<Value>(bucket, key);
      if (left > 0) {
        left--;
        await moray.client.putObject(bucket, key, { ...object.value, stats: { nInputsRead: times - left } });
      }
      return object;
    },
    async batch(requests, options) {
      try {
        return await moray.client.batch(requests, options);
      } catch (error) {
        conflicts++;
        throw error;
      }
    },
  };
}

t.test('a new job is a valid record, and supervisors are told', async (t) => {
  const told = once(await listenTo(jobsChannel), 'job');
  const jobId = await jobs.create(newJob);
  await told;
  const record = await job(jobId);
  t.ok(isJobRecord(record));
  t.match(record, { jobId, state: 'queued', transient: false, authToken: 'token', timeInputDone: undefined });
  t.same(record['phases'], [
    { type: 'map', exec: 'wc' },
    { type: 'reduce', exec: 'cat', count: 2 },
  ]);
  const refused = await failure(jobs.create({ ...newJob, options: { keepIntermediate: true } }));
  t.equal(refused.name, 'JobOptionsError');
  t.equal((await failure(jobs.fetch('missing'))).name, 'JobFetchError');
});

t.test('an update is made on what others wrote meanwhile', async (t) => {
  const jobId = await jobs.create(newJob);
  await change(jobId, { worker: 'd', state: 'running' });
  const told = once(await listenTo(domainChannel('d')), 'job');
  const client = rival(3);
  const before = await jobsOn(client).cancel(jobId);
  await told;
  t.equal(client.conflicts(), 3);
  t.same(before.stats, { nInputsRead: 3 }, 'what is returned is what was there last');
  t.equal(before.timeCancelled, undefined);
  const after = await job(jobId);
  t.match(after, { stats: { nInputsRead: 3 }, timeCancelled: /Z$/, state: 'running' });
  const again = await jobs.endInput(jobId);
  t.equal(again.timeCancelled, after['timeCancelled']);
  t.match(await job(jobId), { timeCancelled: after['timeCancelled'], timeInputDone: /Z$/ });
});

t.test('an update that cannot be made fails in the end', async (t) => {
  const jobId = await jobs.create(newJob);
  pausesMs.length = 0;
  const error = await failure(jobsOn(rival(1000)).cancel(jobId, { attempts: 3 }));
  t.equal(error.name, 'JobUpdateError');
  t.ok(VError.hasCauseWithName(error, 'EtagConflictError'));
  t.same(pausesMs, [1000, 2000]);
  t.equal((await job(jobId))['timeCancelled'], undefined);
  await change(jobId, { input: 'another job' });
  const piped = await failure(jobs.endInput(jobId));
  t.equal(piped.name, 'JobInputPipedError');
  t.equal(piped.message, `job "${jobId}" input is piped from another job`);
  t.ok(VError.hasCauseWithName(await failure(jobs.cancel('missing')), 'ObjectNotFoundError'));
});

const nameCount = 2345;
const names = Array.from({ length: nameCount }, (_, n) => `/wilma/stor/${n}`);

t.test('inputs: many, in their order, in few calls', async (t) => {
  const sizes: number[] = [];
  const client: MorayClient = {
    ...moray.client,
    batch(requests, options) {
      sizes.push(requests.length);
      return moray.client.batch(requests, options);
    },
  };
  t.equal(await jobsOn(client).addInputs('many', ['', ...names, ''], { domain: 'd' }), nameCount);
  t.ok(sizes.every((size) => size <= 500) && sizes.length <= 6, sizes.join(' '));
  const stored = await all(jobs.inputs('many'));
  t.same(
    stored.map(({ value }) => value.input),
    names,
  );
  t.ok(stored.every(({ value }) => value.domain === 'd'));
  const first = stored[0]?.id ?? 0;
  const last = stored.at(-1)?.id ?? 0;
  const part = async (page: Parameters<typeof jobs.inputs>[1]) =>
    (await all(jobs.inputs('many', page))).map(({ value }) => value.input);
  t.same(await part({ limit: 1500, marker: first + 10 }), names.slice(10, 1510));
  t.same(await part({ order: 'DESC' }), [...names].reverse());
  t.same(await part({ order: 'DESC', marker: last - 1, limit: 2 }), names.slice(-3, -1).reverse());
});

t.test('inputs that come slowly are stored as they come', async (t) => {
  const told = await listenTo(domainChannel('slow'));
  async function* slowly() {
    for (const name of ['a', 'b', 'c']) {
      const stored = once(told, 'jobinput');
      yield name;
      await stored; // would hang if it waited for the next name
    }
  }
  t.equal(await jobs.addInputs('slow', slowly(), { domain: 'slow' }), 3);
});

t.test('a batch of inputs that fails ends the reading', async (t) => {
  let calls = 0;
  let read = 0;
  const client: MorayClient = {
    ...moray.client,
    async batch(requests: readonly BatchRequest[], options) {
      calls++;
      if (calls === 2) throw new VError({ name: 'NoBackendsError' }, 'away');
      return moray.client.batch(requests, options);
    },
  };
  function* forever() {
    for (;;) {
      read++;
      yield `name${read}`;
    }
  }
  t.equal((await failure(jobsOn(client).addInputs('broken', forever()))).name, 'NoBackendsError');
  t.ok(read <= 2000, `${read} read`);
  const stored = await all(jobs.inputs('broken'));
  t.ok(stored.length > 0 && stored.length <= 500, 'what went before is stored');
});

function put(bucket: BucketName, records: readonly (readonly [key: string, value: object])[]): Promise<unknown> {
  return moray.client.batch(
    records.map(([key, value]) => ({ operation: 'put', bucket: defaultBuckets[bucket], key, value })),
  );
}

t.test('lists do not end at a thousand', async (t) => {
  const numbers = Array.from({ length: 1100 }, (_, n) => n);
  const common = { jobId: 'many', domain: 'd', phaseNum: 0, timeCommitted: 'now' };
  await put(
    'taskoutput',
    numbers.map((n) => [`o${n}`, { ...common, taskId: 't', output: `/o/${n}`, valid: n === 7 ? 'false' : 'true' }]),
  );
  await put(
    'error',
    numbers.map((n) => {
      const retried = n % 2 === 0 ? 'true' : 'false';
      return [`e${n}`, { ...common, errorId: `e${n}`, errorCode: 'C', errorMessage: 'm', p0input: `${n}`, retried }];
    }),
  );
  await put(
    'task',
    numbers.map((n) => [
      `t${n}`,
      { ...common, taskId: `t${n}`, state: n === 7 ? 'done' : 'dispatched', input: `${n}` },
    ]),
  );
  await put(
    'job',
    numbers.map((n) => [`j${n}`, { jobId: `j${n}`, owner: 'fred', name: 'x', state: 'done', phases: [] }]),
  );
  const outputs = await all(jobs.outputs('many', 0));
  t.same(
    outputs.map(({ value }) => value.output),
    numbers.filter((n) => n !== 7).map((n) => `/o/${n}`),
  );
  t.same(await all(jobs.outputs('many', 1)), []);
  t.equal((await all(jobs.errors('many'))).length, 550);
  t.equal((await all(jobs.retries('many'))).length, 550);
  t.equal((await all(jobs.failedInputs('many')))[1], '3');
  t.equal((await all(jobs.pendingTasks('many'))).length, 1099);
  t.equal((await all(jobs.list({ owner: 'fred', state: 'done' }))).length, 1100);
  t.equal((await all(jobs.list({ owner: 'fred', limit: 1050 }))).length, 1050);
  const details = await jobs.details('j1', { all: true, limit: 20 });
  t.match(details, { job: { value: { jobId: 'j1' } }, jobinput: [], task: [], problems: [] });
});

t.test('deletion takes everything of one job and nothing of another', async (t) => {
  await put('job', [
    ['many', { jobId: 'many', owner: 'o', name: '', state: 'done', phases: [] } as unknown as JobRecord],
  ]);
  await put('taskinput', [['i', { taskInputId: 'i', taskId: 't0', jobId: 'many', phaseNum: 0, input: 'x' }]]);
  await jobs.addInput('other', 'kept');
  await jobs.delete('many');
  for (const bucket of ['job', 'jobinput', 'task', 'taskinput', 'taskoutput', 'error'] as const)
    t.same(await all(moray.client.findObjects(defaultBuckets[bucket], '(jobId=many)')), [], bucket);
  t.equal((await all(jobs.inputs('other'))).length, 1);
  t.equal((await all(jobs.list({ owner: 'fred' }))).length, 1100);
  const error = await failure(jobs.delete('many'));
  t.equal(error.name, 'JobDeleteError');
  t.ok(VError.hasCauseWithName(error, 'ObjectNotFoundError'));
});
