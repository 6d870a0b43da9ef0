/** Metering records: what was used is charged once, whatever happens. */
import t from 'tap';
import { startTestAgent, type TestAgent } from '../../support/agent.js';

interface Metrics {
  readonly hrtimestamp: [number, number];
  readonly cpu: { readonly data: Record<string, number> };
  readonly vnic0: { readonly data: Record<string, number> };
  readonly config_disk?: number;
}

interface Line extends Record<string, unknown> {
  readonly event: string;
  readonly metricsCumul: Metrics;
  readonly metricsDelta?: Metrics;
}

const linesOf = (agent: TestAgent, taskId: string) =>
  agent.logLines.filter((line) => line['computeAudit'] === true && line['taskId'] === taskId) as Line[];

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

t.test('deltas of checkpoints add up to the cumulative record; the next task begins where one ended', async (t) => {
  const agent = await startTestAgent(t, 1, { timeFrequentCheckpoint: 20 });
  let cpuUserNs = 100;
  Object.defineProperty(agent.driver, 'usageOf', {
    get() {
      cpuUserNs += 7;
      return { memoryFailures: 0, cpuUserNs, memoryBytes: 5, networkSentBytes: 3 };
    },
  });
  const jobId = await agent.putJob([{ type: 'map', exec: 'sleep 7' }], { options: { frequentCheckpoint: true } });
  const tasks = [await agent.dispatch(jobId), await agent.dispatch(jobId)];
  const first = String((await agent.nextTask()).task['taskId']);
  const second = String(tasks.find((task) => task !== first));
  await until(() => linesOf(agent, first).length >= 4);
  const report = (taskId: string) =>
    agent.ask('zone0', 'POST', '/my/jobs/task/report', { taskId, commit: true, stdout: '' });
  await report(first);
  await report(second);
  for (const task of tasks) await agent.taskDone(task);
  const lines = linesOf(agent, first);
  t.equal(lines[0]?.event, 'TaskStart');
  t.equal(lines.at(-1)?.event, 'TaskDone');
  t.ok(lines.slice(1, -1).every(({ event }) => event === 'TaskCheckpoint'));
  t.equal(lines[1]?.metricsDelta, undefined, 'the first checkpoint is its own delta');
  const charged = lines.slice(1).map(({ metricsDelta, metricsCumul }) => metricsDelta ?? metricsCumul);
  const sum = (of: (metrics: Metrics) => number) => charged.reduce((total, one) => total + of(one), 0);
  const nanoseconds = ({ hrtimestamp: [s, ns] }: Metrics) => s * 1e9 + ns;
  const total = lines.at(-1)?.metricsCumul as Metrics;
  t.equal(
    sum((one) => one.cpu.data['nsec_user'] ?? 0),
    total.cpu.data['nsec_user'],
  );
  t.equal(sum(nanoseconds), nanoseconds(total));
  t.match(total, { config_disk: 8, memory: { data: { rss: 5 } }, vnic0: { data: { obytes64: 0 } } });
  t.match(lines[0], { jobId, owner: 'owner1', phase: 0, serverUuid: 'server1', mantaComputeId: '1.cn.test' });
  const next = linesOf(agent, second).find(({ event }) => event === 'TaskDone');
  t.ok((next?.metricsCumul.cpu.data['nsec_user'] ?? 0) >= 7, 'from the end of the first');
  const starts = agent.logLines.filter((line) => line['event'] === 'AgentStart');
  t.equal(starts.length, 1);
  t.ok(agent.logLines.indexOf(starts[0] ?? {}) < agent.logLines.indexOf(lines[0] ?? {}));
});

t.test('a task whose zone cannot be asked any more is charged with what was seen last, once', async (t) => {
  const agent = await startTestAgent(t, 1);
  agent.driver.usageOf = { memoryFailures: 0, cpuUserNs: 10 };
  const taskId = await agent.dispatch(await agent.putJob([{ type: 'map', exec: 'x' }]));
  await agent.nextTask();
  agent.driver.failUsage = true;
  await agent.ask('zone0', 'POST', '/my/jobs/task/fail', { error: { message: 'no' } });
  await agent.taskDone(taskId);
  t.same(
    linesOf(agent, taskId).map(({ event }) => event),
    ['TaskStart', 'TaskDone'],
  );
  t.equal(linesOf(agent, taskId)[1]?.metricsCumul.cpu.data['nsec_user'], 0);
});

t.test('a task that fails before it starts has no records; one that is killed with its zone has both', async (t) => {
  const agent = await startTestAgent(t, 1);
  const jobId = await agent.putJob([{ type: 'map', exec: 'x' }]);
  const missing = await agent.dispatch(jobId, { objectid: 'nowhere' });
  await agent.taskDone(missing);
  t.same(linesOf(agent, missing), []);
  const cancelled = await agent.dispatch(jobId);
  await agent.nextTask();
  const { value } = await agent.moray.client.getObject('marlin_tasks_v2', cancelled);
  await agent.put('task', cancelled, { ...value, timeCancelled: new Date().toISOString() });
  await agent.taskDone(cancelled);
  t.same(
    linesOf(agent, cancelled).map(({ event }) => event),
    ['TaskStart', 'TaskDone'],
  );
});
