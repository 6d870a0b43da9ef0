import t from 'tap';
import { type Command, startWorld, TaskFailure } from '../../support/supervisor.js';

const upper: Command = (inputs) => inputs.map((text) => text.toUpperCase());
const joined: Command = (inputs) => [[...inputs].sort().join(' ')];
const map = { type: 'map', exec: 'upper' } as const;
const reduce = (count = 1) => ({ type: 'reduce', exec: 'join', count }) as const;

t.test('jobs', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => (inputs, task) => (task.rIdx === undefined ? upper : joined)(inputs, task));
  for (const name of ['a', 'b', 'c']) await world.putObject(`/wilma/stor/${name}`, name);
  await world.putObject('/wilma/stor/empty', '');
  await world.startSupervisor('sup-1');
  const names = ['/wilma/stor/a', '/wilma/stor/b', '/wilma/stor/c'];

  await t.test('a map job makes one output per input', async (t) => {
    const job = await world.done(await world.submit([map], names));
    t.same(await world.outputs(job), ['A', 'B', 'C']);
    t.match(job.stats, { nAssigns: 1, nErrors: 0, nInputsRead: 3, nJobOutputs: 3, nTasksDispatched: 3 });
    t.match(job.stats, { nTasksCommittedOk: 3, nTasksCommittedFail: 0, nRetries: 0 });
    t.ok(job.timeDone);
  });

  await t.test('outputs of one map phase are inputs of the next, and are removed afterwards', async (t) => {
    world.removed.length = 0;
    const job = await world.done(await world.submit([map, map], names));
    t.same(await world.outputs(job), ['A', 'B', 'C']);
    t.equal(world.removed.length, 3, 'the intermediate objects');
    t.ok(world.removed.every((name) => name.startsWith(`/wilma/jobs/${job.jobId}/stor/wilma/stor/`)));
    t.match(job.stats, { nTasksDispatched: 6, nTasksCommittedOk: 6, nJobOutputs: 3 });
  });

  await t.test('a reducer gets all inputs, whatever their number, and they are removed afterwards', async (t) => {
    world.removed.length = 0;
    const job = await world.done(await world.submit([map, reduce(2)], names));
    const words = (await world.outputs(job)).join(' ').trim().split(/\s+/).sort();
    t.same(words, ['A', 'B', 'C']);
    t.equal(job.stats?.nJobOutputs, 2);
    t.equal(world.removed.length, 3);
    for (const task of await world.tasks(job.jobId))
      if (task.rIdx !== undefined) t.ok(task.timeInputsMarkCleanupDone, 'cleanup is over');
  });

  await t.test('a reduce phase without inputs runs each reducer once', async (t) => {
    const job = await world.done(await world.submit([reduce(2)], []));
    t.same(await world.outputs(job), ['', '']);
  });

  await t.test('a map phase without inputs does nothing', async (t) => {
    const job = await world.done(await world.submit([map, map], []));
    t.same(await world.outputs(job), []);
    t.match(job.stats, { nTasksDispatched: 0, nErrors: 0 });
  });

  await t.test('an object without bytes runs anywhere', async (t) => {
    const job = await world.done(await world.submit([map], ['/wilma/stor/empty']));
    t.same(await world.outputs(job), ['']);
    const [task] = await world.tasks(job.jobId);
    t.match(task, { objectid: '/dev/null', zonename: '' });
  });

  await t.test('what cannot be dispatched is an error with the exact message', async (t) => {
    await world.client.putObject('manta', '/11111111-1111-4111-8111-111111111111/stor/dir', { type: 'directory' });
    const cases: [string, string, string][] = [
      ['/nobody/stor/obj1', 'ResourceNotFoundError', 'no such object: "/nobody/stor/obj1"'],
      ['/wilma/stor/none', 'ResourceNotFoundError', 'no such object: "/wilma/stor/none"'],
      ['/wilma/stor/dir', 'InvalidArgumentError', 'objects of type "directory" are not supported: "/wilma/stor/dir"'],
      ['/', 'ResourceNotFoundError', 'malformed object name: "/"'],
      ['/wilma', 'ResourceNotFoundError', 'malformed object name: "/wilma"'],
      ['/wilma/', 'ResourceNotFoundError', 'no such object: "/wilma/"'],
    ];
    const inputs = [...cases.map(([input]) => input), '/wilma//stor/./a'];
    const job = await world.done(await world.submit([map], inputs));
    t.same(await world.outputs(job), ['A']);
    const errors = (await world.errors(job.jobId)).map(({ input, errorCode, errorMessage }) => [
      input,
      errorCode,
      errorMessage,
    ]);
    t.same(errors.sort(), cases.sort());
    t.match(job.stats, { nErrors: 6, nInputsRead: 7 });
  });

  await t.test('two hundred inputs', async (t) => {
    const inputs = Array.from({ length: 200 }, (_, index) => `/wilma/stor/${'abc'[index % 3]}`);
    const startMs = Date.now();
    const job = await world.done(await world.submit([map, map, reduce(2)], inputs));
    t.comment(`${Date.now() - startMs} ms`);
    t.equal((await world.outputs(job)).join(' ').trim().split(/\s+/).length, 200);
    t.match(job.stats, { nTasksDispatched: 402, nTasksCommittedOk: 402, nErrors: 0, nRetries: 0, nAssigns: 1 });
  });
});

t.test('failures', async (t) => {
  const world = await startWorld(t);
  let calls = 0;
  const failing: Command = (inputs, task) => {
    calls++;
    if (inputs[0] === 'user') throw new TaskFailure('UserTaskError', 'user command exited with code 1');
    if (inputs[0] === 'killed' && task.nattempts === 1) throw new TaskFailure('TaskKilledError', 'killed');
    if (inputs[0] === 'doomed') throw new TaskFailure('TaskKilledError', 'killed');
    return inputs;
  };
  await world.startAgent('cn1', () => failing);
  for (const name of ['user', 'killed', 'doomed', 'fine']) await world.putObject(`/wilma/stor/${name}`, name);
  await world.startSupervisor('sup-1');

  await t.test('what the user did is shown at once; what we did runs again, three times at most', async (t) => {
    const inputs = ['user', 'killed', 'doomed', 'fine'].map((name) => `/wilma/stor/${name}`);
    const job = await world.done(await world.submit([map], inputs));
    t.same(await world.outputs(job), ['fine', 'killed']);
    const errors = (await world.errors(job.jobId)).map(({ errorCode, input }) => [errorCode, input]).sort();
    t.same(errors, [
      ['TaskKilledError', '/wilma/stor/doomed'],
      ['UserTaskError', '/wilma/stor/user'],
    ]);
    t.equal(calls, 1 + 2 + 3 + 1);
    t.match(job.stats, { nErrors: 2, nRetries: 3, nTasksDispatched: 7, nTasksCommittedOk: 2, nTasksCommittedFail: 5 });
  });
});
