import t from 'tap';
import { mapTask, startFakeAgent, startLackey, text, verdict } from '../../support/lackey.js';

const exited = (code: number) => `UserTaskError: user command exited with code ${code}`;
const terminated = (signal: string) => `UserTaskError: user command terminated by ${signal}`;

// biome-ignore format: table
const cases: readonly [exec: string, verdict: string, stdout: string, stderr?: string | RegExp][] = [
  ['wc', 'commit', ' 0  2 11\n'],
  ['true', 'commit', ''],
  ['grep nomatch', exited(1), '', ''],
  ['echo hi; exit 3', exited(3), 'hi\n', ''],
  ['echo hi; echo warn >&2', 'commit', 'hi\n'],
  ['nosuchcmd', exited(127), '', /nosuchcmd: command not found/],
  ['/etc/passwd', exited(126), '', /Permission denied/],
  ['if', exited(2), '', /syntax error/],
  ['exit 256', 'commit', ''],
  ['exit -1', exited(255), '', ''],
  ['false | cat', 'commit', ''],
  ['set -o pipefail; false | cat', exited(1), '', ''],
  ['kill -TERM $$', terminated('SIGTERM'), '', ''],
  ['kill -9 $$', terminated('SIGKILL'), '', ''],
  ["sh -c 'kill -9 $$'", terminated('SIGKILL'), '', ''],
  ["sh -c 'kill -9 $$'; true", 'commit', ''],
  ["cat | sh -c 'kill -9 $$'", exited(137), '', /Killed/],
  ['kill -TERM 0', terminated('SIGTERM'), '', ''], // the shell has a process group of its own
  ['sleep 86400 &', 'commit', ''],
  ['setsid nohup sleep 86400 >/dev/null 2>&1 & echo now', 'commit', 'now\n'],
  ['(sleep 1; echo late) & echo now; wait', 'commit', 'now\nlate\n'],
  ['pwd', 'commit', '/\n'],
  ['umask', 'commit', '0022\n'],
  ['head -c 6', 'commit', 'sample'],
  ['cat /dev/stdin', 'commit', 'sample data'],
  ['stat -L -c "%F %s" /dev/stdin; dd bs=1 skip=7 status=none; cat $MANTA_INPUT_FILE', 'commit', 'regular file 11\ndatasample data'],
  ['echo ä; printf "\\0"', 'commit', 'ä\n\0'],
];

t.test('what a command does decides how its task ends', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  for (const [exec, expected, stdout, stderr] of cases) {
    const task = mapTask(agent, exec);
    const report = await agent.run(task);
    t.equal(verdict(report), expected, exec);
    t.equal(report.taskId, task.taskId);
    t.equal(report.key, '/bob/stor/obj1');
    t.equal(text(report.stdout), stdout, `stdout of ${exec}`);
    if (stderr === undefined) t.equal(report.stderr, undefined, `no stderr of ${exec}`);
    else if (typeof stderr === 'string') t.equal(text(report.stderr), stderr, `stderr of ${exec}`);
    else t.match(text(report.stderr), stderr, `stderr of ${exec}`);
  }
});

t.test('a command gets exactly the variables of its phase', async (t) => {
  const agent = await startFakeAgent(t);
  const lackey = startLackey(t, agent);
  const port = await lackey.port;
  const task = mapTask(agent, "env | egrep '^(MANTA_|mc_|HOME|DTRACE_)' | sort");
  const expected = [
    'DTRACE_DOF_INIT_DISABLE=1',
    'HOME=/root',
    `MANTA_INPUT_FILE=${task.taskInputFile}`,
    'MANTA_INPUT_OBJECT=/bob/stor/obj1',
    'MANTA_JOB_ID=J',
    'MANTA_NO_AUTH=true',
    'MANTA_OUTPUT_BASE=/bob/jobs/J/stor/bob/stor/obj1.0.',
    `MANTA_URL=http://localhost:${port}/`,
    'MANTA_USER=bob',
    `mc_input_file=${task.taskInputFile}`,
    'mc_input_key=/bob/stor/obj1',
    '',
  ];
  const { stdout } = await agent.run(task);
  t.same(text(stdout)?.split('\n').sort(), expected.sort());
});

t.test('output of any length arrives whole', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  for (const bytes of [65_536, 65_537, 3_000_000]) {
    const task = mapTask(agent, `head -c ${bytes} /dev/zero; head -c ${bytes} /dev/zero >&2; exit 1`);
    const report = await agent.run(task);
    const inline = bytes <= 65_536;
    for (const [stream, name] of [
      ['stdout', task.taskOutputKey],
      ['stderr', task.taskErrorKey],
    ] as const) {
      t.equal(text(report[stream])?.length, inline ? bytes : undefined);
      const stored = agent.objects.get(name);
      t.equal(stored?.body.length, inline ? undefined : bytes, `${bytes} bytes of ${stream}`);
      t.equal(stored?.headers['x-manta-stream'], inline ? undefined : stream);
    }
    t.equal(verdict(report), exited(1));
  }
});

t.test('a command that tidies up the scratch directory loses no output', async (t) => {
  const agent = await startFakeAgent(t);
  const { root } = startLackey(t, agent);
  for (const turn of ['first', 'second']) {
    const report = await agent.run(mapTask(agent, `rm -rf '${root}/var/tmp'; echo ${turn}`));
    t.equal(text(report.stdout), `${turn}\n`);
  }
});

t.test('output that cannot be saved fails the task, but hides no error of the user', async (t) => {
  const agent = await startFakeAgent(t);
  agent.intercept = (request, response) => {
    if (request.method !== 'PUT') return false;
    response.writeHead(500, { 'content-type': 'application/json' });
    response.end('{"code":"InternalServerError","message":"injected failure"}');
    return true;
  };
  startLackey(t, agent);
  const long = 'head -c 70000 /dev/zero';
  t.equal(verdict(await agent.run(mapTask(agent, long))), 'InternalError: error saving stdout: injected failure');
  t.equal(agent.requests.filter((line) => line.startsWith('PUT')).length, 3);
  t.equal(verdict(await agent.run(mapTask(agent, `${long}; exit 1`))), exited(1));
});

t.test('input that cannot be opened and a shell that cannot start are not the user’s fault', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const absent = mapTask(agent, 'true', { taskInputFile: '/no/such/file' });
  t.match(verdict(await agent.run(absent)), /^InternalError: failed to open input: ENOENT/);
  t.match(
    verdict(await agent.run(mapTask(agent, `: ${'x'.repeat(200_000)}`))),
    /^InternalError: failed to launch ": x/,
  );
});

t.test('the answer to a report is the next task: nobody asks again', async (t) => {
  const agent = await startFakeAgent(t);
  const tasks = [1, 2, 3].map((n) => mapTask(agent, `echo ${n}`));
  const reports = tasks.map((task) => agent.run(task));
  startLackey(t, agent);
  t.same(
    (await Promise.all(reports)).map((report) => text(report.stdout)),
    ['1\n', '2\n', '3\n'],
  );
  t.same(agent.requests.slice(0, 4), [
    'GET /my/jobs/task/task?wait=true',
    ...Array(3).fill('POST /my/jobs/task/report'),
  ]);
});
