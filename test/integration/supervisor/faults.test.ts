/** Jobs end with exact outputs when agents die meanwhile. */
import t from 'tap';
import { taskObjectNames } from '../../../src/taskapi/object-names.js';
import { letters, map, putLetters, quick, reduce, work } from '../../support/letters.js';
import { startWorld } from '../../support/supervisor.js';

t.test('tasks of a lost agent run elsewhere, and the user sees no error', async (t) => {
  const world = await startWorld(t);
  let stuck = () => {};
  const isStuck = new Promise<void>((resolve) => {
    stuck = resolve;
  });
  const first = await world.startAgent('cn1', () => () => {
    first.die();
    stuck();
    return [];
  });
  await world.startAgent('cn2', () => work);
  const names = await putLetters(world);
  await world.startSupervisor('sup-1', quick);
  const jobId = await world.submit([map, reduce(2)], names);
  await isStuck;
  const job = await world.done(jobId);
  t.equal((await world.outputs(job)).join(' ').trim().split(/\s+/).sort().join(''), letters.toUpperCase());
  t.same(await world.errors(jobId), []);
  t.ok((job.stats?.nRetries ?? 0) > 0);
  const { nTasksDispatched = 0, nTasksCommittedOk = 0, nTasksCommittedFail = 0 } = job.stats ?? {};
  t.equal(nTasksDispatched, nTasksCommittedOk + nTasksCommittedFail);
});

t.test('an agent that restarts again and again costs an attempt each time at most, and no input', async (t) => {
  const world = await startWorld(t);
  const maxRestarts = 5;
  let restarts = 0;
  let done = 0;
  const agent = await world.startAgent('cn1', () => (inputs, task) => {
    done++;
    if (done % 3 === 0 && restarts < maxRestarts) {
      restarts++;
      void agent.restart();
      return [];
    }
    return work(inputs, task);
  });
  const names = await putLetters(world);
  await world.startSupervisor('sup-1', { ...quick, maxTaskRetries: maxRestarts });
  const job = await world.done(await world.submit([map, reduce(2)], names));
  t.equal((await world.outputs(job)).join(' ').trim().split(/\s+/).sort().join(''), letters.toUpperCase());
  t.same(await world.errors(job.jobId), []);
  t.equal(restarts, maxRestarts);
  for (const task of await world.tasks(job.jobId)) t.ok((task.nattempts ?? 0) <= 1 + maxRestarts, 'attempts');
});

t.test('what a lost agent had stored, but not recorded, is removed', async (t) => {
  const world = await startWorld(t);
  const half: string[] = [];
  let died = () => {};
  const isDead = new Promise<void>((resolve) => {
    died = resolve;
  });
  const first = await world.startAgent('cn1', () => (_inputs, { taskId, jobId, phaseNum, input, p0input }) => {
    const { taskOutputKey } = taskObjectNames({
      login: 'wilma',
      jobId,
      phaseNum,
      taskId,
      isReduce: false,
      input,
      p0input,
    });
    half.push(taskOutputKey);
    world.contents.set(taskOutputKey, 'half');
    first.die();
    died();
    return [];
  });
  await world.putObject('/wilma/stor/a', 'a');
  await world.startSupervisor('sup-1', quick);
  const jobId = await world.submit([map, map], ['/wilma/stor/a']);
  await isDead;
  await world.startAgent('cn2', () => work);
  await world.putObject('/wilma/stor/a', 'a'); // on both by now
  const job = await world.done(jobId);
  t.same(await world.outputs(job), ['A']);
  t.equal(half.length, 1);
  t.notOk(world.contents.has(half[0] ?? ''));
});
