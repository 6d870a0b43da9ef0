/** Jobs end with exact outputs when agents die meanwhile. */
import t from 'tap';
import { type Command, startWorld, type World } from '../../support/supervisor.js';

const map = { type: 'map', exec: 'upper' } as const;
const reduce = (count = 1) => ({ type: 'reduce', exec: 'join', count }) as const;
const work: Command = (inputs, task) =>
  task.rIdx === undefined ? inputs.map((text) => text.toUpperCase()) : [[...inputs].sort().join(' ')];

const letters = 'abcdefghijklmnopqrstuvwxyz';
async function putLetters(world: World): Promise<string[]> {
  await Promise.all([...letters].map((letter) => world.putObject(`/wilma/stor/${letter}`, letter)));
  return [...letters].map((letter) => `/wilma/stor/${letter}`);
}
const quick = {
  timeAgentPoll: 100,
  timeAgentTimeout: 1000,
  timeWorkerPoll: 100,
  timeWorkerAbandon: 1500,
  timeHeartbeat: 200,
  timeJobStill: 1000,
};

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
