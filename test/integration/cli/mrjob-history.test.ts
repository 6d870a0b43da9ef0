/** `mrjob taskhistory` and `mrjob watch`, compared as a whole. */
import t from 'tap';
import { ensureBuckets } from '../../../src/bus/ensure-buckets.js';
import { picture } from '../../../src/cli/mrjob/watch.js';
import { systemClock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import { type BucketName, defaultBuckets } from '../../../src/records/buckets.js';
import { jobs, putJobRecords } from '../../support/job-records.js';
import { startTestMoray } from '../../support/moray.js';
import { mrjobWith } from '../../support/mrjob.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const moray = await startTestMoray(t);
await ensureBuckets({ moray: moray.client, buckets: defaultBuckets, clock: systemClock, log });
const run = mrjobWith({ MORAY_URL: moray.url });
const jobId = 'a1';
const put = (bucket: BucketName, key: string, value: object) =>
  moray.client.putObject(defaultBuckets[bucket], key, { jobId, domain: 'd', ...value });
const at = (second: number) => `2026-03-01T10:00:0${second}.000Z`;

/** An input whose map task is killed, runs again, and feeds a reducer that runs twice. */
async function putFamily() {
  const map = { phaseNum: 0, input: '/w/stor/a', mantaComputeId: '1.cn', state: 'done' };
  const link = (type: string, id: string) => ({ prevRecordType: type, prevRecordId: id });
  await put('jobinput', 'in', { input: '/w/stor/a', timeCreated: at(0), nextRecordType: 'task', nextRecordId: 'm1' });
  await put('task', 'm1', {
    ...{ ...map, taskId: 'm1', nattempts: 1, result: 'fail', timeDispatched: at(1), timeRetried: at(3) },
    ...link('jobinput', 'in'),
  });
  await put('error', 'e1', {
    ...{ errorId: 'e1', phaseNum: 0, errorCode: 'TaskKilledError', errorMessage: 'task killed', taskId: 'm1' },
    ...{ timeCommitted: at(2), retried: 'true' },
    ...link('task', 'm1'),
  });
  await put('task', 'm2', {
    ...{ ...map, taskId: 'm2', nattempts: 2, result: 'ok', timeDispatched: at(3), mantaComputeId: '2.cn' },
    ...link('task', 'm1'),
  });
  const output = { taskId: 'm2', phaseNum: 0, output: '/w/jobs/x', timeCreated: at(4) };
  await put('taskoutput', 'o1', { ...output, nextRecordType: 'taskinput', nextRecordId: 'i1' });
  await put('taskinput', 'i1', {
    ...{ taskInputId: 'i1', taskId: 'r1', phaseNum: 1, input: '/w/jobs/x', timeDispatched: at(5) },
    ...link('taskoutput', 'o1'),
  });
  const reduce = { phaseNum: 1, rIdx: 0, mantaComputeId: '1.cn', state: 'done' };
  await put('task', 'r1', {
    ...{ ...reduce, taskId: 'r1', nattempts: 1, timeDispatched: at(1), timeRetried: at(7), retryTaskId: 'r2' },
  });
  await put('task', 'r2', { ...reduce, taskId: 'r2', nattempts: 2, timeDispatched: at(7), nInputs: 1 });
  await put('task', 'lost', { ...map, taskId: 'lost', nattempts: 1, timeDispatched: at(1), ...link('none', 'none') });
  // Nobody could run it again: the error calls the task an output.
  await put('error', 'e2', {
    ...{ errorId: 'e2', phaseNum: 0, errorCode: 'InternalError', errorMessage: 'internal error' },
    ...{ errorMessageInternal: 'agent timed out', timeCommitted: at(8), retried: 'false' },
    ...link('taskoutput', 'lost'),
  });
  await put('task', 'lost', {
    ...{ ...map, taskId: 'lost', nattempts: 1, timeDispatched: at(1), input: '/w/stor/b' },
    ...{ nextRecordType: 'error', nextRecordId: 'e2' },
  });
}

const family = `2026-03-01T10:00:00.000Z  jobinput   in
    /w/stor/a

2026-03-01T10:00:01.000Z  map task   m1
                                     (attempt 1, host 1.cn)
    /w/stor/a

2026-03-01T10:00:02.000Z  error      e1
                                     TaskKilledError
                                     task killed

2026-03-01T10:00:03.000Z  map task   m2
                                     (attempt 2, host 2.cn)
    /w/stor/a

2026-03-01T10:00:04.000Z  taskoutput o1
    /w/jobs/x

2026-03-01T10:00:05.000Z  taskinput  i1
    /w/jobs/x

2026-03-01T10:00:01.000Z  reducer    r1
                                     (attempt 1, host 1.cn)
                                     input stream open

2026-03-01T10:00:07.000Z  reducer    r2
                                     (attempt 2, host 1.cn)
                                     1 inputs

`;

t.test('taskhistory', async (t) => {
  await putFamily();
  for (const task of ['m1', 'm2']) {
    t.same(await run('taskhistory', task), { status: 0, stdout: family, stderr: '' }, `the whole family of ${task}`);
  }
  const json = await run('taskhistory', '--json', 'm2');
  t.same(
    json.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).key),
    ['in', 'm1', 'e1', 'm2', 'o1', 'i1', 'r1', 'r2'],
  );
  t.same(await run('taskhistory', 'lost'), {
    status: 0,
    stdout: `2026-03-01T10:00:01.000Z  map task   lost
                                     (attempt 1, host 1.cn)
    /w/stor/b

2026-03-01T10:00:08.000Z  error      e2
                                     InternalError
                                     internal error: agent timed out

`,
    stderr: '',
  });
  const missing = await run('taskhistory', 'nobody');
  t.equal(missing.status, 1);
  t.match(missing.stderr, /^mrjob: task "nobody": failed to fetch history: failed to fetch task "nobody": .+\n$/);
  t.equal((await run('taskhistory')).status, 2);
});

/** Given up before their agent began: that is no attempt, so both have the same number. */
async function putNeverBegun() {
  const map = { phaseNum: 0, input: '/w/stor/c', nattempts: 1, state: 'done', nOutputs: 0 };
  await put('task', 'n9', {
    ...{ ...map, taskId: 'n9', mantaComputeId: '1.cn', result: 'fail', timeDispatched: at(1), timeRetried: at(3) },
    ...{ timeAbandoned: at(2), prevRecordType: 'jobinput', prevRecordId: 'in3' },
    ...{ nextRecordType: 'error', nextRecordId: 'e3' },
  });
  await put('jobinput', 'in3', { input: '/w/stor/c', timeCreated: at(0), nextRecordType: 'task', nextRecordId: 'n9' });
  await put('error', 'e3', {
    ...{ errorId: 'e3', phaseNum: 0, errorCode: 'InternalError', errorMessage: 'internal error' },
    ...{ errorMessageInternal: 'agent timed out', timeCommitted: at(2), retried: 'true' },
    ...{ prevRecordType: 'task', prevRecordId: 'n9', input: '/w/stor/c' },
  });
  await put('task', 'n1', {
    ...{ ...map, taskId: 'n1', mantaComputeId: '2.cn', result: 'ok', timeDispatched: at(3) },
    ...{ prevRecordType: 'task', prevRecordId: 'n9' },
  });
  const reduce = { phaseNum: 1, rIdx: 0, nattempts: 1, state: 'done', nOutputs: 0, nInputs: 0 };
  await put('task', 's2', {
    ...{ ...reduce, taskId: 's2', mantaComputeId: '1.cn', result: 'fail', timeDispatched: at(1) },
    ...{ timeAbandoned: at(2), timeRetried: at(3), retryTaskId: 's1' },
  });
  await put('task', 's1', { ...reduce, taskId: 's1', mantaComputeId: '2.cn', result: 'ok', timeDispatched: at(3) });
}

t.test('attempts that were never begun', async (t) => {
  await putNeverBegun();
  const keysOf = async (task: string) => {
    const { stdout } = await run('taskhistory', '--json', task);
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).key);
  };
  for (const task of ['n9', 'n1']) t.same(await keysOf(task), ['in3', 'n9', 'e3', 'n1'], task);
  for (const task of ['s2', 's1']) t.same(await keysOf(task), ['s2', 's1'], task);
  await putJobRecords(moray.client);
  const { value } = await moray.client.getObject(defaultBuckets.job, jobs.done);
  await moray.client.putObject(defaultBuckets.job, jobId, { ...value, jobId });
  const { stdout } = await run('get', '-t', jobId);
  const error = `     Error internal error\n${' '.repeat(15)}internal error: agent timed out\n`;
  t.ok(stdout.includes(`n9${' '.repeat(34)}   0 done fail    0\n     Input /w/stor/c\n${error}`), stdout);
});

t.test('watch, where nobody looks', async (t) => {
  await putJobRecords(moray.client);
  const line = 'done, phase 0 2/3, phase 1 1/2, 2 outputs, 2 errors, 1 retries\n';
  t.same(await run('watch', jobs.done), { status: 3, stdout: line, stderr: '' }, 'it ended with errors');
  const json = await run('watch', '--json', jobs.done);
  t.match(JSON.parse(json.stdout), { jobId: jobs.done, state: 'done', phases: [{ expected: 3 }, { expected: 2 }] });
  const { value } = await moray.client.getObject(defaultBuckets.job, jobs.running);
  const watching = run('watch', jobs.running);
  const done = { ...value, state: 'done', timeDone: at(9), stats: { nErrors: 0 } };
  await moray.client.putObject(defaultBuckets.job, jobs.running, done);
  const ended = await watching;
  t.equal(ended.status, 0);
  t.match(ended.stdout, /(^|\n)done, phase 0 0\/0, 0 outputs, 0 errors, 0 retries\n$/);
  const missing = await run('watch', 'nobody');
  t.equal(missing.status, 1);
  t.match(missing.stderr, /^mrjob: job "nobody": failed to watch: failed to fetch job: /);
});

t.test('watch, as a picture', async (t) => {
  const now = Date.parse('2026-03-01T10:01:40.000Z');
  const progress = {
    jobId: 'J',
    name: 'words',
    state: 'running',
    timeCreated: '2026-03-01T10:00:00.000Z',
    timeDone: null,
    isCancelled: false,
    isInputOpen: false,
    phases: [
      { type: 'map', expected: 80, dispatched: 60, committed: 40 },
      { type: 'reduce', expected: 1, dispatched: 1, committed: 0 },
    ],
    outputs: 0,
    errors: 2,
    retries: 1,
  } as const;
  const looks = [
    { atMs: now - 10_000, committed: 20 },
    { atMs: now, committed: 40 },
  ];
  t.same(picture(progress, looks, now), [
    'job J (words)',
    'running for 1m40.000s, about 20s left',
    `phase 0 map    [${'█'.repeat(20)}${'▒'.repeat(10)}${'·'.repeat(10)}] 40/80`,
    `phase 1 reduce [${'▒'.repeat(40)}] 0/1`,
    '0 outputs   2 errors   1 retries   2.0 tasks/s',
  ]);
  const [, open] = picture({ ...progress, isInputOpen: true }, looks, now);
  t.equal(open, 'running, input open for 1m40.000s', 'no end can be told');
});
