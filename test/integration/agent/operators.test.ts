/** What operators see and do. */
import t from 'tap';
import { startTestAgent, type TestAgent } from '../../support/agent.js';

type Shown = Record<string, Record<string, Record<string, unknown>>>;

async function snapshotOf(agent: TestAgent): Promise<Shown> {
  return JSON.parse((await agent.operator('GET', '/kang/snapshot')).text) as Shown;
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

t.test('the snapshot shows jobs, groups, streams, zones, queries and requests, and no token', async (t) => {
  const agent = await startTestAgent(t);
  const jobId = await agent.putJob([{ type: 'map', exec: 'x' }]);
  const taskId = await agent.dispatch(jobId);
  const { zone } = await agent.nextTask();
  const { text } = await agent.operator('GET', '/kang/snapshot');
  t.notMatch(text, /token1/);
  const shown = JSON.parse(text) as Shown;
  t.match(shown['service'], { name: 'marlin', component: 'agent', ident: '1.cn.test', version: '0' });
  t.match(shown['agent']?.['server1'], { nTasks: 1, slopDiskUsed: 0, images: [{ name: 'host', version: '16.1.0' }] });
  t.match(shown['job']?.[jobId], { jobid: jobId, record: { owner: 'owner1' }, groups: [`${jobId}/0`] });
  t.match(shown['taskgroup']?.[`${jobId}/0`], {
    groupid: `${jobId}/0`,
    phasei: 0,
    login: 'bob',
    intermediate: false,
    mapKeys: true,
    multiKey: false,
    ntasks: 0,
    nrunning: 1,
    nstreams: 1,
    nidle: 0,
    hog: false,
    share: 1,
  });
  const stream = shown['taskstream']?.[`${jobId}/0|${jobId}/0/${zone}`];
  t.match(stream, { machine: zone, state: 'running', idle: false, taskId, taskNOutput: 0, pendingUpdate: false });
  t.match(shown['zone']?.[zone], { zonename: zone, state: 'busy' });
  t.same(Object.values(shown['zonepool'] ?? {}), [{ nzones: 2, nreserved: 1, ndisabled: 0 }]);
  t.equal(Object.keys(shown['bus_subscription'] ?? {}).length, 4);
  t.match(shown['bus_subscription']?.['task-0'], { name: 'tasks dispatched', nRecords: Number });
  const urls = Object.values(shown['request'] ?? {}).map((one) => one['url']);
  t.ok(urls.includes('/kang/snapshot') && urls.includes('/my/jobs/task/task?wait=true'), urls.join(' '));
  t.match(shown['stats'], { streams_dispatched: 1, zones_added: 2, zones_readied: 2, upstream: { busy: 0 } });
  const types = shown['types'] as unknown as string[];
  for (const type of types) t.ok(type in shown, type);
  const schema = JSON.parse((await agent.operator('GET', '/kang/schema')).text) as object;
  t.same(Object.keys(schema), types);
  t.equal((await agent.operator('GET', '/kang/other')).status, 404);
});

t.test('metrics tell of tasks, zones, queues, durations and failures of the front door', async (t) => {
  const agent = await startTestAgent(t, 1);
  const jobId = await agent.putJob([{ type: 'map', exec: 'x' }]);
  const tasks = [await agent.dispatch(jobId), await agent.dispatch(jobId)];
  const { task } = await agent.nextTask();
  await until(async () => (await agent.operator('GET', '/metrics')).text.includes('tasks{state="accepted"} 1'));
  const during = (await agent.operator('GET', '/metrics')).text;
  t.match(during, /^marlin_agent_tasks\{state="running"\} 1$/m);
  t.match(during, /^marlin_agent_zones\{state="busy"\} 1$/m);
  t.match(during, /^marlin_agent_queue_length\{queue="groups"\} 0$/m);
  const report = (taskId: unknown) =>
    agent.ask('zone0', 'POST', '/my/jobs/task/report', { taskId, commit: true, stdout: '' });
  const { body } = await report(task['taskId']);
  await report(body['taskId']);
  for (const one of tasks) await agent.taskDone(one);
  const after = (await agent.operator('GET', '/metrics')).text;
  t.match(after, /^marlin_agent_tasks_committed_total 2$/m);
  t.match(after, /^marlin_agent_task_run_seconds_count 2$/m);
  t.match(after, /^marlin_agent_task_wait_seconds_count 2$/m);
  t.match(after, /^marlin_agent_zone_reset_seconds_count [12]$/m);
  t.match(after, /^marlin_agent_stream_load_seconds_count 1$/m);
  t.match(after, /^marlin_agent_upstream_errors_total\{kind="connect"\} 0$/m);
  t.match(after, /^marlin_agent_upstream_request_seconds_count [1-9]/m);
});

t.test('a zone is taken out with its reason, removed, and found again', async (t) => {
  const agent = await startTestAgent(t);
  const zones = async () => JSON.parse((await agent.operator('GET', '/zones')).text) as Record<string, unknown>[];
  await until(async () => (await zones()).every(({ state }) => state === 'ready'));
  t.equal((await agent.operator('DELETE', '/zones/zone0')).status, 409);
  t.equal((await agent.operator('POST', '/zones/zone0/disable')).status, 204);
  t.match((await zones())[0], {
    state: 'disabled',
    disableErrorMessage: 'zone disabled by operator',
    disableTime: /^\d{4}-.*Z$/,
  });
  t.equal((await agent.operator('DELETE', '/zones/zone0')).status, 204);
  t.same(agent.driver.destroyed, ['zone0']);
  t.equal((await zones()).length, 1);
  t.equal((await agent.operator('POST', '/zones/zone0/disable')).status, 404);
  t.equal((await agent.operator('POST', '/zones?zonename=zone0')).status, 204);
  await until(async () => (await zones()).length === 2 && (await zones()).every(({ state }) => state === 'ready'));
  t.equal((await agent.ask('zone0', 'GET', '/my/jobs/task/task')).status, 204, 'its socket is served again');
});

t.test('when the last zone is removed, what waits is refused', async (t) => {
  const agent = await startTestAgent(t, 1);
  await agent.operator('POST', '/zones/zone0/disable');
  const jobId = await agent.putJob([{ type: 'map', exec: 'x' }]);
  const taskId = await agent.dispatch(jobId);
  await until(async () => (await snapshotOf(agent))['taskgroup']?.[`${jobId}/0`]?.['ntasks'] === 1);
  await agent.operator('DELETE', '/zones/zone0');
  t.equal((await agent.taskDone(taskId)).errorCode, 'InvalidArgumentError');
  const message = 'failed to dispatch task: requested image is not available';
  t.match(await agent.find('error', `(taskId=${taskId})`), [{ errorMessage: message }]);
});

t.test('a zone that is being reset shows how far it is', async (t) => {
  const agent = await startTestAgent(t, 1, { timeZoneResetRetry: 600_000 });
  await until(async () => (await agent.operator('GET', '/zones')).text.includes('"ready"'));
  await agent.operator('POST', '/zones/zone0/disable');
  agent.driver.failResets = 1;
  await agent.operator('POST', '/zones?zonename=zone0');
  await until(async () => (await agent.operator('GET', '/zones')).text.includes('maZonePause'));
  const [zone] = JSON.parse((await agent.operator('GET', '/zones')).text) as object[];
  t.match(zone, {
    state: 'uninit',
    timeout: true,
    resetFailures: 1,
    pipeline: {
      operations: [
        { funcname: 'maZoneReset', status: 'fail', err: 'no reset today' },
        { funcname: 'maZonePause', status: 'pending' },
      ],
      nerrors: 1,
    },
  });
});

t.test('each request is logged once, with nothing that would let anybody act', async (t) => {
  const agent = await startTestAgent(t);
  await agent.dispatch(await agent.putJob([{ type: 'map', exec: 'x' }]));
  const { zone } = await agent.nextTask();
  await agent.ask(zone, 'GET', '/bob/stor/x?signature=secret1&a=b', '', { authorization: 'Token secret2' });
  await agent.operator('GET', '/zones');
  const audits = () => agent.logLines.filter((line) => line['audit'] === true);
  const of = (url: string) => audits().find((line) => (line['req'] as { url: string }).url === url);
  await until(() => of('/zones') !== undefined && of('/bob/stor/x?signature=…&a=b') !== undefined);
  t.match(of('/bob/stor/x?signature=…&a=b'), {
    _audit: true,
    req: { method: 'GET', httpVersion: '1.1' },
    res: { statusCode: 404 },
    zone,
    msg: 'handled: 404',
    latency: Number,
    secure: false,
  });
  t.notMatch(JSON.stringify(audits()), /secret\d/);
});
