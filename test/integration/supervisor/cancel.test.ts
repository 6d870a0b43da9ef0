/** A cancelled job ends soon, wherever it is, and leaves nothing. */
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
t.test('a cancelled job ends, has no outputs, and its intermediate objects are removed', async (t) => {
  const world = await startWorld(t);
  let begun = () => {};
  const running = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const agent = await world.startAgent('cn1', () => (inputs, task) => {
    if (task.phaseNum > 0) begun();
    return work(inputs, task);
  });
  const names = await putLetters(world);
  await world.startSupervisor('sup-1');
  const jobId = await world.submit([map, map, reduce(2)], names, false);
  await running;
  await world.change(jobId, { timeCancelled: new Date().toISOString() });
  const job = await world.done(jobId);
  t.same(await world.outputs(job), []);
  t.same(
    [...world.contents.keys()].filter((name) => name.includes(`/jobs/${jobId}/`)),
    [],
    'nothing is left',
  );
  t.ok(job.timeCancelled);
  await agent.stop();
});
