/**
 * What one supervisor costs and carries, with a real Moray and simulated agents: queries of an idle domain, the time from
 * an input to its task, and map tasks per second. The supervisor runs in this process, Moray and the agents in others of
 * this machine, so the last figure is one of all three together. Prints a table, then one JSON line.
 */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { domainChannel } from '../../src/bus/channels.js';
import { isoTime } from '../../src/common/iso-time.js';
import type { BatchRequest, MorayClient } from '../../src/moray/client/types.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { TaskRecord } from '../../src/records/task.js';
import { startWorld, type World } from '../../test/support/supervisor.js';

const instance = 'supervisor';
const agentCount = 4;
const objectCount = 1_000;
const taskCount = 20_000;
const idleS = 60;
const singleInputs = 200;
/** Between two of them: queries that follow each other closely wait for each other. */
const apartMs = 250;
const phases = [{ type: 'map', exec: 'true' }] as const;

async function main(): Promise<void> {
  const ends: (() => void | Promise<void>)[] = [];
  try {
    report(await measure(await startWorld({ teardown: (end) => void ends.unshift(end) }), ends));
  } finally {
    for (const end of ends) await end();
  }
}

async function measure(world: World, ends: (() => void | Promise<void>)[]): Promise<Figures> {
  const agents = Array.from({ length: agentCount }, (_, index) => `${index + 1}.cn.bench`);
  const child = fork(fileURLToPath(new URL('simulated-agents.js', import.meta.url)), [world.morayUrl, ...agents]);
  ends.unshift(async () => {
    const ended = once(child, 'exit');
    child.kill();
    await ended;
  });
  await once(child, 'message');
  const names = Array.from({ length: objectCount }, (_, index) => `/wilma/stor/${index}`);
  for (const name of names) await world.putObject(name, 'x');
  const seen = { queries: 0, calls: 0, onTask: (_input: string) => {} };
  const start = () => world.startSupervisor(instance, {}, (client) => watched(client, seen));
  const first = await start();

  const job = await world.submit(phases, [], false);
  await world.claimed(job);
  const times: number[] = [];
  for (let index = -3; index < singleInputs; index++) {
    await delay(apartMs);
    const elapsedMs = await inputToTask(world, job, names[index + 3] ?? '', seen);
    if (index >= 0) times.push(elapsedMs);
  }
  await world.change(job, { timeInputDone: isoTime(Date.now()) });
  await world.done(job);
  times.sort((a, b) => a - b);
  const at = (share: number) => Math.round(10 * (times[Math.floor(share * times.length)] ?? 0)) / 10;

  // All inputs are there when the supervisor starts: how fast they are written is not its merit.
  await first.stop();
  const many = Array.from({ length: taskCount }, (_, index) => names[index % objectCount] ?? '');
  const large = await world.submit(phases, many);
  const startMs = performance.now();
  await start();
  await world.done(large);
  const tasksPerSecond = (1000 * taskCount) / (performance.now() - startMs);

  await delay(20_000); // whatever is left to do for jobs that are done
  seen.queries = 0;
  seen.calls = 0;
  await delay(idleS * 1000);
  return {
    'queries per second, idle': seen.queries / idleS,
    'calls of Moray per second, idle': seen.calls / idleS,
    'from input to task, p50 (ms)': at(0.5),
    'from input to task, p99 (ms)': at(0.99),
    'map tasks per second': Math.round(tasksPerSecond),
  };
}

interface Seen {
  queries: number;
  calls: number;
  /** A task for this input is stored. */
  onTask: (input: string) => void;
}

function watched(client: MorayClient, seen: Seen): MorayClient {
  return {
    ...client,
    findObjects(...args: Parameters<MorayClient['findObjects']>) {
      seen.queries++;
      seen.calls++;
      return client.findObjects(...args);
    },
    getObject(...args: Parameters<MorayClient['getObject']>) {
      seen.queries++;
      seen.calls++;
      return client.getObject(...args);
    },
    async batch(requests: readonly BatchRequest[], ...rest) {
      seen.calls++;
      const answer = await client.batch(requests, ...rest);
      for (const request of requests)
        if (request.bucket === defaultBuckets.task && 'value' in request)
          seen.onTask((request.value as unknown as TaskRecord).input ?? '');
      return answer;
    },
  } as MorayClient;
}

/** As the front door writes it, which knows the job's domain: from the acknowledgement of an input to that of its task. @returns ms */
async function inputToTask(world: World, jobId: string, input: string, seen: Seen): Promise<number> {
  const task = new Promise<number>((resolve) => {
    seen.onTask = (of) => {
      if (of === input) resolve(performance.now());
    };
  });
  const value = { jobId, input, domain: instance, timeCreated: isoTime(Date.now()) };
  await world.bus.batch([{ op: 'put', bucket: 'jobinput', key: randomUUID(), value }], {
    notify: [[domainChannel(instance), ['jobinput']]],
  });
  const startMs = performance.now();
  return (await task) - startMs;
}

type Figures = Readonly<Record<string, number>>;

function report(figures: Figures): void {
  for (const [name, value] of Object.entries(figures))
    process.stdout.write(`${name.padEnd(44)} ${String(value).padStart(10)}\n`);
  process.stdout.write(`${JSON.stringify({ node: process.version, ...figures })}\n`);
}

await main();
