/** Jobs end with exact outputs when supervisors die meanwhile. */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import type { MorayClient } from '../../../src/moray/client/types.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { letters, map, putLetters, quick, reduce, work } from '../../support/letters.js';
import { startWorld, type World } from '../../support/supervisor.js';

t.test('a supervisor that is killed again and again ends its jobs with exact outputs', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => work);
  const names = await putLetters(world);
  let supervisor = await world.startSupervisor('sup-1', quick);
  const jobs = await Promise.all([
    world.submit([map, map], names),
    world.submit([map, reduce(2)], names),
    world.submit([map, reduce(3), map, reduce(1)], names),
  ]);
  let running = jobs.length;
  const ended = Promise.all(jobs.map((jobId) => world.done(jobId).finally(() => running--)));
  for (let kills = 0; kills < 8 && running > 0; kills++) {
    const events = 1 + Math.floor(Math.random() * 20);
    await someChanges(world, events);
    await supervisor.kill();
    supervisor = await world.startSupervisor('sup-1', quick);
  }
  for (const job of await ended) {
    t.equal((await world.outputs(job)).join(' ').trim().split(/\s+/).sort().join(''), letters.toUpperCase());
    t.same(await world.errors(job.jobId), []);
    t.equal(job.stats?.nInputsRead, letters.length);
    t.equal(job.stats?.nTasksDispatched, (job.stats?.nTasksCommittedOk ?? 0) + (job.stats?.nTasksCommittedFail ?? 0));
  }
  const left = [...world.contents.keys()].filter((name) => /\/jobs\/.*\.0\./.test(name));
  t.same(left, [], 'no intermediate object is left');
});

/** Resolves after so many passes have seen a task change, or when nothing changes for a second. */
function someChanges(world: World, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    const watch = world.bus.subscribe({
      name: 'test: changes',
      bucket: 'task',
      filter: () => '(timeCommitted=*)',
      channels: [],
      everyMs: 20,
      onRecord: () => {},
      onPass: () => {
        if (++seen < count) return;
        watch.stop();
        resolve();
      },
    });
  });
}

t.test('two supervisors share the jobs; when one dies the other ends them, and gives the domain back', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => work);
  const names = await putLetters(world);
  const first = await world.startSupervisor('sup-1', quick);
  await world.startSupervisor('sup-2', quick);
  const jobs = await Promise.all(Array.from({ length: 6 }, () => world.submit([map, reduce(2)], names)));
  const ended = Promise.all(jobs.map((jobId) => world.done(jobId)));
  await someChanges(world, 2);
  await first.kill();
  for (const job of await ended)
    t.equal((await world.outputs(job)).join(' ').trim().split(/\s+/).sort().join(''), letters.toUpperCase());
  const again = await world.startSupervisor('sup-1', quick);
  const handed = new Promise<void>((resolve) => {
    const watch = world.bus.subscribe({
      name: 'test: domain',
      bucket: 'domain',
      filter: () => '(domainId=sup-1)',
      channels: ['marlin.domains'],
      everyMs: 100,
      onRecord: ({ value }) => {
        const { operatedBy, wantTransfer } = value as { operatedBy: string; wantTransfer: string };
        if (operatedBy !== 'sup-1' || wantTransfer !== '') return;
        watch.stop();
        resolve();
      },
    });
  });
  await handed;
  t.pass('the domain is its own again');
  while (!again.supervisor.accept(true)) await pause(20); // it is loading its jobs
  t.pass('and it operates it');
});

t.test('no domain runs before all that jobs need is known', async (t) => {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => work);
  const names = await putLetters(world);
  const asked: string[] = [];
  const awaited = new Set<string>([defaultBuckets.health, defaultBuckets.domain]);
  let letGo = () => {};
  const storageRead = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const jobId = await world.submit([map, reduce()], names);
  await world.startSupervisor('sup-1', quick, (client) => ({
    ...client,
    async *findObjects<Value>(...args: Parameters<MorayClient['findObjects']>) {
      const [bucket] = args;
      if (bucket === defaultBuckets.storage) await storageRead;
      yield* client.findObjects<Value>(...args);
      asked.push(bucket);
      awaited.delete(bucket);
      if (awaited.size === 0) letGo();
    },
  }));
  const job = await world.done(jobId);
  t.same(await world.errors(jobId), [], 'no input fails for lack of what is not known yet');
  t.equal((await world.outputs(job)).join(' ').trim().split(/\s+/).sort().join(''), letters.toUpperCase());
  const first = (...buckets: string[]) => asked.findIndex((bucket) => buckets.includes(bucket));
  const { job: jobs, jobinput, task, taskoutput, storage } = defaultBuckets;
  t.ok(first(storage) >= 0 && first(storage) < first(jobs, jobinput, task, taskoutput), 'storage nodes are read first');
});
