/** What does not fit into one write, one window or one attempt. */
import t from 'tap';
import { absent } from '../../../src/moray/client/filter.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { type Command, type FakeAgent, startWorld, TaskFailure, type World } from '../../support/supervisor.js';

const map = { type: 'map', exec: 'upper' } as const;
const reduce = (count = 1) => ({ type: 'reduce', exec: 'join', count }) as const;
const letters = [...'abcdefghijklmnopqrstuvwxyz'];
const work: Command = (inputs, task) =>
  task.rIdx === undefined ? inputs.map((text) => text.toUpperCase()) : [[...inputs].sort().join(' ')];

async function putLetters(world: World): Promise<string[]> {
  await Promise.all(letters.map((letter) => world.putObject(`/wilma/stor/${letter}`, letter)));
  return letters.map((letter) => `/wilma/stor/${letter}`);
}

async function lettersOf(world: World, job: Awaited<ReturnType<World['done']>>): Promise<string> {
  return (await world.outputs(job)).join(' ').trim().split(/\s+/).sort().join('');
}

const intermediate = (world: World, jobId: string) =>
  [...world.contents.keys()].filter((name) => name.includes(`/jobs/${jobId}/`) && !/\.[1-9]\.[^.]*$/.test(name));

t.test('reducers do not keep the tasks that feed them out of the window', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => work);
  const names = await putLetters(world);
  await world.startSupervisor('sup-1', { maxTasksPerAgent: 3 });
  const job = await world.done(await world.submit([map, reduce(8)], names));
  t.equal(await lettersOf(world, job), letters.join('').toUpperCase());
});

t.test('no more than a window of tasks is unfinished', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => work);
  const names = await putLetters(world);
  await world.startSupervisor('sup-1', { maxTasksPerAgent: 3 });
  let most = 0;
  let current = 0;
  const watch = world.bus.subscribe({
    name: 'test: unfinished tasks',
    bucket: 'task',
    filter: () => absent('timeCommitted'),
    channels: ['marlin.agent.cn1'],
    everyMs: 20,
    onRecord: () => {
      current++;
    },
    onPass: () => {
      most = Math.max(most, current);
      current = 0;
    },
  });
  const job = await world.done(await world.submit([map, map], names));
  watch.stop();
  t.equal(await lettersOf(world, job), letters.join('').toUpperCase());
  t.ok(most > 0 && most <= 3, `at most ${most} were`);
});

t.test('marks over several laps', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', (): Command => (inputs, task) => (task.phaseNum === 0 ? letters : work(inputs, task)));
  await world.putObject('/wilma/stor/one', 'one');
  await world.startSupervisor('sup-1', { maxRecordsPerUpdate: 5, maxRecordsPerCancel: 5 });
  const job = await world.done(await world.submit([map, map, reduce()], ['/wilma/stor/one']));
  t.same(await world.outputs(job), [letters.join(' ').toUpperCase()]);
  t.match(job.stats, { nTasksDispatched: 28, nTasksCommittedOk: 28, nErrors: 0, nJobOutputs: 1, nInputsRead: 1 });
  t.equal(world.removed.length, 52, 'all intermediate objects are removed, once');
});

t.test('a reducer runs again with all inputs of the lost attempt', async (t) => {
  const world = await startWorld(t);
  const agents = new Map<string, FakeAgent>();
  let killed = '';
  const command = (id: string) => (): Command => (inputs, task) => {
    if (task.rIdx !== undefined && killed === '') {
      killed = id;
      agents.get(id)?.die();
    }
    return work(inputs, task);
  };
  for (const id of ['cn1', 'cn2']) agents.set(id, await world.startAgent(id, command(id)));
  const names = await putLetters(world);
  await world.startSupervisor('sup-1', { timeAgentPoll: 100, timeAgentTimeout: 1000, maxRecordsPerUpdate: 5 });
  const job = await world.done(await world.submit([map, reduce()], names));
  t.same(await world.outputs(job), [letters.join(' ').toUpperCase()]);
  t.same(await world.errors(job.jobId), []);
  const attempts = (await world.tasks(job.jobId)).filter(({ rIdx }) => rIdx !== undefined);
  t.same(attempts.map(({ nattempts }) => nattempts).sort(), [1, 2]);
  t.ok(attempts.find(({ mantaComputeId }) => mantaComputeId === killed)?.timeInputsMarkRetryDone);
  t.match(job.stats, { nRetries: 1, nErrors: 0 });
  t.same(intermediate(world, job.jobId), [], 'no intermediate object is left');
});

t.test('what a failed attempt made is removed', async (t) => {
  const world = await startWorld(t);
  await world.startAgent(
    'cn1',
    (): Command => (inputs, task) => {
      if (task.nattempts === 1) throw new TaskFailure('TaskKilledError', 'killed', ['half', 'made']);
      return work(inputs, task);
    },
  );
  await world.putObject('/wilma/stor/a', 'a');
  await world.startSupervisor('sup-1');
  const job = await world.done(await world.submit([map, map], ['/wilma/stor/a']));
  t.same(await world.outputs(job), ['A']);
  t.equal([...world.contents.keys()].filter((name) => name.includes('/jobs/')).length, 1, 'nothing else is left');
  t.match(job.stats, { nRetries: 2, nTasksDispatched: 4, nJobOutputs: 1, nErrors: 0 });
});

t.test('input that is idle for long ends by itself', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => work);
  await world.putObject('/wilma/stor/a', 'a');
  await world.startSupervisor('sup-1', { timeJobIdleClose: 300 });
  const job = await world.done(await world.submit([map], ['/wilma/stor/a'], false));
  t.same(await world.outputs(job), ['A']);
  t.ok(job.timeInputDone);
});

t.test('a job that is taken up again goes on with true counts', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => work);
  const names = await putLetters(world);
  const first = await world.startSupervisor('sup-1', { maxTasksPerAgent: 4 });
  const jobId = await world.submit([map, reduce(2)], names, false);
  await new Promise<void>((resolve) => {
    let seen = 0;
    const watch = world.bus.subscribe({
      name: 'test: committed tasks',
      bucket: 'task',
      filter: () => '(timeCommitted=*)',
      channels: [],
      everyMs: 20,
      onRecord: () => {
        if (++seen < 5) return;
        watch.stop();
        resolve();
      },
    });
  });
  await first.stop();
  await world.startSupervisor('sup-1', { maxTasksPerAgent: 4 });
  await world.change(jobId, { timeInputDone: new Date().toISOString() });
  const job = await world.done(jobId);
  t.equal(await lettersOf(world, job), letters.join('').toUpperCase());
  t.match(job.stats, { nAssigns: 2, nInputsRead: 26, nTasksDispatched: 28, nTasksCommittedOk: 28, nJobOutputs: 2 });
});

t.test('no save of a job is refused when nobody else writes it', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => work);
  const names = await putLetters(world);
  const jobId = await world.submit([map, reduce()], names);
  let saves = 0;
  const refused: string[] = [];
  await world.startSupervisor('sup-1', { timeJobSave: 1, maxTasksPerAgent: 3 }, (client) => ({
    ...client,
    async batch(requests, options) {
      if (requests.some(({ bucket }) => bucket === defaultBuckets.job)) saves++;
      try {
        return await client.batch(requests, options);
      } catch (error) {
        refused.push((error as Error).message);
        throw error;
      }
    },
  }));
  await world.done(jobId);
  t.ok(saves >= 3, `${saves} batches with the job`);
  t.same(
    refused.filter((message) => message.includes(defaultBuckets.job)),
    [],
  );
});

t.test('an output that cannot be passed on is removed', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => work);
  await world.putObject('/wilma/stor/a', 'a');
  let lost = 0;
  await world.startSupervisor('sup-1', {}, (client) => ({
    ...client,
    async batch(requests, options) {
      // Whatever the first phase made is in no index any more when its task is committed.
      for await (const { key } of client.findObjects('manta', '(type=object)'))
        if (key.includes('/jobs/')) {
          await client.delObject('manta', key);
          lost++;
        }
      return client.batch(requests, options);
    },
  }));
  const job = await world.done(await world.submit([map, map], ['/wilma/stor/a']));
  t.equal(lost, 1);
  const [error, ...others] = await world.errors(job.jobId);
  t.match(error, { errorCode: 'ResourceNotFoundError', phaseNum: 1, p0input: '/wilma/stor/a' });
  t.same(others, []);
  t.equal(world.removed.length, 1);
  t.same(intermediate(world, job.jobId), [], 'it is gone');
});
