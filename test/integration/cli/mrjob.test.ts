/** What mrjob prints, compared as a whole: operators' scripts read it. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ensureBuckets } from '../../../src/bus/ensure-buckets.js';
import { systemClock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { domain, fred, jobs, putJobRecords, tasks, wilma } from '../../support/job-records.js';
import { startTestMoray } from '../../support/moray.js';
import { mrjobWith, now, type Ran } from '../../support/mrjob.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const moray = await startTestMoray(t);
await ensureBuckets({ moray: moray.client, buckets: defaultBuckets, clock: systemClock, log });
await putJobRecords(moray.client);
const run = mrjobWith({ MORAY_URL: moray.url });

const printed = (...lines: readonly string[]): Ran => ({
  status: 0,
  stdout: lines.map((line) => `${line}\n`).join(''),
  stderr: '',
});

async function jobValue(jobId: string): Promise<Record<string, unknown>> {
  return (await moray.client.getObject(defaultBuckets.job, jobId)).value;
}

t.test('list', async (t) => {
  const header = 'JOBID                                LOGIN          S NOUT NERR NRET NDISP NCOMM';
  const rows = {
    running: `${jobs.running} wilma          R   12    0    0    40    13`,
    waiting: `${jobs.waiting} fred          WQ    -    -    0     -     -`,
    cancelled: `${jobs.cancelled} wilma         CR   12    0    0    40    13`,
    done: `${jobs.done} wilma          D    2    2    1     4     3`,
    queued: `${jobs.queued} wilma          Q    -    -    0     -     -`,
    open: `${jobs.open} wilma         WR   12    0    0    40    13`,
  };
  t.same(await run('list'), printed(header, rows.running, rows.cancelled, rows.open), 'running ones by default');
  t.same(await run('list', '-s', 'all'), printed(header, ...Object.values(rows)));
  t.same(await run('list', '-Hs', 'queued'), printed(rows.waiting, rows.queued));
  t.same(await run('list', '-H', '-s', 'done'), printed(rows.done));
  t.match(await run('list', '-s', 'bogus'), {
    status: 2,
    stdout: '',
    stderr: /^mrjob: invalid state for -s: "bogus" \(one of queued, running, done, all\)\nusage: /,
  });
  t.same(await run('list', '-Hc'), printed(rows.cancelled));
  t.same(await run('list', '-HT', '-s', 'all'), printed(rows.running), 'jobs that say that they are not transient');
  t.same(await run('list', '-H', '-s', 'all', '-u', fred), printed(rows.waiting));
  t.same(await run('list', '-H', '-u', 'a b)'), await run('list', '-H'), 'an impossible owner is ignored');
  t.same(await run('list', '-H', '-w', domain), printed(rows.running, rows.cancelled));
  t.same(await run('list', '-H', '-t', '3900'), printed(rows.done), 'done within 65 minutes, in any state');
  t.same(await run('list', '-t', '3800'), printed(), 'without rows no header');
  t.same(await run('list', '-t', '3900', '-s', 'running'), printed(), 'a later state counts');
});

t.test('list -o', async (t) => {
  t.same(
    await run('list', '-w', 'other', '-o', 'JobName,user,Worker,S'),
    printed(`${'a name of more than thirty-six charac'.slice(0, 36)} ${wilma} ${'other'.padEnd(36)}  WR`),
  );
  t.same(
    await run('list', '-s', 'done', '-o', 'assigned,cancelled,created', '-o', 'done,inputdone'),
    printed(
      [
        '2026-03-01T10:54:59.760Z',
        `-${' '.repeat(23)}`,
        '2026-03-01T10:54:59.750Z',
        '2026-03-01T10:55:41.257Z',
        '2026-03-01T10:55:00.000Z',
      ].join(' '),
    ),
  );
  t.same(await run('list', '-s', 'done', '-o', 'nassigns,ninread,nph,ntasks'), printed('   1       3   2      4'));
  t.same(await run('list', '-s', 'done', '-o', 'NASGN,LOGIN'), printed('   1 wilma       '), 'headers do as well');
  t.match((await run('list', '-s', 'done', '-o', 'mtime')).stdout, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n$/);
  const refused = await run('list', '-o', 'jobid,color,size');
  t.equal(refused.status, 2);
  t.match(refused.stderr, /^mrjob: invalid fields specified with -o: color, size\nusage: mrjob list /);
});

t.test('get', async (t) => {
  const head = [
    `       Job ${jobs.done}`,
    '  Job name nightly word totals',
    `      User wilma (${wilma})`,
    '     State done',
    `Supervisor ${domain}`,
    '   Created 2026-03-01T10:54:59.750Z (1h05m00.250s ago)',
    '      Done 2026-03-01T10:55:41.257Z (41.507s total)',
    '  Archived 2026-03-01T10:56:59.760Z (1h03m00.240s ago)',
    '  Progress 3 inputs read, 4 tasks dispatched, 3 tasks committed',
    '   Results 2 outputs, 2 errors, 1 retries',
    '   Pending 0 uncommitted done, 2 intermediate objects',
  ];
  const phases = ['   Phase 0 map', '   Phase 1 reduce (2)'];
  const warnings = [
    'WARN: found 2 retries, but job reports 1 retries',
    'WARN: found 3 outputs, but job reports 2 outputs',
    '     Error phase 0: no such object: "/wilma/stor/gone"',
    `${' '.repeat(15)}(internal: not in Moray)`,
    '',
  ];
  t.same(await run('get', jobs.done), printed(...head, ...phases, ...warnings));
  t.same(
    await run('get', '-ip', jobs.done),
    printed(
      ...head,
      '   Phase 0 map',
      '     asset /wilma/stor/one',
      '     asset /wilma/stor/two',
      '      init "true"',
      '      exec "grep \\"x\\""',
      '   Phase 1 reduce (2)',
      '      exec "wc"',
      '    Inputs /wilma/stor/a.txt',
      '           /wilma/stor/b.txt',
      '           /wilma/stor/gone',
      ...warnings,
    ),
  );
  t.same(
    await run('get', '-t', jobs.done),
    printed(
      ...head,
      ...phases,
      ...warnings,
      '',
      'TASKID                                PH    S RSLT NOUT',
      `${tasks.a}   0 done   ok    2`,
      '     Input /wilma/stor/a.txt',
      '    Output /wilma/jobs/x',
      '   Outputs 2 total outputs',
      '',
      `${tasks.b}   0 done fail    0`,
      '     Input /wilma/stor/b.txt',
      '     Error user command exited with code 1',
      `${' '.repeat(15)}internal error: exited 1`,
      '    stderr /wilma/jobs/stderr',
      '',
      `${tasks.reduce}   1 done   ok    3`,
      '    Inputs 1 found, 2 total inputs',
      '     Input /wilma/jobs/x',
      '    Output /wilma/jobs/out.1',
      '    Output /wilma/jobs/out.2',
      '   Outputs 3 total outputs',
      '',
      `${tasks.dispatched}   1  acc    -    0`,
      '    Inputs 0 found',
      '    Output /wilma/jobs/lost',
    ),
  );
  t.same(
    await run('get', '-i', '-l', '2', jobs.done),
    printed(
      ...head.slice(0, -1),
      ...phases,
      '    Inputs /wilma/stor/a.txt',
      '           /wilma/stor/b.txt',
      '           ...',
      ...warnings.slice(2, -1),
      '           ...',
      '',
    ),
    'and no more than was asked for',
  );
  t.same(
    await run('get', jobs.waiting),
    printed(
      `       Job ${jobs.waiting}`,
      `      User fred (${fred})`,
      '     State queued',
      'Supervisor -',
      '   Created 2026-03-01T10:54:59.750Z (1h05m00.250s ago)',
      '  Progress 0 inputs read, 0 tasks dispatched, 0 tasks committed',
      '   Results 0 outputs, 0 errors, 0 retries',
      '   Pending 0 uncommitted done, 0 intermediate objects',
      '   Phase 0 map',
      'NOTE: Job is waiting for user input',
    ),
    'also when nobody has the job yet',
  );
  t.match((await run('get', jobs.cancelled)).stdout, /\nNOTE: Cancelled at 2026-03-01T10:55:01\.000Z\n$/);
  const missing = await run('get', 'missing');
  t.equal(missing.status, 1);
  t.match(missing.stderr, /^mrjob: failed to fetch job: failed to fetch job: .*missing.*\n$/);
  const limit = await run('get', '-l', '0', jobs.done);
  t.equal(limit.status, 2);
  t.match(limit.stderr, /^mrjob: value "0" for -l is not a positive integer\nusage: mrjob get /);
});

t.test('lists of one job', async (t) => {
  t.same(
    await run('where', jobs.done),
    printed(
      'TASKID                               PH       NIN SERVER                        ',
      `${tasks.dispatched}  1         ? 3.cn.example.com              `,
    ),
  );
  t.same(await run('inputs', jobs.done), printed('/wilma/stor/b.txt', '/wilma/stor/a.txt', '/wilma/stor/gone'));
  t.same(await run('outputs', jobs.done), printed('/wilma/jobs/out.1', '/wilma/jobs/out.2'));
  t.same(
    await run('errors', jobs.done),
    printed(
      'phase 0: input "/wilma/stor/gone": no such object: "/wilma/stor/gone"',
      'phase 0: input "/wilma/stor/b.txt": user command exited with code 1',
      '    (see /wilma/jobs/stderr)',
    ),
  );
  t.same(await run('retries', jobs.done), printed('phase 1: reduce: unknown error (retried)'));
  t.same(await run('failed', jobs.done), printed('/wilma/stor/gone', '/wilma/stor/b.txt'));
  for (const command of ['where', 'inputs', 'errors', 'retries', 'failed', 'log'])
    t.same(
      await run(command, 'missing'),
      { status: 1, stdout: '', stderr: 'mrjob: job "missing" not found\n' },
      command,
    );
  for (const command of ['where', 'inputs', 'errors', 'retries', 'failed'])
    t.same(await run(command, jobs.queued), printed(), `${command} of a job that has none`);
  const missing = await run('outputs', 'missing');
  t.equal(missing.status, 1);
  t.match(missing.stderr, /^mrjob: job "missing": failed to fetch: failed to fetch job: /);
});

t.test('log', async (t) => {
  const line = (time: string, since: string, where: string, message: string, what: string) =>
    `03-01T${time} ${since.padStart(8)} ${where.padEnd(11)} ${message.padEnd(12)} ${what.padEnd(11)}`;
  t.same(
    await run('log', jobs.done),
    printed(
      'TIMESTAMP           JOBTIME WHERE       MESSAGE      WHAT       ',
      line('10:54:59.750', '0.000s', 'user', 'submitted', 'job'),
      line('10:54:59.760', '0.010s', 'marlin', 'assigned', 'job'),
      line('10:55:00.000', '0.250s', 'user', 'input done', 'job'),
      line('10:55:02.000', '2.250s', 'marlin', 'dispatched', 'ph0 "/wilma/stor/b.txt"'),
      line('10:55:02.000', '2.250s', 'marlin', 'dispatched', 'ph0 "/wilma/stor/a.txt"'),
      line('10:55:02.000', '2.250s', 'marlin', 'dispatched', `ph1 ${tasks.reduce}`),
      line('10:55:02.000', '2.250s', 'marlin', 'dispatched', `ph1 ${tasks.dispatched}`),
      line('10:55:02.150', '2.400s', '2dc68d18...', 'started', 'ph0 "/wilma/stor/b.txt"'),
      line('10:55:03.000', '3.250s', '2dc68d18...', 'done', 'ph0 "/wilma/stor/b.txt"'),
      line('10:55:03.100', '3.350s', 'marlin', 'committed', 'ph0 "/wilma/stor/b.txt"'),
      line('10:55:04.000', '4.250s', 'marlin', 'committed', 'ph0 "/wilma/stor/a.txt"'),
      line('10:55:04.500', '4.750s', 'marlin', 'all input ready', `ph1 ${tasks.reduce}`),
      line('10:55:05.000', '5.250s', 'marlin', 'committed', `ph1 ${tasks.reduce}`),
      line('10:55:41.257', '41.507s', 'marlin', 'done', 'job'),
    ),
  );
});

t.test('addkeys', async (t) => {
  t.same(await run('addkeys', 'later'), printed());
  const { stdout, ...rest } = await run('addkeys', 'later', '/wilma/stor/a', '-x', '/wilma/stor/b');
  t.same(rest, { status: 0, stderr: '' });
  t.same(stdout.split('\n').sort(), ['', '-x', '/wilma/stor/a', '/wilma/stor/b']);
  const stored = [];
  for await (const { value } of moray.client.findObjects(defaultBuckets.jobinput, '(jobId=later)')) stored.push(value);
  t.equal(stored.length, 3);
  for (const record of stored) t.match(record, { jobId: 'later', timeCreated: now, domain: undefined });
});

t.test('endinput and cancel', async (t) => {
  t.same(await run('endinput', jobs.open), printed());
  t.equal((await jobValue(jobs.open))['timeInputDone'], now);
  t.same(await run('endinput', jobs.open), { ...printed(), stderr: "warning: job's input already ended\n" });
  t.same(await run('cancel', jobs.open), printed());
  t.equal((await jobValue(jobs.open))['timeCancelled'], now);
  t.same(await run('cancel', jobs.open), { ...printed(), stderr: 'warning: job already cancelled\n' });
  t.same(await run('cancel', jobs.done), { ...printed(), stderr: 'warning: job already done\n' });
  t.same(await run('endinput', jobs.done), {
    ...printed(),
    stderr: "warning: job's input already ended\nwarning: job already cancelled\nwarning: job already done\n",
  });
  const missing = await run('cancel', 'missing');
  t.equal(missing.status, 1);
  t.match(missing.stderr, /^mrjob: failed to fetch job: .*missing/);
});

t.test('delete', async (t) => {
  t.same(await run('delete', jobs.done), printed());
  for (const bucket of ['job', 'jobinput', 'task', 'taskinput', 'taskoutput', 'error'] as const)
    for await (const { key } of moray.client.findObjects(defaultBuckets[bucket], `(jobId=${jobs.done})`)) t.fail(key);
  t.equal((await run('list', '-H', '-s', 'all')).stdout.split('\n').length, 6, 'nothing else is gone');
  const missing = await run('delete', jobs.done);
  t.equal(missing.status, 1);
  t.match(missing.stderr, `mrjob: job "${jobs.done}": failed to delete: failed to delete job: `);
});

t.test('--json prints what the sentences are made from', async (t) => {
  const json = async (...args: readonly string[]): Promise<Record<string, unknown>[]> => {
    const { status, stdout } = await run(...args);
    t.equal(status, 0, args.join(' '));
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  };
  t.match(await json('list', '--json'), [{ jobId: jobs.running }, { jobId: jobs.cancelled }, { jobId: jobs.open }]);
  const { waiting } = jobs;
  await run('addkeys', waiting, '/fred/stor/a');
  t.match(await json('inputs', '--json', waiting), [{ jobId: waiting, input: '/fred/stor/a' }]);
  t.match(await json('get', '--json', waiting), [{ job: { value: { jobId: waiting } }, jobinput: [{}], task: [] }]);
  t.match(await json('log', '--json', waiting), [{ where: 'user', message: 'submitted', what: 'job' }]);
  for (const command of ['where', 'outputs', 'errors', 'retries', 'failed']) {
    t.same(await json(command, '--json', waiting), [], command);
  }
});

t.test('wrong usage', async (t) => {
  const oneJob = [
    'get',
    'where',
    'endinput',
    'cancel',
    'delete',
    'inputs',
    'outputs',
    'errors',
    'retries',
    'failed',
    'log',
  ];
  for (const command of oneJob) {
    for (const args of [[], ['a', 'b']]) {
      const { status, stdout, stderr } = await run(command, ...args);
      t.same([status, stdout], [2, ''], `${command} ${args.join(' ')}`);
      t.match(stderr, new RegExp(`^usage: mrjob ${command} .*jobid\n$`));
    }
  }
  const cases: readonly (readonly [args: readonly string[], complaint: string])[] = [
    [['list', '-z'], 'illegal option -- z'],
    [['list', '--color'], 'illegal option -- color'],
    [['list', '-s'], 'option requires an argument -- s'],
    [['list', '-t', '0'], 'argument for "-t" must be a non-negative integer'],
    [['list', '-t', '3900s'], 'argument for "-t" must be a non-negative integer'],
    [['list', '-t', 'x'], 'argument for "-t" must be a non-negative integer'],
  ];
  for (const [args, complaint] of cases) {
    const { status, stderr } = await run(...args);
    t.equal(status, 2, args.join(' '));
    t.equal(stderr.split('\n')[0], `mrjob: ${complaint}`);
    t.match(stderr, /\nusage: mrjob list \[-H\] \[-o f1\[,f2\.\.\.\]\] /);
  }
  t.equal((await run('list', 'extra')).status, 2);
  t.equal((await run('addkeys')).status, 2);
  for (const args of [[], ['rm']]) {
    const { status, stderr } = await run(...args);
    t.equal(status, 2);
    t.match(stderr, /^usage:\n {4}mrjob list /);
  }
  for (const flag of ['-h', '-?', '--help']) {
    const { status, stdout, stderr } = await run(flag);
    t.same([status, stdout], [2, '']);
    t.match(stderr, /Columns for "list -o": .*jobid.*\n/);
    t.same(await run('where', flag), {
      status: 2,
      stdout: '',
      stderr: `usage: mrjob where [--json] jobid
    Shows where the tasks of a job are that are not done.
        --json      One JSON object per line.
`,
    });
  }
});

t.test('where Moray is', async (t) => {
  for (const url of [`tcp://localhost:${moray.port}/`, `localhost:${moray.port}`, `tcp://127.0.0.1:${moray.port}`]) {
    t.same(await mrjobWith({ MORAY_URL: url })('inputs', jobs.queued), printed(), url);
  }
});

const main = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url));

function mrjobProcess(env: NodeJS.ProcessEnv, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'mrjob', ...args], { env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

t.test('standard output that takes nothing', async (t) => {
  const marlin = fileURLToPath(new URL('../../../src/standalone/main.js', import.meta.url));
  const env = { MORAY_URL: moray.url, TMPDIR: t.testdir() };
  // biome-ignore format: table
  const commands: readonly (readonly [name: string, ...command: string[]])[] = [
    ['mrjob',    main, 'mrjob', 'list', '-s', 'all'],
    ['mrerrors', main, 'mrerrors', '-a'],
    ['marlin',   marlin, 'config', 'reference'],
    ['marlin',   marlin, 'status', '--data', t.testdirName],
  ];
  const full = fs.openSync('/dev/full', 'w');
  t.teardown(() => fs.closeSync(full));
  for (const [name, ...command] of commands) {
    const { status, stderr } = spawnSync(process.execPath, command, {
      env,
      encoding: 'utf8',
      stdio: ['ignore', full, 'pipe'],
    });
    t.same({ status, stderr }, { status: 1, stderr: `${name}: standard output: No space left on device\n` });
    const unread = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    unread.stdout.destroy();
    const [said, [code]] = await Promise.all([text(unread.stderr), once(unread, 'close')]);
    t.same({ code, said }, { code: 0, said: '' }, `${name}: whoever read it has seen enough`);
  }
});

t.test('the process', async (t) => {
  t.match(mrjobProcess({ MORAY_URL: moray.url }, 'list', '-H', '-s', 'done'), printed());
  const unused = await freePort();
  const refused = mrjobProcess({ MORAY_URL: `tcp://127.0.0.1:${unused}` }, 'list');
  t.equal(refused.status, 1);
  t.match(refused.stderr, /^mrjob: failed to connect: .+\n$/);
  const nowhere = mrjobProcess({ MORAY_URL: 'tcp://nowhere.invalid:2020' }, 'list');
  t.equal(nowhere.status, 1);
  t.match(nowhere.stderr, /^mrjob: failed to connect: .*nowhere\.invalid.*\n$/);
  t.equal(mrjobProcess({}, 'list', '-z').status, 2, 'before a connection is made');
});

t.test('without MORAY_URL', async (t) => {
  if (await listens(2020)) {
    t.comment('something listens on port 2020: it is left alone');
    return;
  }
  const { status, stderr } = mrjobProcess({}, 'list');
  t.equal(status, 1);
  t.match(stderr, /^mrjob: failed to connect: .*tcp:\/\/localhost:2020.*\n$/);
});

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, 'localhost');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
