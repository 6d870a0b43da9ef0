/** What a zone may send, and what becomes of it when things go wrong around it. */
import { once } from 'node:events';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import t from 'tap';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { startTestAgent, type TestAgent } from '../../support/agent.js';

/** A request whose answer is not waited for. */
function begin(agent: TestAgent, zone: string, url: string, headers: object = {}, method = 'GET'): http.ClientRequest {
  const socket = agent.socketOf(zone);
  const request = http.request({ socketPath: socket.path, method, path: url, headers: { ...headers }, agent: false });
  request.on('error', () => {});
  request.once('close', () => socket.close());
  if (method === 'GET') request.end();
  return request;
}

t.test('a zone speaks for its job: credentials of its own are dropped', async (t) => {
  const agent = await startTestAgent(t);
  await agent.dispatch(await agent.putJob([{ type: 'map', exec: 'x' }]));
  const { zone } = await agent.nextTask();
  await agent.ask(zone, 'GET', '/bob/stor/x', '', { authorization: 'Token of-somebody-else' });
  t.equal(agent.frontDoor.requests.at(-1)?.headers.authorization, 'Token token1');
});

t.test('downloads that nobody ends hold up no upload', async (t) => {
  const agent = await startTestAgent(t, 1, { maxPendingOutputsPerTask: 2 });
  const taskId = await agent.dispatch(await agent.putJob([{ type: 'map', exec: 'x' }]));
  const { zone } = await agent.nextTask();
  const stalled = [1, 2, 3, 4].map((n) => begin(agent, zone, `${agent.frontDoor.stalled}/${n}`));
  await Promise.all(stalled.slice(0, 2).map((request) => once(request, 'response')));
  const put = await agent.ask(zone, 'PUT', '/bob/stor/out', 'x', { 'x-manta-stream': 'stdout' });
  t.equal(put.status, 204);
  t.match((await agent.operator('GET', '/metrics')).text, /queue="proxied_waiting"\} 2/);
  for (const request of stalled) request.destroy();
  await agent.ask(zone, 'POST', '/my/jobs/task/commit', {});
  t.match(await agent.taskDone(taskId), { result: 'ok', nOutputs: 1 });
});

t.test('what waits for its turn is answered with 409 when its task has ended meanwhile', async (t) => {
  const agent = await startTestAgent(t, 1, { maxPendingOutputsPerTask: 1 });
  await agent.dispatch(await agent.putJob([{ type: 'map', exec: 'x' }]));
  const { zone } = await agent.nextTask();
  const stalled = begin(agent, zone, `${agent.frontDoor.stalled}/1`);
  await once(stalled, 'response');
  const waiting = agent.ask(zone, 'GET', '/bob/stor/x');
  while (!(await agent.operator('GET', '/metrics')).text.includes('queue="proxied_waiting"} 1'));
  await agent.ask(zone, 'POST', '/my/jobs/task/commit', {});
  stalled.destroy();
  t.match(await waiting, { status: 409, body: { code: 'ConflictError', message: 'invalid zone state' } });
  t.equal((await agent.ask(zone, 'POST', '/my/jobs/task/fail')).status, 409);
  t.equal((await agent.ask(zone, 'POST', '/my/jobs/task/live')).status, 409);
});

t.test('of many ends of a task one counts, and the others are told', async (t) => {
  const agent = await startTestAgent(t, 1);
  const taskId = await agent.dispatch(await agent.putJob([{ type: 'map', exec: 'x' }]));
  const { zone } = await agent.nextTask();
  const init = { error: { code: 'TaskInitError', message: 'bad' } };
  const answers = await Promise.all([
    agent.ask(zone, 'POST', '/my/jobs/task/fail', init),
    agent.ask(zone, 'POST', '/my/jobs/task/commit', {}),
    agent.ask(zone, 'POST', '/my/jobs/task/fail', { error: { message: 'other' } }),
  ]);
  t.equal(answers.filter(({ status }) => status === 204).length, 1);
  t.ok(answers.every(({ status }) => status === 204 || status === 409));
  await agent.taskDone(taskId);
  t.ok((await agent.find('error', `(taskId=${taskId})`)).length <= 1);
});

t.test('answers that the API cannot give are refused before anything happens', async (t) => {
  const agent = await startTestAgent(t, 1);
  const taskId = await agent.dispatch(await agent.putJob([{ type: 'map', exec: 'x' }]));
  const { zone } = await agent.nextTask();
  const commit = (headers: object, body: object | string = {}) =>
    agent.ask(zone, 'POST', '/my/jobs/task/commit', body, headers);
  t.equal((await commit({ accept: 'image/png' })).status, 406);
  t.equal((await commit({ 'accept-version': '~2.0' })).status, 400);
  t.match(await commit({}, '{'), { status: 400, body: { code: 'InvalidContent' } });
  t.equal((await agent.ask(zone, 'PATCH', '/my/jobs/task/commit')).status, 405);
  t.equal((await commit({}, JSON.stringify({ key: 'x'.repeat(1_000_000) }))).status, 413);
  t.equal((await commit({ accept: 'text/html, */*;q=0.1', 'accept-version': '~1.0' })).status, 204);
  t.equal((await agent.taskDone(taskId)).result, 'ok');
});

t.test('a change of protocol is passed on with the token, spliced, and ends with the task', async (t) => {
  const agent = await startTestAgent(t, 1);
  const jobId = await agent.putJob([{ type: 'map', exec: 'x' }]);
  const taskId = await agent.dispatch(jobId);
  const { zone } = await agent.nextTask();
  const url = `/bob/medusa/attach/${jobId}/slave?signature=x`;
  const request = begin(agent, zone, url, { connection: 'Upgrade', upgrade: 'websocket' });
  const [answer, socket] = (await once(request, 'upgrade')) as [http.IncomingMessage, Duplex, Buffer];
  t.equal(answer.statusCode, 101);
  t.match(agent.frontDoor.requests.at(-1), { url, headers: { authorization: 'Token token1', upgrade: 'websocket' } });
  socket.write('and hello');
  let heard = '';
  while (!heard.endsWith('and hello')) heard += String((await once(socket, 'data'))[0]);
  const closed = once(socket, 'close');
  const { value } = await agent.moray.client.getObject('marlin_tasks_v2', taskId);
  await agent.put('task', taskId, { ...value, timeCancelled: new Date().toISOString() });
  await closed;
  t.pass('closed with the task');
  const refused = begin(agent, zone, url, { connection: 'Upgrade', upgrade: 'websocket' });
  const [response] = (await once(refused, 'response')) as [http.IncomingMessage];
  t.equal(response.statusCode, 409, 'without a task there is nobody to speak for');
  response.resume();
});

t.test('a zone whose old objects cannot be taken away runs nothing more before it is reset', async (t) => {
  const agent = await startTestAgent(t, 1);
  const jobId = await agent.putJob([{ type: 'map', exec: 'x' }]);
  agent.driver.failUnmaps = 1;
  const taskId = await agent.dispatch(jobId);
  t.equal((await agent.taskDone(taskId)).errorCode, 'InternalError');
  const internal = 'failed to unmap objects: it is stuck';
  t.match(await agent.find('error', `(taskId=${taskId})`), [{ errorMessageInternal: internal }]);
  const next = await agent.dispatch(jobId);
  await agent.nextTask();
  t.equal(agent.driver.resets.length, 2);
  await agent.ask('zone0', 'POST', '/my/jobs/task/commit', {});
  t.equal((await agent.taskDone(next)).result, 'ok');
});

t.test('a task that others have taken over is stopped without a word, and its zone serves again', async (t) => {
  const agent = await startTestAgent(t, 1);
  const jobId = await agent.putJob([{ type: 'reduce', exec: 'x' }]);
  const endInput = { nInputs: 1, timeInputDone: new Date().toISOString() };
  const taskId = await agent.dispatch(jobId, { rIdx: 0, ...endInput });
  const { streams, table } = agent.agent.core;
  while (streams.current('zone0') === null) await new Promise((resolve) => setTimeout(resolve, 5));
  const { value } = await agent.moray.client.getObject('marlin_tasks_v2', taskId);
  const now = new Date().toISOString();
  await agent.put('task', taskId, { ...value, state: 'done', result: 'fail', timeAbandoned: now, timeDone: now });
  await table.dropAbandoned(0);
  t.equal(streams.byZone.has('zone0'), false);
  t.same(await agent.find('error', `(taskId=${taskId})`), []);
  const next = await agent.dispatch(await agent.putJob([{ type: 'map', exec: 'x' }]));
  await agent.nextTask();
  await agent.ask('zone0', 'POST', '/my/jobs/task/commit', {});
  t.equal((await agent.taskDone(next)).result, 'ok');
});

t.test('a task whose outputs the store refuses fails, and says so', async (t) => {
  for (const count of [1, 60]) {
    const agent = await startTestAgent(t, 1);
    const taskId = await agent.dispatch(await agent.putJob([{ type: 'map', exec: 'x' }]));
    const { zone } = await agent.nextTask();
    await agent.moray.client.delBucket(defaultBuckets.taskoutput);
    for (let index = 0; index < count; index++)
      await agent.ask(zone, 'PUT', `/bob/stor/out${index}`, 'x', { 'x-manta-stream': 'stdout' });
    await agent.ask(zone, 'POST', '/my/jobs/task/commit', {});
    t.equal((await agent.taskDone(taskId)).result, 'fail');
    t.match(await agent.find('error', `(taskId=${taskId})`), [{ errorCode: 'InternalError' }]);
  }
});

t.test('what is saved after the end of its task is no output of the next one', async (t) => {
  const agent = await startTestAgent(t, 1);
  const jobId = await agent.putJob([{ type: 'map', exec: 'x' }]);
  const first = await agent.dispatch(jobId);
  const { zone } = await agent.nextTask();
  const late = begin(agent, zone, `${agent.frontDoor.held}/1`, { 'x-manta-stream': 'stdout' }, 'PUT');
  late.end('x');
  while (!agent.frontDoor.requests.some(({ url }) => url.startsWith(agent.frontDoor.held)))
    await agent.operator('GET', '/zones');
  const ended = agent.ask(zone, 'POST', '/my/jobs/task/fail', {});
  t.match(await agent.taskDone(first), { result: 'fail', nOutputs: 0 });
  await ended;
  const second = await agent.dispatch(jobId);
  await agent.nextTask();
  agent.frontDoor.release();
  await once(late, 'close');
  await agent.ask(zone, 'POST', '/my/jobs/task/commit', {});
  t.match(await agent.taskDone(second), { result: 'ok', nOutputs: 0 });
  t.same(await agent.find('taskoutput', `(jobId=${jobId})`), []);
});
