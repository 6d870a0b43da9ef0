/** The activity report: its stages over rows of a dump, and the whole over a real Moray. */
import t from 'tap';
import { ensureBuckets } from '../../../src/bus/ensure-buckets.js';
import { systemClock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { putJobRecords } from '../../support/job-records.js';
import { startTestMoray } from '../../support/moray.js';
import { commandWith } from '../../support/mrjob.js';

const job = (jobId: string, login: string, more: object = {}) => ({
  __table: 'marlin_jobs_v2',
  _value: { jobId, owner: `uuid-${login}`, auth: { login }, timeCreated: '2026-03-01T10:00:00.000Z', ...more },
});
const task = (jobId: string, more: object = {}) => ({
  __table: 'marlin_tasks_v2',
  timecommitted: '2026-03-01T10:30:00.000Z',
  _value: { jobId, result: 'ok', ...more },
});
const error = (jobId: string, more: object) => ({
  __table: 'marlin_errors_v2',
  _value: { jobId, timeCommitted: '2026-03-01T10:30:00.000Z', errorCode: 'UserTaskError', ...more },
});
const rows = [
  job('a', 'wilma'),
  job('b', 'fred'),
  job('early', 'wilma', { timeDone: '2026-03-01T09:00:00.000Z' }),
  ...Array.from({ length: 9 }, () => task('a')),
  task('a', { result: 'fail', wantRetry: 'true' }),
  task('a', { result: 'fail', wantRetry: true }),
  task('b', { result: 'fail' }),
  task('b', { timeCommitted: '2026-03-01T11:00:00.000Z' }),
  task('gone'),
  error('b', { errorMessage: 'no "/x"', input: '/x', retried: 'false' }),
  error('a', { errorMessage: 'killed', errorCode: 'TaskKilledError', retried: 'true' }),
  error('a', { errorMessage: 'killed', errorCode: 'TaskKilledError', retried: true }),
];
const span = ['2026-03-01T10:00:00Z', '2026-03-01T11:00:00Z'];
const input = [...rows.map((row) => JSON.stringify(row)), 'no JSON', '{"__table":"other"}'].join('\n');

const report = `SUMMARY
        13 total tasks
        10     tasks ok
         2     tasks failed that could be retried
         1     tasks failed with non-retryable errors
         1 total errors
         2 total retries

ERRORS BY CAUSE
         1 UserTaskError           
         1     no "..."

RETRIES BY CAUSE
         2 TaskKilledError         
         2     killed

SUMMARY BY USER
wilma                              11 tasks      2 retries      0 errors
fred                                1 tasks      0 retries      1 errors
`;

t.test('stages', async (t) => {
  const counted = await commandWith('mrereport-count.js', {}, input)(...span);
  t.equal(counted.status, 0);
  t.match(
    counted.stderr,
    /^mrereport-count\.js: line 21: .+\nmrereport-count\.js: line 22: unexpected table: "other"\n$/,
  );
  t.match(JSON.parse(counted.stdout), { jobs: { a: 'uuid-wilma', b: 'uuid-fred' }, nwarnings: 2 });
  const summed = await commandWith('mrereport-sum.js', {}, counted.stdout)();
  t.match(JSON.parse(summed.stdout), { tasks: { a: { ok: 9, retryable: 2, fatal: 0 } }, warnings: 2 });
  const twice = await commandWith('mrereport-sum.js', {}, counted.stdout.repeat(2))();
  t.match(JSON.parse(twice.stdout), { tasks: { a: { ok: 18 } }, errors: { b: { fatal: { UserTaskError: {} } } } });
  t.same(await commandWith('mrereport-report.js', {}, summed.stdout)(), {
    status: 0,
    stdout: report,
    stderr: 'warn:  task info for unknown job: "gone"\n',
  });
  const byUser = await commandWith('mrereport-report.js', {}, summed.stdout)('-u');
  t.match(byUser.stdout, /\nERROR DETAILS BY USER\nwilma .*\nfred .*\n {9}1 UserTaskError/);
  t.equal((await commandWith('mrereport-report.js', {}, summed.stdout)('-j')).stdout, summed.stdout);
  t.match(await commandWith('mrereport-count.js', {}, '')('2026'), { status: 2, stderr: /^usage: / });
  t.match(await commandWith('mrereport-sum.js', {}, 'x')(), {
    status: 1,
    stderr: /^mrereport-sum.js: input is not what/,
  });
});

t.test('over the records', async (t) => {
  const moray = await startTestMoray(t);
  const log = createLogger({ name: 'test', level: 'fatal' });
  await ensureBuckets({ moray: moray.client, buckets: defaultBuckets, clock: systemClock, log });
  await putJobRecords(moray.client);
  const run = commandWith('mrereport', { MORAY_URL: moray.url, TMPDIR: t.testdir() });
  const scanned =
    'requested interval: 2026-03-01T10:00:00.000Z to 2026-03-01T12:00:00.000Z\n' +
    '(will scan activity between 2026-03-01T10:00:00.000Z and 2026-03-01T12:00:00.000Z)\n';
  const expected = `SUMMARY
         3 total tasks
         2     tasks ok
         0     tasks failed that could be retried
         1     tasks failed with non-retryable errors
         2 total errors
         1 total retries

ERRORS BY CAUSE
         1 ResourceNotFoundError   
         1     no such object: "..." (INTERNAL)
         1 UserTaskError           
         1     user command exited with code 1 (INTERNAL)

RETRIES BY CAUSE
         1 InternalError           
         1     

SUMMARY BY USER
wilma                               3 tasks      1 retries      2 errors
`;
  t.same(await run('2h'), { status: 0, stdout: expected, stderr: scanned });
  t.same(await run('2h'), { status: 0, stdout: expected, stderr: `${scanned}using cached results\n` });
  t.match((await run('yesterday')).stderr, /2026-02-28T00:00:00\.000Z and 2026-03-01T00:00:00\.000Z\)/);
  t.match((await run('2026-03-01T10:10:00Z', '2026-03-01T10:50:00Z')).stderr, /10:00:00\.000Z and 2026-03-01T11:00/);
  // biome-ignore format: table
  const wrong: readonly (readonly [status: number, args: readonly string[], complaint: string])[] = [
    [2, ['tomorrow'],       'unsupported interval: "tomorrow"'],
    [2, ['3y'],             'unsupported interval unit: "y"'],
    [1, ['0h'],             'interval invalid or too short'],
    [1, ['x', '2026'],      'interval invalid or too short'],
    [1, ['25h'],            'interval too long (max: 24h period)'],
  ];
  for (const [status, args, complaint] of wrong) {
    const ran = await run(...args);
    t.equal(ran.status, status, complaint);
    t.match(ran.stderr, `mrereport: ${complaint}\n`);
  }
});
