/** What mrjob says about the archiver, and ends in an agent's place, compared as a whole. */
import t from 'tap';
import { ensureBuckets } from '../../../src/bus/ensure-buckets.js';
import { systemClock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import { bucketConfigs } from '../../../src/records/bucket-configs.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { domain, jobs, putJobRecords, tasks } from '../../support/job-records.js';
import { startTestMoray } from '../../support/moray.js';
import { mrjobWith, now } from '../../support/mrjob.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const moray = await startTestMoray(t);
await ensureBuckets({ moray: moray.client, buckets: defaultBuckets, clock: systemClock, log });
const run = mrjobWith({ MORAY_URL: moray.url });
const lines = (text: string) => ({ status: 0, stdout: text, stderr: '' });
const jobValue = async (jobId: string) => (await moray.client.getObject(defaultBuckets.job, jobId)).value;
const putJob = async (jobId: string, change: object) =>
  moray.client.putObject(defaultBuckets.job, jobId, { ...(await jobValue(jobId)), ...change });

t.test('archive-status without jobs', async (t) => {
  const { status, stdout } = await run('archive-status');
  t.equal(status, 0);
  t.match(stdout, /^TOTAL JOBS {18}0\n/);
  t.match(stdout, /\n\nNEXT JOB TO DELETE: none\n\nLAST JOB ARCHIVED: none\n\n/);
  t.match(stdout, /JOBS AWAITING ARCHIVE COMPLETION \(0 jobs, 0 oldest shown\)\n\n$/);
});

const expected = `TOTAL JOBS                  6
    queued or running:      2 (waiting for job completion)
    done, unassigned:       1 (waiting for wrasse assignment)
    done, assigned:         1 (waiting for wrasse archival)
    done, archived:         2 (waiting for expiration, then wrasse deletion)

NEXT JOB TO DELETE: archived at  2026-03-01T10:56:59.760Z (1h03m00.240s ago)
                             job ${jobs.done}

LAST JOB ARCHIVED:           at  2026-03-01T11:59:58.500Z (   1.500s ago)
                             job ${jobs.running}

JOBS AWAITING ASSIGNMENT (1 jobs, 1 oldest shown)
${jobs.cancelled} (job done: 2026-03-01T11:00:00.000Z)

JOBS AWAITING ARCHIVE COMPLETION (1 jobs, 1 oldest shown)
${jobs.open} (job done: 2026-03-01T11:30:00.000Z)

`;

t.test('archive-status', async (t) => {
  await putJobRecords(moray.client);
  const done = { state: 'done', timeDone: '2026-03-01T11:00:00.000Z' };
  const started = { ...done, wrasse: 'w', timeArchiveStarted: '2026-03-01T11:59:00.000Z' };
  await putJob(jobs.cancelled, done);
  await putJob(jobs.running, { ...started, timeArchiveDone: '2026-03-01T11:59:58.500Z' });
  await putJob(jobs.open, { ...started, timeDone: '2026-03-01T11:30:00.000Z' });
  t.same(await run('archive-status'), lines(expected));
  const json = await run('archive-status', '--json');
  t.equal(json.stdout.split('\n').length, 2, 'one line');
  t.same(JSON.parse(json.stdout), {
    nJobsTotal: 6,
    nJobsDone: 4,
    nJobsArchived: 2,
    nJobsAssigned: 1,
    jobNextDelete: {
      id: jobs.done,
      timeDone: '2026-03-01T10:55:41.257Z',
      timeArchiveStarted: '2026-03-01T10:56:00.000Z',
      timeArchiveDone: '2026-03-01T10:56:59.760Z',
    },
    jobLastArchived: {
      id: jobs.running,
      timeDone: '2026-03-01T11:00:00.000Z',
      timeArchiveStarted: '2026-03-01T11:59:00.000Z',
      timeArchiveDone: '2026-03-01T11:59:58.500Z',
    },
  });
  const scanning =
    'warning: using legacy approach (this is expensive)\nwarning: will scan through all 4 completed jobs\n';
  t.same(await run('archive-status', '-l'), { status: 0, stdout: expected, stderr: scanning });
});

t.test('archive-status of a bucket without the indexes', async (t) => {
  const old = await startTestMoray(t);
  const { index } = bucketConfigs.job;
  const { timeArchiveStarted: _started, wrasse: _wrasse, ...older } = index;
  await old.client.createBucket(defaultBuckets.job, { index: older, options: { version: 1 } });
  for (const jobId of Object.values(jobs)) {
    await old.client.putObject(defaultBuckets.job, jobId, await jobValue(jobId));
  }
  t.same(await mrjobWith({ MORAY_URL: old.url })('archive-status'), {
    status: 0,
    stdout: expected,
    stderr: [
      `warning: archive-related indexes missing on bucket: "${defaultBuckets.job}"`,
      'warning: using legacy approach (this is expensive)',
      'warning: will scan through all 4 completed jobs',
      '',
    ].join('\n'),
  });
  await old.client.delBucket(defaultBuckets.job);
  const { status, stderr } = await mrjobWith({ MORAY_URL: old.url })('archive-status');
  t.equal(status, 1);
  t.match(stderr, /^mrjob: fetching archive status: .*marlin_jobs_v2/);
});

t.test('archive-reset', async (t) => {
  t.same(await run('archive-reset', jobs.open), lines(''));
  const { timeArchiveStarted, wrasse, state } = await jobValue(jobs.open);
  t.same([timeArchiveStarted, wrasse, state], [undefined, undefined, 'done']);
  const refused = (message: string) => ({ status: 1, stdout: '', stderr: `mrjob: ${message}\n` });
  t.same(await run('archive-reset', jobs.done), refused(`job "${jobs.done}": already archived`));
  t.same(
    await run('archive-reset', jobs.queued),
    refused(`job "${jobs.queued}": expected state "done", but found "queued"`),
  );
});

t.test('taskdone', async (t) => {
  const failed = (message: string) => ({ status: 1, stdout: '', stderr: `mrjob: ${message}\n` });
  t.same(await run('taskdone', tasks.a), failed('task is already done'));
  const told = new Promise<string>((resolve) => {
    moray.client.listen(`marlin.domain.${domain}`, resolve, () => {});
  });
  t.same(await run('taskdone', '-o', '12', tasks.dispatched), lines(''));
  const { value } = await moray.client.getObject(defaultBuckets.task, tasks.dispatched);
  t.match(value, { state: 'done', result: 'ok', nOutputs: 12, machine: 'mrjob_fake_machine' });
  t.match(value, { timeDone: now, timeAccepted: now, timeStarted: now });
  const outputs = [];
  const filter = `(&(taskId=${tasks.dispatched})(output=/nobody/stor/nonexistent))`;
  for await (const { value } of moray.client.findObjects(defaultBuckets.taskoutput, filter)) outputs.push(value);
  t.equal(outputs.length, 12);
  t.match(outputs[0], { jobId: jobs.done, phaseNum: 1, domain, timeCreated: now });
  t.equal(await told, 'task', 'and the supervisor is told');
});

t.test('taskdone of a task that failed', async (t) => {
  const again = async () => {
    const { value } = await moray.client.getObject(defaultBuckets.task, tasks.b);
    const { result: _result, machine: _machine, timeCommitted: _committed, ...open } = value;
    await moray.client.putObject(defaultBuckets.task, tasks.b, { ...open, state: 'accepted' });
  };
  const errorOf = async (message: string) => {
    const found = [];
    for await (const { value } of moray.client.findObjects(defaultBuckets.error, `(taskId=${tasks.b})`)) {
      found.push(value);
    }
    return found.find(({ errorMessage }) => errorMessage === message);
  };
  await again();
  t.same(await run('taskdone', '-c', 'MyError', tasks.b), lines(''));
  t.match(await errorOf('aborted by administrator'), {
    errorCode: 'MyError',
    jobId: jobs.done,
    input: '/wilma/stor/b.txt',
    server: '7.cn.example.com',
    prevRecordType: 'task',
    prevRecordId: tasks.b,
  });
  await again();
  t.same(await run('taskdone', '-e', 'my message', tasks.b), lines(''));
  t.match(await errorOf('my message'), { errorCode: 'EJ_MAINT' });
  const { value } = await moray.client.getObject(defaultBuckets.task, tasks.b);
  t.match(value, { state: 'done', result: 'fail' });
  // biome-ignore format: table
  const wrong: readonly (readonly [args: readonly string[], complaint: string])[] = [
    [['-o', 'x'],            'not a positive integer for -o: x'],
    [['-o', '-1'],           'not a positive integer for -o: -1'],
    [['-o', '1', '-c', 'C'], '-o is exclusive with both -c and -e'],
    [['-o', '1', '-e', 'e'], '-o is exclusive with both -c and -e'],
  ];
  for (const [args, complaint] of wrong) {
    const { status, stderr } = await run('taskdone', ...args, tasks.b);
    t.equal(status, 2, args.join(' '));
    t.match(stderr, `mrjob: ${complaint}\nusage: mrjob taskdone `);
  }
});
