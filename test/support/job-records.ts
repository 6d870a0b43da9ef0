/** A fixed set of records: jobs in every state, and one job with everything that a job can have. */
import type { MorayClient } from '../../src/moray/client/types.js';
import { type BucketName, defaultBuckets } from '../../src/records/buckets.js';

const id = (kind: string, n: number) => `${kind}0000000-0000-4000-8000-00000000000${n}`;

export const wilma = '9b0d6c0e-4f0e-4b1e-a3c5-55d2a3f7c001';
export const fred = '9b0d6c0e-4f0e-4b1e-a3c5-55d2a3f7c002';
export const domain = 'e1f3a9a2-2b6f-4a3b-b8c9-7de0ad1f4e55';
/** Jobs by what is special about them. */
export const jobs = {
  running: id('a', 1),
  waiting: id('a', 2),
  cancelled: id('a', 3),
  done: id('a', 4),
  queued: id('a', 5),
  open: id('a', 6),
} as const;
export const tasks = { a: id('b', 1), b: id('b', 2), reduce: id('b', 3), dispatched: id('b', 4) } as const;

interface Row {
  readonly bucket: BucketName;
  readonly key: string;
  readonly value: object;
}

const auth = { wilma: { login: 'wilma', token: 't', uuid: wilma }, fred: { login: 'fred', token: 't', uuid: fred } };
const at = (time: string) => `2026-03-01T${time}Z`;

function job(jobId: string, more: object): Row {
  const value = {
    jobId,
    name: '',
    owner: wilma,
    auth: auth.wilma,
    phases: [{ type: 'map', exec: 'wc' }],
    state: 'running',
    worker: domain,
    timeCreated: at('10:54:59.750'),
    timeAssigned: at('10:54:59.760'),
    ...more,
  };
  return { bucket: 'job', key: jobId, value };
}

function of(bucket: BucketName, key: string, more: object): Row {
  return { bucket, key, value: { jobId: jobs.done, domain, ...more } };
}

const stats = {
  nAssigns: 1,
  nErrors: 0,
  nRetries: 0,
  nInputsRead: 3,
  nJobOutputs: 12,
  nTasksDispatched: 40,
  nTasksCommittedOk: 12,
  nTasksCommittedFail: 1,
};
const doneStats = {
  ...stats,
  nErrors: 2,
  nRetries: 1,
  nInputsRead: 3,
  nJobOutputs: 2,
  nTasksDispatched: 4,
  nTasksCommittedOk: 2,
};
const task = {
  mantaComputeId: '7.cn.example.com',
  agentGeneration: 'g',
  state: 'done',
  phaseNum: 0,
  nattempts: 1,
};

const rows: readonly Row[] = [
  job(jobs.running, { stats, timeInputDone: at('10:55:00.000'), transient: false }),
  job(jobs.waiting, { state: 'queued', owner: fred, auth: auth.fred, worker: undefined, timeAssigned: undefined }),
  job(jobs.cancelled, { stats: { ...stats, nRetries: undefined }, timeCancelled: at('10:55:01.000') }),
  job(jobs.done, {
    name: 'nightly word totals',
    state: 'done',
    phases: [
      { type: 'map', exec: 'grep "x"', init: 'true', assets: ['/wilma/stor/one', '/wilma/stor/two'] },
      { type: 'reduce', exec: 'wc', count: 2 },
    ],
    stats: doneStats,
    timeInputDone: at('10:55:00.000'),
    timeDone: at('10:55:41.257'),
    timeArchiveStarted: at('10:56:00.000'),
    timeArchiveDone: at('10:56:59.760'),
  }),
  job(jobs.queued, { state: 'queued', worker: undefined, timeInputDone: at('10:55:00.000'), transient: true }),
  job(jobs.open, { name: 'a name of more than thirty-six characters', stats, transient: true, worker: 'other' }),

  of('jobinput', id('c', 1), { input: '/wilma/stor/b.txt', timeCreated: at('10:55:00.000') }),
  of('jobinput', id('c', 2), { input: '/wilma/stor/a.txt', timeCreated: at('10:55:00.000') }),
  of('jobinput', id('c', 3), { input: '/wilma/stor/gone', timeCreated: at('10:55:00.000') }),
  of('task', tasks.b, {
    ...task,
    taskId: tasks.b,
    input: '/wilma/stor/b.txt',
    result: 'fail',
    machine: '2dc68d18-0000-4000-8000-000000000000',
    timeDispatched: at('10:55:02.000'),
    timeStarted: at('10:55:02.150'),
    timeDone: at('10:55:03.000'),
    timeCommitted: at('10:55:03.100'),
  }),
  of('task', tasks.a, {
    ...task,
    taskId: tasks.a,
    input: '/wilma/stor/a.txt',
    result: 'ok',
    nOutputs: 2,
    timeDispatched: at('10:55:02.000'),
    timeCommitted: at('10:55:04.000'),
  }),
  of('task', tasks.reduce, {
    ...task,
    taskId: tasks.reduce,
    phaseNum: 1,
    rIdx: 0,
    result: 'ok',
    nInputs: 2,
    nOutputs: 3,
    timeDispatched: at('10:55:02.000'),
    timeInputDone: at('10:55:04.500'),
    timeCommitted: at('10:55:05.000'),
  }),
  of('task', tasks.dispatched, {
    ...task,
    taskId: tasks.dispatched,
    phaseNum: 1,
    rIdx: 1,
    state: 'accepted',
    mantaComputeId: '3.cn.example.com',
    timeDispatched: at('10:55:02.000'),
  }),
  of('taskinput', id('d', 1), { taskInputId: id('d', 1), taskId: tasks.reduce, phaseNum: 1, input: '/wilma/jobs/x' }),
  ...[1, 2].map((n) =>
    of('taskoutput', id('e', n), {
      taskId: tasks.reduce,
      phaseNum: 1,
      output: `/wilma/jobs/out.${n}`,
      valid: 'true',
      timeCommitted: at('10:55:05.000'),
    }),
  ),
  of('taskoutput', id('e', 3), { taskId: tasks.a, phaseNum: 0, output: '/wilma/jobs/x', valid: 'true' }),
  of('taskoutput', id('e', 4), {
    taskId: tasks.dispatched,
    phaseNum: 1,
    output: '/wilma/jobs/lost',
    valid: 'false',
    timeCommitted: at('10:55:05.000'),
  }),
  of('error', id('f', 1), {
    errorId: id('f', 1),
    phaseNum: 0,
    errorCode: 'ResourceNotFoundError',
    errorMessage: 'no such object: "/wilma/stor/gone"',
    errorMessageInternal: 'not in Moray',
    input: '/wilma/stor/gone',
    p0input: '/wilma/stor/gone',
    retried: 'false',
    timeCommitted: at('10:55:01.000'),
  }),
  of('error', id('f', 2), {
    errorId: id('f', 2),
    taskId: tasks.b,
    phaseNum: 0,
    errorCode: 'UserTaskError',
    errorMessage: 'user command exited with code 1',
    errorMessageInternal: 'exited 1',
    input: '/wilma/stor/b.txt',
    p0input: '/wilma/stor/b.txt',
    stderr: '/wilma/jobs/stderr',
    retried: 'false',
    timeCommitted: at('10:55:03.100'),
  }),
  of('error', id('f', 3), {
    errorId: id('f', 3),
    phaseNum: 1,
    taskId: tasks.reduce,
    errorCode: 'InternalError',
    errorMessage: '',
    retried: 'true',
    timeCommitted: at('10:55:03.100'),
  }),
  of('error', id('f', 4), {
    errorId: id('f', 4),
    phaseNum: 1,
    taskId: tasks.reduce,
    errorCode: 'InternalError',
    errorMessage: 'gone',
    input: '/wilma/jobs/x',
    p0input: '/wilma/stor/a.txt',
    retried: 'true',
  }),
];

/** In this order. */
export async function putJobRecords(moray: MorayClient): Promise<void> {
  await moray.batch(
    rows.map(({ bucket, key, value }) => ({ operation: 'put', bucket: defaultBuckets[bucket], key, value })),
  );
}
