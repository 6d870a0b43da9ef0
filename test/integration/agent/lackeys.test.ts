/** The agent and the lackey, both real: what a user's command does to its lackey, and what becomes of task and zone. */
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import type { ZoneUsage } from '../../../src/agent/zones/driver.js';
import type { TaskRecord } from '../../../src/records/task.js';
import { startTestAgent, type TestAgent } from '../../support/agent.js';
import { startLackey, type TestLackey } from '../../support/lackey.js';

interface World {
  readonly agent: TestAgent;
  readonly zone: string;
  /** Starts one in the zone, by default in what the one before left. */
  start(root?: string): TestLackey;
  /** Runs a map task to its end. */
  run(exec: string, init?: string): Promise<TaskRecord & { readonly error?: Record<string, unknown> | undefined }>;
}

/** One zone, in which lackeys come and go. */
async function startWorld(t: Test, tunables: object = {}): Promise<World> {
  const agent = await startTestAgent(t, 1, tunables);
  agent.driver.mapObject = async (_zone, source) => source ?? '/dev/null';
  const zone = agent.zones[0] ?? '';
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-lackeys-'));
  const socket = agent.socketOf(zone);
  t.teardown(() => {
    socket.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });
  const socketPath = socket.path.replace('/self/', `/${process.pid}/`);
  return {
    agent,
    zone,
    start: (root) => startLackey(t, { directory, socketPath }, root),
    async run(exec, init) {
      const jobId = await agent.putJob([{ type: 'map', exec, ...(init === undefined ? {} : { init }) }]);
      const taskId = await agent.dispatch(jobId);
      const task = await agent.taskDone(taskId);
      return { ...task, error: (await agent.find('error', `(taskId=${taskId})`))[0] };
    },
  };
}

function isStopped(pid: number | undefined): boolean {
  return fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.startsWith('T') === true;
}

const internal = (messageInternal: string) => ({
  result: 'fail',
  error: { errorCode: 'InternalError', errorMessage: 'internal error', errorMessageInternal: messageInternal },
});
const failed = (errorMessage: string) => ({ result: 'fail', error: { errorCode: 'UserTaskError', errorMessage } });

/** Long enough for a lackey that lives on a machine with much else to do. */
const silence = { zoneLivenessCheck: 3_000, timeTick: 10, zoneDisabledMaxPercent: 100 };
const pidFile = ({ root }: { readonly root: string }) => path.join(root, 'var/run/marlin-lackey.pid');
const outOfService = { state: 'disabled', disableErrorMessage: 'zone failed (lackey timed out)' };

// biome-ignore format: table
const silences: readonly [cause: string, usage: ZoneUsage, ended: object, zone: object][] = [
  ['nothing that could be seen', { memoryFailures: 0 }, internal('lackey timed out'), outOfService],
  ['memory', { memoryFailures: 1 }, failed('user task ran out of memory'), { state: 'ready' }],
  ['disk', { memoryFailures: 0, freeDiskBytes: 1024 }, failed('user task ran out of local disk space'), { state: 'ready' }],
];

t.test('a frozen lackey loses its task; without a reason its zone goes out of service, too', async (t) => {
  const freezeOne = async ([cause, usage, ended, state]: (typeof silences)[number]) => {
    const { agent, zone, start, run } = await startWorld(t, silence);
    const lackey = start();
    agent.driver.usage = async () => (isStopped(lackey.process.pid) ? usage : { memoryFailures: 0 });
    t.match(await run(`kill -STOP $(cat ${pidFile(lackey)}); sleep 0.1; echo too late`), ended, cause);
    t.match(JSON.parse((await agent.operator('GET', '/zones')).text), [state], cause);
    lackey.process.kill('SIGCONT'); // its report is about a task that is over: refused, and it asks for another
    t.equal((await agent.operator('POST', `/zones?zonename=${zone}`)).status, 204);
    t.match(await run('true'), { result: 'ok', nOutputs: 1 }, cause);
    t.equal(lackey.process.exitCode, null);
  };
  await Promise.all(silences.map(freezeOne));
});

t.test('a killed lackey costs its task, which is not run again', async (t) => {
  const { start, run } = await startWorld(t);
  const first = start();
  const ran = path.join(first.root, 'ran');
  const task = run(`echo >> ${ran}; kill -9 $(cat ${pidFile(first)}); sleep 100`);
  await once(first.process, 'exit');
  start(first.root);
  t.match(await task, internal('lackey crashed'));
  t.equal(fs.readFileSync(ran, 'utf8'), '\n');
  t.match(await run('true'), { result: 'ok' });
});

t.test(
  'only the marker decides: a task that removed it is run again, after an init that is not repeated',
  async (t) => {
    const { agent, start, run } = await startWorld(t);
    const first = start();
    const log = path.join(first.root, 'log');
    const exec = `echo exec >> ${log}; [ $(grep -c exec ${log}) -gt 1 ] || { rm ${first.root}/var/tmp/.marlin_task_started; kill -9 $(cat ${pidFile(first)}); sleep 100; }; cat ${log}`;
    const task = run(exec, `echo init >> ${log}`);
    await once(first.process, 'exit');
    start(first.root);
    t.match(await task, { result: 'ok', nOutputs: 1 });
    t.match([...agent.frontDoor.objects.values()], ['init\nexec\nexec\n']);
  },
);

t.test('a user’s own commit or fail is the end of the task, and nothing that follows touches the next', async (t) => {
  const { agent, start } = await startWorld(t);
  start();
  const post = (what: string) => `curl -sX POST $MANTA_URL/my/jobs/task/${what}`;
  const emit = `curl -sX PUT -H 'x-manta-stream: stdout' --data late $MANTA_URL/bob/stor/late`;
  const late = `${emit}; ${post('fail')}; ${post('commit')}; echo late`;
  // biome-ignore format: table
  const rows: readonly [exec: string, task: object, errors: readonly object[]][] = [
    [`${post('commit')}; ${late}; exit 1`, { result: 'ok', nOutputs: 0 }, []],
    [`echo x | mpipe; ${post('commit')}; ${late}`, { result: 'ok', nOutputs: 1 }, []],
    [`${post('fail')}; ${late}; exit 0`, { result: 'fail' }, [{ errorCode: 'UserTaskError', errorMessage: 'no message given' }]],
  ];
  for (const [exec, ended, errors] of rows) {
    const jobId = await agent.putJob([{ type: 'map', exec }]);
    // Of one job, so that they share the zone without a reset.
    const tasks = await Promise.all([1, 2, 3].map(() => agent.dispatch(jobId)));
    for (const taskId of tasks) {
      t.match(await agent.taskDone(taskId), ended, exec);
      t.match(await agent.find('error', `(taskId=${taskId})`), errors);
    }
    const [zone = ''] = agent.zones;
    while ((await agent.ask(zone, 'POST', '/my/jobs/task/live')).status !== 409)
      await new Promise((resolve) => setTimeout(resolve, 10));
  }
  t.notOk([...agent.frontDoor.objects].flat().some((text) => /late/.test(text)));
});
