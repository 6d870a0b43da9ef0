/** Records that somebody wrote straight into the store, and that mean nothing: nobody else may notice. */
import { randomUUID } from 'node:crypto';
import t from 'tap';
import type { MorayClient } from '../../../src/moray/client/types.js';
import { type BucketName, defaultBuckets } from '../../../src/records/buckets.js';
import { letters, map, putLetters, reduce, work } from '../../support/letters.js';
import { startWorld } from '../../support/supervisor.js';

t.setTimeout(120_000); // 10 s on a quiet machine

const domain = 'sup-1';
const time = '2026-03-01T12:00:00.000Z';
const idOf: Partial<Record<BucketName, string>> = { job: 'jobId', task: 'taskId', taskinput: 'taskInputId' };
const huge = 'x'.repeat(1_000_000);

/** Counts which keys searches give. */
function counting(client: MorayClient, fetched: Map<string, number>): MorayClient {
  return {
    ...client,
    async *findObjects<Value>(...args: Parameters<MorayClient['findObjects']>) {
      for await (const object of client.findObjects<Value>(...args)) {
        fetched.set(object.key, (fetched.get(object.key) ?? 0) + 1);
        yield object;
      }
    },
  };
}

/** @param jobId of a job that is good and lives. */
function hostileRecords(jobId: string): readonly (readonly [bucket: BucketName, value: Record<string, unknown>])[] {
  const input = { jobId, domain, input: '/wilma/stor/a', timeCreated: time };
  const task = {
    ...{ taskId: '', jobId, domain, phaseNum: 0, mantaComputeId: 'cn1', agentGeneration: 'g', state: 'done' },
    ...{ timeDispatched: time, timeDispatchDone: time, result: 'ok', nOutputs: 0, input: '/wilma/stor/a' },
  };
  const output = {
    ...{ jobId, taskId: 'nobody', domain, phaseNum: 0, intermediate: 'true', output: '/wilma/stor/a' },
    ...{ timeCreated: time, timeCommitted: time },
  };
  const moved = { taskInputId: '', jobId, taskId: 'nobody', domain, phaseNum: 1, retryTaskId: 'nobody', input: 'a' };
  const job = { jobId: '', owner: 'o', name: '', phases: [map], state: 'running', timeCreated: time, worker: domain };
  return [
    ['jobinput', { ...input, timeCreated: 5 }],
    ['jobinput', { ...input, input: '' }],
    ['jobinput', { ...input, input: undefined }],
    ['task', { ...task, phaseNum: -1 }],
    ['task', { ...task, phaseNum: 0.5 }],
    ['task', { ...task, phaseNum: 99 }],
    ['task', { ...task, phaseNum: 1e300 }],
    ['task', { ...task, nattempts: -5 }],
    ['task', { ...task, nInputs: 'many' }],
    ['task', { ...task, result: huge }],
    ['task', { ...task, rIdx: 7, phaseNum: 1, input: undefined, nOutputs: -1 }],
    ['taskoutput', { ...output, phaseNum: 99 }],
    ['taskoutput', { ...output, phaseNum: 'one' }],
    ['taskoutput', { ...output, output: { a: 1 } }],
    ['taskoutput', { ...output, rIdx: 5000 }],
    ['taskinput', { ...moved, phaseNum: 99 }],
    ['taskinput', { ...moved, input: [] }],
    ['job', { ...job, phases: huge }],
    ['job', { ...job, phases: [{ ...map, count: 1e9, type: 'reduce' }] }],
    ['job', { ...job, worker: undefined, phases: { length: 1e9 } }],
    ['job', { ...job, timeCancelled: time, auth: huge }],
    ['health', { component: 'agent', instance: huge, generation: '' }],
    ['health', { component: 'worker', instance: '', generation: 'g' }],
    ['domain', { domainId: 'x', operatedBy: { a: 1 } }],
    ['storage', { manta_compute_id: 'cn1', manta_storage_id: {}, zone_uuid: 7 }],
  ];
}

t.test('records that mean nothing are reported once, then not even read, and hold up no job', async (t) => {
  const world = await startWorld(t);
  const { client } = world;
  await world.startAgent('cn1', () => work);
  const inputs = await putLetters(world);
  const bad = new Map<string, BucketName>();
  const writeAll = async (records: ReturnType<typeof hostileRecords>): Promise<void> => {
    for (const [bucket, value] of records) {
      const key = randomUUID();
      const id = idOf[bucket];
      await client.putObject(defaultBuckets[bucket], key, id === undefined ? value : { ...value, [id]: key });
      bad.set(key, bucket);
    }
  };
  const isJob = ([bucket]: readonly [BucketName, unknown]) => bucket === 'job';
  await writeAll(hostileRecords('').filter(isJob)); // also those that a start comes across
  const fetched = new Map<string, number>();
  const { supervisor } = await world.startSupervisor(domain, {}, (client) => counting(client, fetched));
  const victim = await world.submit([map, reduce(1)], [], false);
  await writeAll(hostileRecords(victim).filter((record) => !isJob(record)));

  const runsAsIfAlone = async () => {
    const job = await world.done(await world.submit([map, reduce(1)], inputs));
    t.equal((await world.outputs(job)).join(' '), [...letters.toUpperCase()].join(' '));
    t.same(await world.errors(job.jobId), []);
  };
  const ofDomain = [...bad].filter(([, bucket]) => !['health', 'domain', 'storage'].includes(bucket));
  const reported = () => supervisor.gauges().counters.recordsSetAside;
  while (reported() < ofDomain.length) await runsAsIfAlone(); // every job makes every query run
  fetched.clear();
  await runsAsIfAlone();
  t.equal(reported(), ofDomain.length, 'reported once');
  t.same(
    [...fetched.keys()].filter((key) => ofDomain.some(([other]) => other === key)),
    [],
    'not even read',
  );
});

t.test('of hundreds of them none is read again, and those between them are', async (t) => {
  const world = await startWorld(t);
  const { client } = world;
  await world.startAgent('cn1', () => work);
  const [name = ''] = await putLetters(world);
  const fetched = new Map<string, number>();
  const { supervisor } = await world.startSupervisor(domain, {}, (client) => counting(client, fetched));
  const jobId = await world.submit([map], [], false);
  const puts = Array.from({ length: 375 }, (_, index) => {
    const value = { jobId, domain, input: index % 3 === 0 ? name : '', timeCreated: time };
    return { operation: 'put', bucket: defaultBuckets.jobinput, key: randomUUID(), value } as const;
  });
  await client.batch(puts);
  const bad = puts.flatMap(({ key, value }) => (value.input === '' ? [key] : []));
  const finishesAnother = async () => world.done(await world.submit([map], [name]));
  while (supervisor.gauges().counters.recordsSetAside < bad.length) await finishesAnother();
  fetched.clear();
  await finishesAnother();
  t.same(
    bad.filter((key) => fetched.has(key)),
    [],
  );
  while ((await world.tasks(jobId)).filter(({ result }) => result === 'ok').length < 125) await finishesAnother();
});

t.test('a cancelled job with tasks and outputs that mean nothing ends', async (t) => {
  const world = await startWorld(t);
  await world.startSupervisor(domain, { timeJobStill: 500 });
  const jobId = await world.submit([map, reduce(1)], [], false);
  const put = async ([bucket, value]: readonly [BucketName, Record<string, unknown>]): Promise<void> => {
    const key = randomUUID();
    const id = idOf[bucket];
    await world.client.putObject(defaultBuckets[bucket], key, id === undefined ? value : { ...value, [id]: key });
  };
  const hostile = hostileRecords(jobId).filter(([bucket]) => /^(task|jobinput)/.test(bucket));
  for (const record of hostile) await put(record);
  for (const [bucket, value] of hostile) if (bucket === 'task') await put([bucket, { ...value, state: 'accepted' }]);
  await world.change(jobId, { timeCancelled: time });
  const job = await world.done(jobId);
  t.equal(job.timeCancelled, time);
});

t.test('names that no object can have are errors of their own inputs only', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => work);
  const inputs = await putLetters(world);
  await world.startSupervisor(domain);
  const absurd = [
    huge,
    '/wilma/stor/\n*)(|(a=*',
    '\ud800/a/b',
    '/wilma/stor/../../..',
    `/wilma${'/'.repeat(100_000)}x`,
  ];
  const job = await world.done(await world.submit([map, reduce(1)], [...inputs, ...absurd]));
  t.equal((await world.outputs(job)).join(' '), [...letters.toUpperCase()].join(' '));
  t.same(
    (await world.errors(job.jobId)).map(({ errorCode }) => errorCode),
    absurd.map(() => 'ResourceNotFoundError'),
  );
});
