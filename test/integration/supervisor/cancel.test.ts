/** A cancelled job ends soon, wherever it is, and leaves nothing. */
import t from 'tap';
import { map, putLetters, reduce, work } from '../../support/letters.js';
import { startWorld } from '../../support/supervisor.js';

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
