import { randomUUID } from 'node:crypto';
import t from 'tap';
import { startTestAgent, type TestAgent } from '../../support/agent.js';

async function putInput(agent: TestAgent, taskId: string, jobId: string, input: string): Promise<void> {
  const taskInputId = randomUUID();
  await agent.put('taskinput', taskInputId, {
    taskInputId,
    jobId,
    taskId,
    domain: 'test-domain',
    phaseNum: 0,
    mantaComputeId: '1.cn.test',
    agentGeneration: 'whichever',
    input,
    account: 'owner1',
    objectid: 'object1',
    servers: [],
    timeDispatched: new Date(0).toISOString(),
  });
}

async function endInput(agent: TestAgent, taskId: string, nInputs: number): Promise<void> {
  const { value } = await agent.moray.client.getObject('marlin_tasks_v2', taskId);
  await agent.put('task', taskId, { ...value, nInputs, timeInputDone: new Date().toISOString() });
}

t.test('a reducer gets its inputs in batches of ten, marks them as read, and ends with the last', async (t) => {
  const agent = await startTestAgent(t);
  const { ask, nextTask, taskDone, find } = agent;
  const jobId = await agent.putJob([{ type: 'reduce', exec: 'sort' }]);
  const taskId = await agent.dispatch(jobId, { rIdx: 0 });
  for (let index = 0; index < 12; index++) await putInput(agent, taskId, jobId, `/bob/stor/in${index}`);
  const { zone, task } = await nextTask();
  t.match(task, { taskId, rIdx: 0, taskInputDone: false, taskInputRemote: `/var/run/.marlin.${zone}.sock` });
  const first = task['taskInputKeys'] as string[];
  t.ok(first.length >= 1 && first.length <= 10, `${first.length} names`);
  const seen: string[] = [];
  let batch = first;
  while (seen.length < 12) {
    seen.push(...batch);
    const fed = { taskId, commit: true, key: batch[0], nkeys: batch.length };
    const answer = await ask(zone, 'POST', '/my/jobs/task/report', fed);
    if (seen.length === 12) {
      t.equal(answer.status, 204, 'nothing more for now');
      break;
    }
    // Not all names need have arrived when the first ones were shown.
    const next = answer.status === 200 ? answer : await ask(zone, 'GET', '/my/jobs/task/task?wait=true');
    batch = next.body['taskInputKeys'] as string[];
  }
  t.equal(new Set(seen).size, 12);
  const last = ask(zone, 'GET', '/my/jobs/task/task?wait=true');
  await endInput(agent, taskId, 12);
  t.match(await last, { status: 200, body: { taskInputKeys: [], taskInputDone: true } });
  await ask(zone, 'POST', '/my/jobs/task/report', { taskId, commit: true, stdout: '' });
  t.match(await taskDone(taskId), { result: 'ok', nOutputs: 1 });
  t.equal((await find('taskinput', '(timeRead=*)')).length, 12);
});

t.test('a reducer without inputs runs on nothing', async (t) => {
  const agent = await startTestAgent(t);
  const jobId = await agent.putJob([{ type: 'reduce', exec: 'wc' }]);
  const taskId = await agent.dispatch(jobId, { rIdx: 0 });
  await endInput(agent, taskId, 0);
  const { zone, task } = await agent.nextTask();
  t.match(task, { taskInputKeys: [], taskInputDone: true });
  await agent.ask(zone, 'POST', '/my/jobs/task/commit', {});
  t.match(await agent.taskDone(taskId), { result: 'ok', nOutputs: 0 });
});

t.test('a program that ends early keeps its zone until the last input is known', async (t) => {
  const agent = await startTestAgent(t);
  const jobId = await agent.putJob([{ type: 'reduce', exec: 'head -1' }]);
  const taskId = await agent.dispatch(jobId, { rIdx: 0 });
  await putInput(agent, taskId, jobId, '/bob/stor/in0');
  const { zone } = await agent.nextTask();
  t.equal((await agent.ask(zone, 'POST', '/my/jobs/task/commit')).status, 204);
  const { value } = await agent.moray.client.getObject('marlin_tasks_v2', taskId);
  t.equal(value['state'], 'accepted', 'not done yet');
  await putInput(agent, taskId, jobId, '/bob/stor/in1');
  await endInput(agent, taskId, 2);
  t.equal((await agent.taskDone(taskId)).result, 'ok');
});

t.test('a wrong batch is refused', async (t) => {
  const agent = await startTestAgent(t);
  const jobId = await agent.putJob([{ type: 'reduce', exec: 'cat' }]);
  const taskId = await agent.dispatch(jobId, { rIdx: 0 });
  await putInput(agent, taskId, jobId, '/bob/stor/in0');
  const { zone } = await agent.nextTask();
  const refused = async (body: object) => (await agent.ask(zone, 'POST', '/my/jobs/task/commit', body)).body['message'];
  t.equal(await refused({ key: '/other' }), '"/other" is not the current object');
  t.equal(await refused({ key: '/bob/stor/in0' }), '"nkeys" must be a valid integer');
});
