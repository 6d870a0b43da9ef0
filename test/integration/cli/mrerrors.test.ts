/** What mrerrors and mrerrorsummary print, compared as a whole. */
import fs from 'node:fs';
import t from 'tap';
import { ensureBuckets } from '../../../src/bus/ensure-buckets.js';
import { systemClock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { domain, jobs, putJobRecords } from '../../support/job-records.js';
import { startTestMoray } from '../../support/moray.js';
import { commandWith } from '../../support/mrjob.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const moray = await startTestMoray(t);
await ensureBuckets({ moray: moray.client, buckets: defaultBuckets, clock: systemClock, log });
await putJobRecords(moray.client);
const env = { MORAY_URL: moray.url, TMPDIR: t.testdir() };
const run = commandWith('mrerrors', env);

const summary = `Failures by count
        2 non-retried errors
        2 retries
        0 unclassified errors

Non-retried errors
     1  ResourceNotFoundError
           1  no such object: "..." (INTERNAL)
     1  UserTaskError
           1  user command exited with code 1 (INTERNAL)

Retried errors
     2  InternalError
           1  
           1  gone
`;
const fetching = `Fetching count of successful tasks ... 2
Fetching count of failed tasks ... 1
Fetching errors ... 4
`;
const report = (title: string) => `${fetching}Marlin error report: ${title}
        2 tasks ok
        1 tasks failed

${summary}`;

const taskId = 'b0000000-0000-4000-8000-000000000009';
const putTask = (jobId: string, more: object) =>
  moray.client.putObject(defaultBuckets.task, taskId, { jobId, taskId, domain, phaseNum: 0, ...more });

t.test('a job', async (t) => {
  const expected = { status: 0, stdout: report(`job ${jobs.done}`), stderr: '' };
  t.same(await run('-j', jobs.done), expected);
  await moray.client.delObject(defaultBuckets.error, 'f0000000-0000-4000-8000-000000000004');
  t.same(await run('-j', jobs.done), expected, 'again, from what was kept');
  const anew = await run('-f', '-j', jobs.done);
  t.match(anew.stdout, /\nFetching errors \.\.\. 3\n/);
  t.match(anew.stdout, /\n {5}1 {2}InternalError\n/);
  const { status, stdout, stderr } = await run('--json', '-j', jobs.done);
  t.equal(status, 0);
  t.match(stderr, /^Fetching count/);
  t.match(JSON.parse(stdout), {
    title: `job ${jobs.done}`,
    tasks: { ok: 2, failed: 1 },
    counts: { final: 2, retried: 1, unclassified: 0 },
    final: { UserTaskError: { 'user command exited with code 1 (INTERNAL)': 1 } },
  });
});

t.test('nothing is kept of a job that is not done', async (t) => {
  const reported = () => run('-j', jobs.running);
  t.match((await reported()).stdout, /\n {8}0 tasks ok\n {8}0 tasks failed\n/);
  await putTask(jobs.running, { state: 'dispatched' });
  t.match(
    (await reported()).stdout,
    /\n {8}0 tasks ok\n {8}0 tasks failed\n/,
    'a task that is not done has not failed',
  );
  await putTask(jobs.running, { state: 'done', result: 'fail' });
  const { stdout } = await reported();
  t.match(stdout, /\n {8}0 tasks ok\n {8}1 tasks failed\n/, 'asked anew');
  const { value: job } = await moray.client.getObject(defaultBuckets.job, jobs.running);
  await moray.client.putObject(defaultBuckets.job, jobs.running, { ...job, state: 'done' });
  t.equal((await reported()).stdout, stdout);
  await moray.client.delObject(defaultBuckets.task, taskId);
  t.equal((await reported()).stdout, stdout, 'from what was kept once it was done');
});

t.test('a job that is not there', async (t) => {
  const missing = { status: 1, stdout: '', stderr: 'mrerrors: job "missing" not found\n' };
  t.same(await run('-j', 'missing'), missing);
  t.same(await run('-j', 'missing'), missing, 'nothing was kept');
  const done = await run('-j', jobs.done);
  const { value: job } = await moray.client.getObject(defaultBuckets.job, jobs.done);
  await moray.client.delObject(defaultBuckets.job, jobs.done);
  t.same(await run('-j', jobs.done), done, 'but was here when it was');
  await moray.client.putObject(defaultBuckets.job, jobs.done, job);
});

t.test('all jobs, and a span of time', async (t) => {
  t.match((await run('-a')).stdout, /\nMarlin error report: all jobs\n {8}2 tasks ok\n/);
  t.match(
    (await run('2026-01-01', '2099-01-01T01:02:00.000Z')).stdout,
    /\nMarlin error report: 2026-01-01T00:00:00\.000Z to 2099-01-01T01:02:00\.000Z \(639913h02m\)\n {8}2 tasks ok\n/,
  );
  const { stdout } = await run('2001-01-01T00:00:00Z', '2001-01-01T00:10:00Z');
  t.match(stdout, / \(10m\)\n {8}0 tasks ok\n {8}0 tasks failed\n\nFailures by count\n {8}0 non-retried errors\n/);
  const kept = fs.readdirSync(`${env.TMPDIR}/mrerrors_data`).filter((name) => name.endsWith('.json'));
  t.equal(kept.length, 9, 'three files each of two jobs and of the span that is over');
});

t.test('what is not over is asked anew', async (t) => {
  for (const args of [['-a'], ['2026-01-01', '2099-01-01']]) {
    t.match((await run(...args)).stdout, /\n {8}2 tasks ok\n {8}1 tasks failed\n/);
    await putTask(jobs.running, { state: 'done', result: 'ok' });
    t.match((await run(...args)).stdout, /\n {8}3 tasks ok\n {8}1 tasks failed\n/);
    await moray.client.delObject(defaultBuckets.task, taskId);
  }
});

t.test('what is refused', async (t) => {
  // biome-ignore format: table
  const wrong: readonly (readonly [status: number, args: readonly string[], complaint: string])[] = [
    [2, ['-a', '-j', 'x'],              'only one of -j or -a may be used'],
    [2, ['-j', 'x', '2026', '2027'],    '-j is not compatible with time arguments'],
    [2, ['-a', '2026'],                 '-a is not compatible with time arguments'],
    [2, ['-j', '../x'],                 '"../x" is no job id'],
    [1, ['soon', '2026'],               'start time not valid'],
    [1, ['2026', 'later'],              'end time not valid'],
    [1, ['2027', '2026'],               'start time is after end time'],
  ];
  for (const [status, args, complaint] of wrong) {
    const ran = await run(...args);
    t.equal(ran.status, status, complaint);
    t.match(ran.stderr, `mrerrors: ${complaint}\n`);
  }
  t.match(await run(), { status: 2, stderr: /^usage: mrerrors \[-a\] \[-j jobid\] .*\[start end\]\n$/ });
  const nowhere = commandWith('mrerrors', { ...env, TMPDIR: '/dev/null' });
  t.match(await nowhere('-a'), { status: 1, stderr: /^mrerrors: failed to create cache directory: / });
  const away = commandWith('mrerrors', { TMPDIR: env.TMPDIR });
  t.match(await away('-f', '-a', '-m', 'tcp://127.0.0.1:1'), { status: 1, stderr: /^mrerrors: failed to connect: / });
});

t.test('mrerrorsummary', async (t) => {
  const summarised = (...lines: readonly string[]) => commandWith('mrerrorsummary', {}, lines.join('\n'))();
  const error = (errorCode: string, errorMessage: string, more: object = {}) =>
    JSON.stringify({ bucket: 'b', value: { errorCode, errorMessage, retried: 'FALSE', ...more } });
  const asset = 'error retrieving asset "/w/stor/a" (status code 404)';
  const ran = await summarised(
    error('TaskInitError', `failed to dispatch task: first of 2 errors: ${asset}`),
    error('TaskInitError', `failed to dispatch task: first of 1 error: ${asset.replace('/a"', '/b"')}`),
    error('ResourceNotFoundError', 'failed to load object {"task":1}'),
    error('AuthorizationError', 'permission denied: "/w/a /w/a"', { input: '/w/a' }),
    error('A', 'killed', { retried: true }),
    error('A', 'unknown', { retried: undefined }),
    JSON.stringify({ errorCode: 'B', errorMessage: 'bare', retried: 'true' }),
    '',
  );
  t.same(ran, {
    status: 0,
    stderr: '',
    stdout: `Failures by count
        4 non-retried errors
        2 retries
        1 unclassified errors

Non-retried errors
     1  AuthorizationError
           1  permission denied: "... /w/a"
     1  ResourceNotFoundError
           1  failed to load object ... 
     2  TaskInitError
           2  failed to dispatch task: ... error retrieving asset "..." (status code 404)

Retried errors
     1  A
           1  killed
     1  B
           1  bare
`,
  });
  t.match(await summarised('{}', 'x'), { status: 1, stderr: /^mrerrorsummary: line 2: .+\n$/ });
});
