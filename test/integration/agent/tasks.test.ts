import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startTestAgent } from '../../support/agent.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');

t.test('a map task is accepted, shown to the lackey, reported with its output, and done', async (t) => {
  const { putJob, dispatch, nextTask, ask, taskDone, find, frontDoor, driver } = await startTestAgent(t);
  const jobId = await putJob([{ type: 'map', exec: 'wc' }]);
  const taskId = await dispatch(jobId);
  const { zone, task } = await nextTask();
  const base = `/bob/jobs/${jobId}/stor/bob/stor/obj1.0.`;
  t.same(task, {
    jobId,
    taskId,
    taskPhase: { type: 'map', exec: 'wc' },
    login: 'bob',
    taskErrorKey: `${base}err.${taskId}`,
    taskOutputKey: `${base}${taskId}`,
    taskOutputBase: base,
    taskCoreBase: `/bob/jobs/${jobId}/stor/cores/0/`,
    taskInputKeys: ['/bob/stor/obj1'],
    taskInputDone: true,
    taskInputFile: '/manta/bob/stor/obj1',
  });
  t.equal(driver.mapped.get(zone), '/bob/stor/obj1');
  const report = { taskId, commit: true, stdout: base64('1 1 6\n') };
  t.equal((await ask(zone, 'POST', '/my/jobs/task/report', report)).status, 204, 'there is no other task');
  t.equal((await ask(zone, 'POST', '/my/jobs/task/report', report)).status, 204, 'a repeated report is understood');
  const stale = await ask(zone, 'POST', '/my/jobs/task/report', { taskId: 'another', commit: true });
  t.equal(stale.status, 409);
  const done = await taskDone(taskId);
  t.match(done, { state: 'done', result: 'ok', nOutputs: 1, machine: zone });
  t.not(done.agentGeneration, 'an older one');
  t.equal(frontDoor.objects.get(`${base}${taskId}`), '1 1 6\n', 'saved, with the directories above it');
  t.match(await find('taskoutput', `(taskId=${taskId})`), [{ output: `${base}${taskId}`, intermediate: 'false' }]);
  t.equal(frontDoor.requests[0]?.headers.authorization, 'Token token1');
});

t.test('a report brings the next task, and the directories are made once', async (t) => {
  const { putJob, dispatch, nextTask, ask, taskAccepted, taskDone, frontDoor } = await startTestAgent(t);
  const jobId = await putJob([{ type: 'map', exec: 'wc' }]);
  const tasks = [await dispatch(jobId), await dispatch(jobId), await dispatch(jobId)];
  const first = await nextTask();
  for (const task of tasks) await taskAccepted(task);
  const { zone } = first;
  let current = String(first.task['taskId']);
  const seen = [current];
  for (const _ of [1, 2]) {
    const next = await ask(zone, 'POST', '/my/jobs/task/report', { taskId: current, commit: true, stdout: '' });
    t.equal(next.status, 200);
    current = String(next.body['taskId']);
    seen.push(current);
  }
  const last = await ask(zone, 'POST', '/my/jobs/task/report', { taskId: current, commit: true, stdout: '' });
  t.equal(last.status, 204);
  for (const task of tasks) t.equal((await taskDone(task)).nOutputs, 1);
  t.same([...seen].sort(), [...tasks].sort());
  const made = frontDoor.requests.filter(({ headers }) => headers['content-type']?.includes('directory'));
  t.equal(made.length, 2);
});

t.test('a failed task has an error record in the same write', async (t) => {
  const { putJob, dispatch, nextTask, ask, taskDone, find, frontDoor } = await startTestAgent(t);
  const jobId = await putJob([{ type: 'map', exec: 'false' }], { worker: 'test-domain' });
  const taskId = await dispatch(jobId);
  const { zone, task } = await nextTask();
  const fail = { code: 'UserTaskError', message: 'user command exited with code 1' };
  await ask(zone, 'POST', '/my/jobs/task/report', { taskId, fail, stdout: '', stderr: base64('no\n') });
  t.match(await taskDone(taskId), { result: 'fail', errorCode: 'UserTaskError' });
  const stderr = String(task['taskErrorKey']);
  t.match(await find('error', `(taskId=${taskId})`), [
    { errorCode: 'UserTaskError', errorMessage: fail.message, input: '/bob/stor/obj1', stderr, machine: zone },
  ]);
  t.equal(frontDoor.objects.get(stderr), 'no\n');
});

t.test('out of memory and odd file names are noted at the end of the message', async (t) => {
  const { putJob, dispatch, nextTask, ask, taskDone, find, driver } = await startTestAgent(t);
  const jobId = await putJob([{ type: 'map', exec: 'false' }]);
  const long = await dispatch(jobId, { input: `/bob/stor/${'a'.repeat(300)}` });
  const first = await nextTask();
  await ask(first.zone, 'POST', '/my/jobs/task/fail', { error: { message: 'no' } });
  await taskDone(long);
  t.match((await find('error', `(taskId=${long})`))[0]?.['errorMessage'], /^no \(WARNING: input file was mapped/);
  const greedy = await dispatch(jobId);
  const second = await nextTask();
  driver.usageOf = { memoryFailures: 1 };
  await ask(second.zone, 'POST', '/my/jobs/task/fail');
  await taskDone(greedy);
  const message = 'no message given (WARNING: ran out of memory during execution)';
  t.equal((await find('error', `(taskId=${greedy})`))[0]?.['errorMessage'], message);
});

t.test('an object that is not here fails its task, not the others', async (t) => {
  const { putJob, dispatch, nextTask, taskDone, find } = await startTestAgent(t, 1);
  const jobId = await putJob([{ type: 'map', exec: 'wc' }]);
  const missing = await dispatch(jobId, { objectid: 'nowhere' });
  const empty = await dispatch(jobId, { objectid: '/dev/null' });
  const { task } = await nextTask();
  t.equal(task['taskId'], empty);
  t.equal((await taskDone(missing)).errorCode, 'ResourceNotFoundError');
  t.match(await find('error', `(taskId=${missing})`), [{ errorMessage: 'failed to load object' }]);
});

t.test('assets are fetched; one that is missing fails every task of the phase', async (t) => {
  const { putJob, dispatch, nextTask, taskDone, find, frontDoor, driver } = await startTestAgent(t);
  frontDoor.objects.set('/bob/stor/good.sh', 'echo');
  const good = await putJob([{ type: 'map', exec: 'wc', assets: ['/bob/stor/good.sh'] }]);
  await dispatch(good);
  await nextTask();
  t.equal(driver.assets.get('/bob/stor/good.sh'), 'echo');
  const bad = await putJob([{ type: 'map', exec: 'wc', assets: ['/bob/stor/bad.sh'] }]);
  const taskId = await dispatch(bad);
  t.equal((await taskDone(taskId)).errorCode, 'TaskInitError');
  const cause = 'first of 1 error: error retrieving asset "/bob/stor/bad.sh" (status code 404)';
  t.match(await find('error', `(taskId=${taskId})`), [{ errorMessage: `failed to dispatch task: ${cause}` }]);
});

t.test('an asset that the front door cannot give just now is fetched again', async (t) => {
  const { putJob, dispatch, nextTask, frontDoor, driver } = await startTestAgent(t);
  frontDoor.objects.set('/bob/stor/late.sh', 'echo');
  frontDoor.failures = 2;
  await dispatch(await putJob([{ type: 'map', exec: 'wc', assets: ['/bob/stor/late.sh'] }]));
  await nextTask();
  t.equal(driver.assets.get('/bob/stor/late.sh'), 'echo');
});

t.test('what no zone can give is refused', async (t) => {
  const { putJob, dispatch, taskDone, find } = await startTestAgent(t, 2, { zoneMemorySlopPercent: 0 });
  const image = await dispatch(await putJob([{ type: 'map', exec: 'wc', image: '0.0.1' }]));
  t.equal((await taskDone(image)).errorCode, 'InvalidArgumentError');
  const memory = await dispatch(await putJob([{ type: 'map', exec: 'wc', memory: 8192 }]));
  t.equal((await taskDone(memory)).errorCode, 'TaskInitError');
  t.match(await find('error', `(taskId=${memory})`), [
    { errorMessage: 'failed to dispatch task: not enough memory available' },
  ]);
});

t.test('a cancelled task ends, its zone is reset, and the others go on', async (t) => {
  const { putJob, dispatch, nextTask, put, taskDone, find, moray, driver, zones } = await startTestAgent(t, 1);
  const jobId = await putJob([{ type: 'map', exec: 'sleep' }]);
  const taskId = await dispatch(jobId);
  await nextTask();
  const resets = driver.resets.length;
  const { value } = await moray.client.getObject('marlin_tasks_v2', taskId);
  await put('task', taskId, { ...(value as object), timeCancelled: new Date().toISOString() });
  t.equal((await taskDone(taskId)).errorCode, 'JobCancelledError');
  t.match(await find('error', `(taskId=${taskId})`), [{ errorMessage: 'job was cancelled' }]);
  const other = await dispatch(await putJob([{ type: 'map', exec: 'wc' }]));
  t.equal((await nextTask(zones)).task['taskId'], other);
  t.ok(driver.resets.length > resets, 'in a zone that was reset');
});

t.test('output that is saved when its task has been cancelled is taken back', async (t) => {
  const { putJob, dispatch, nextTask, ask, put, taskDone, moray, frontDoor } = await startTestAgent(t, 1);
  const jobId = await putJob([{ type: 'map', exec: 'wc' }]);
  const taskId = await dispatch(jobId);
  const { zone, task } = await nextTask();
  const output = String(task['taskOutputKey']);
  while (!frontDoor.directories.has(path.posix.dirname(output))) await delay(10);
  frontDoor.failures = 1; // the next attempt comes a second later
  await ask(zone, 'POST', '/my/jobs/task/report', { taskId, commit: true, stdout: base64('1 1 6\n') });
  const { value } = await moray.client.getObject('marlin_tasks_v2', taskId);
  await put('task', taskId, { ...(value as object), timeCancelled: new Date().toISOString() });
  t.equal((await taskDone(taskId)).errorCode, 'JobCancelledError');
  const asked = (method: string) => frontDoor.requests.some((one) => one.method === method && one.url === output);
  while (!asked('DELETE')) await delay(10);
  t.ok(asked('PUT'));
  while (frontDoor.objects.has(output)) await delay(10);
  t.equal(frontDoor.failures, 0);
});

t.test('a failing init takes the queued tasks of the phase with it', async (t) => {
  const { putJob, dispatch, nextTask, ask, taskDone, find } = await startTestAgent(t, 1);
  const jobId = await putJob([{ type: 'map', exec: 'wc', init: 'false' }]);
  const tasks = [await dispatch(jobId), await dispatch(jobId)];
  const { zone, task } = await nextTask();
  // One that came later would have a zone, and an init, of its own.
  while ((await find('task', `(&(jobId=${jobId})(state=accepted))`)).length < tasks.length) await delay(10);
  const fail = { code: 'TaskInitError', message: 'user command exited with code 1' };
  await ask(zone, 'POST', '/my/jobs/task/report', { taskId: task['taskId'], fail });
  for (const one of tasks) await taskDone(one);
  const messages = (await find('error', `(jobId=${jobId})`)).map((error) => String(error['errorMessage'])).sort();
  t.match(messages, [/^task aborted because a previous task failed/, /^user command exited/]);
});
