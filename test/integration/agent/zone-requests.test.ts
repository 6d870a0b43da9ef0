import t from 'tap';
import { startTestAgent } from '../../support/agent.js';

t.test('requests of a zone go to the front door with the token of the job, and emit outputs', async (t) => {
  const { putJob, dispatch, nextTask, ask, taskDone, find, frontDoor } = await startTestAgent(t);
  const jobId = await putJob([
    { type: 'map', exec: 'x' },
    { type: 'reduce', exec: 'y' },
  ]);
  const taskId = await dispatch(jobId);
  const { zone } = await nextTask();
  const put = (url: string, headers: object = {}, body = 'content') => ask(zone, 'PUT', url, body, headers);
  t.equal((await put('//bob/stor//plain/')).status, 204);
  t.equal(frontDoor.requests.at(-1)?.headers.authorization, 'Token token1');
  t.match(await ask(zone, 'GET', '/bob/stor/plain'), { status: 200, body: { text: 'content' } }, 'tidied');
  t.equal((await put('/bob/stor/out%20put', { 'x-manta-stream': 'stdout', 'x-manta-reducer': '3' })).status, 204);
  t.equal((await put('/bob/stor/late', { 'x-manta-stream': 'stdout', expect: '100-continue' })).status, 204);
  const before = frontDoor.requests.length;
  t.equal((await put('/bob/stor/named', { 'x-manta-reference': 'true' }, '')).status, 204);
  t.equal(frontDoor.requests.length, before, 'a reference is not uploaded');
  for (const reducer of ['128', '-1', '0x5', '5th'])
    t.match(await put('/bob/stor/x', { 'x-manta-reducer': reducer }), {
      status: 409,
      body: { message: 'invalid reducer' },
    });
  t.match(await put('/bob/stor/%zz'), { status: 409, body: { code: 'InvalidArgument' } });
  await put('/bob/stor/core', { 'x-manta-stream': 'core' });
  await ask(zone, 'POST', '/my/jobs/task/commit', { key: '/bob/stor/obj1' });
  t.match(await taskDone(taskId), { result: 'ok', nOutputs: 3 });
  const outputs = await find('taskoutput', `(taskId=${taskId})`);
  t.same(outputs.map((one) => one['output']).sort(), ['/bob/stor/late', '/bob/stor/named', '/bob/stor/out put']);
  t.same(outputs.filter((one) => one['rIdx'] === 3).length, 1);
  t.ok(outputs.every((one) => one['intermediate'] === 'true'));
});

t.test('without a task nothing is passed on', async (t) => {
  const { ask, zones } = await startTestAgent(t);
  const conflict = { status: 409, body: { code: 'ConflictError', message: 'invalid zone state' } };
  t.match(await ask(zones[0] ?? '', 'GET', '/bob/stor/plain'), conflict);
  t.match(await ask(zones[0] ?? '', 'POST', '/my/jobs/task/commit'), conflict);
  t.equal((await ask(zones[0] ?? '', 'GET', '/my/jobs/task/task')).status, 204);
});

t.test('perturb fails the requests of the task, and what the agent saves for it', async (t) => {
  const { putJob, dispatch, nextTask, ask, taskDone, find } = await startTestAgent(t);
  const taskId = await dispatch(await putJob([{ type: 'map', exec: 'x' }]));
  const { zone } = await nextTask();
  const perturb = (p: string) => ask(zone, 'POST', `/my/jobs/task/perturb?p=${p}`);
  for (const p of ['x', '0x1', '']) t.equal((await perturb(p)).body['message'], '"p" is not a number');
  t.equal((await perturb('2')).body['message'], '"p" is out of range [0, 1]');
  t.equal((await perturb('1')).status, 204);
  const injected = { status: 500, body: { message: 'injected failure' } };
  t.match(await ask(zone, 'GET', '/bob/stor/x'), injected);
  t.match(await ask(zone, 'GET', '/bob/stor/%zz'), injected, 'before its name is read');
  const badHeader = { 'x-manta-reducer': '128' };
  t.equal((await ask(zone, 'PUT', '/bob/stor/x', '', badHeader)).status, 409, 'after its headers are read');
  await ask(zone, 'POST', '/my/jobs/task/report', { taskId, commit: true, stdout: '' });
  t.equal((await taskDone(taskId)).errorCode, 'InternalError');
  t.match(await find('error', `(taskId=${taskId})`), [
    { errorMessage: 'internal error', errorMessageInternal: 'error saving stdout: injected failure' },
  ]);
});

t.test('a silent lackey loses its task, and its zone is reset', async (t) => {
  const { putJob, dispatch, nextTask, taskDone, find } = await startTestAgent(t, 2, {
    zoneLivenessCheck: 50,
    timeTick: 10,
  });
  const taskId = await dispatch(await putJob([{ type: 'map', exec: 'x' }]));
  await nextTask();
  await taskDone(taskId);
  t.match(await find('error', `(taskId=${taskId})`), [
    { errorMessage: 'internal error', errorMessageInternal: 'lackey timed out' },
  ]);
});

t.test('operators see zones, take them out of service and put them back', async (t) => {
  const { agent, zones } = await startTestAgent(t);
  const url = `http://127.0.0.1:${agent.port}`;
  const states = async () =>
    ((await (await fetch(`${url}/zones`)).json()) as { state: string }[]).map(({ state }) => state);
  t.same(await states(), ['ready', 'ready']);
  t.equal((await fetch(`${url}/zones/${zones[0]}/disable`, { method: 'POST' })).status, 204);
  t.same(await states(), ['disabled', 'ready']);
  t.equal((await fetch(`${url}/zones/${zones[1]}`, { method: 'DELETE' })).status, 409);
  t.equal((await fetch(`${url}/zones/nobody/disable`, { method: 'POST' })).status, 404);
  t.equal((await fetch(`${url}/zones?zonename=${zones[0]}`, { method: 'POST' })).status, 204);
  const snapshot = (await (await fetch(`${url}/kang/snapshot`)).json()) as { service: object };
  t.match(snapshot.service, { name: 'marlin', component: 'agent' });
});
