/**
 * Nothing waits for a timer: whatever happens in the same moment as something else, a job goes on at once. The timers
 * that would rescue it are put off, or come after 9 s.
 */
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { domainChannel, jobsChannel } from '../../../src/bus/channels.js';
import type { BatchRequest, MorayClient } from '../../../src/moray/client/types.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import type { JobRecord } from '../../../src/records/job.js';
import { type Command, startWorld, type World } from '../../support/supervisor.js';

const map = { type: 'map', exec: 'upper' } as const;
const reduce = { type: 'reduce', exec: 'join', count: 2 } as const;
const upper: Command = (inputs, task) =>
  task.rIdx === undefined ? inputs.map((text) => text.toUpperCase()) : [[...inputs].sort().join(' ')];
const atOnceMs = 8000;
/** Timers that can be set do not rescue anything; the others come after 9 s. */
const never = { timeMarkInputs: 600_000, timeJobStill: 600_000 };
const input = '/wilma/stor/a';

async function start(t: import('tap').Test, through?: (client: MorayClient) => MorayClient): Promise<World> {
  const world = await startWorld(t);
  await world.startAgent('cn1', () => upper);
  await world.putObject(input, 'a');
  await world.startSupervisor('sup-1', never, through);
  return world;
}

/** The job that a batch claims. */
function claimed(requests: readonly BatchRequest[]): string | undefined {
  for (const request of requests) {
    if (!('value' in request) || request.bucket !== defaultBuckets.job) continue;
    if ((request.value as JobRecord).stats?.nTasksDispatched === 0) return request.key;
  }
  return undefined;
}

/** Does something once, right before or after the supervisor claims a job. */
function atClaim(when: 'before' | 'after', action: (jobId: string) => Promise<void>) {
  let isDone = false;
  return (client: MorayClient): MorayClient => ({
    ...client,
    async batch(requests, options) {
      const jobId = isDone ? undefined : claimed(requests);
      if (jobId !== undefined) isDone = true;
      if (jobId !== undefined && when === 'before') await action(jobId);
      const answer = await client.batch(requests, options);
      if (jobId !== undefined && when === 'after') {
        await action(jobId);
        await pause(200); // what was notified has come and gone when the supervisor learns that the job is its own
      }
      return answer;
    },
  });
}

async function change(world: World, jobId: string, fields: Partial<JobRecord>): Promise<void> {
  const { value } = await world.client.getObject<JobRecord>(defaultBuckets.job, jobId);
  const channel = value.worker === undefined ? jobsChannel : domainChannel(value.worker);
  await world.client.batch([{ bucket: defaultBuckets.job, key: jobId, value: { ...value, ...fields } }], {
    notify: [[channel, 'job']],
  });
}

const now = () => new Date().toISOString();
const newInput = (jobId: string) => ({
  bucket: defaultBuckets.jobinput,
  key: `input of ${jobId}`,
  value: { jobId, input, timeCreated: now() },
});

async function soonDone(t: import('tap').Test, world: World, jobId: string): Promise<JobRecord> {
  const startMs = Date.now();
  const job = await world.done(jobId);
  const tookMs = Date.now() - startMs;
  t.ok(tookMs < atOnceMs, `done after ${tookMs} ms`);
  return job;
}

t.test('end of input in the moment of the claim', async (t) => {
  for (const when of ['before', 'after'] as const) {
    const world = await start(
      t,
      atClaim(when, (jobId) => change(world, jobId, { timeInputDone: now() })),
    );
    const job = await soonDone(t, world, await world.submit([map], [input], false));
    t.same(await world.outputs(job), ['A']);
  }
});

t.test('cancellation in the moment of the claim', async (t) => {
  for (const when of ['before', 'after'] as const) {
    const world = await start(
      t,
      atClaim(when, (jobId) => change(world, jobId, { timeCancelled: now() })),
    );
    await soonDone(t, world, await world.submit([map, reduce], [input], false));
  }
});

t.test('an input that knows no domain, written after the claim', async (t) => {
  const world = await start(
    t,
    atClaim('after', async (jobId) => {
      await world.client.batch([newInput(jobId)], { notify: [[jobsChannel, 'jobinput']] });
    }),
  );
  const jobId = await world.submit([map], [], false);
  const startMs = Date.now();
  await new Promise<void>((resolve) => {
    const watch = world.bus.subscribe({
      name: 'test: tasks',
      bucket: 'task',
      filter: () => `(jobId=${jobId})`,
      channels: [],
      everyMs: 50,
      onRecord: () => {
        watch.stop();
        resolve();
      },
    });
  });
  t.ok(Date.now() - startMs < atOnceMs, `dispatched after ${Date.now() - startMs} ms`);
  await change(world, jobId, { timeInputDone: now() });
  await soonDone(t, world, jobId);
});

t.test('counts that are out of date when they arrive', async (t) => {
  const world = await start(t, (client) => ({
    ...client,
    async *findObjects<Value>(...args: Parameters<MorayClient['findObjects']>) {
      const found = [];
      for await (const object of client.findObjects<Value>(...args)) found.push(object);
      if (args[2]?.limit === 1) await pause(100 + 300 * Math.random());
      yield* found;
    },
  }));
  for (const phases of [[map], [map, map], [map, reduce]])
    await soonDone(t, world, await world.submit(phases, [input]));
});

t.test('many tiny jobs, one after another', async (t) => {
  const world = await start(t);
  const tookMs: number[] = [];
  for (let run = 0; run < 60; run++) {
    const startMs = Date.now();
    await world.done(await world.submit([map], [input]));
    tookMs.push(Date.now() - startMs);
  }
  tookMs.sort((a, b) => a - b);
  t.comment(`median ${tookMs[30]}, worst ${tookMs.at(-1)} ms`);
  t.ok((tookMs.at(-1) ?? 0) < atOnceMs, 'none waits for a timer');
});
