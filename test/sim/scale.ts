/**
 * `make sim-scale`: many inputs and many jobs in virtual time, without faults: whether what a supervisor remembers, and
 * what an input costs, stay what they are when there are more. Supervisors are the real ones; agents do no more than
 * take what is dispatched and say that it is done.
 *
 * What the supervisors remember is told apart from the simulated store, which is in the same process: the heap is measured
 * after a collection of garbage, then all supervisors die at once, time passes until nothing is planned for them any
 * more, and it is measured again. The difference is theirs, of all eight. Then they come back and go on, so that a
 * restart in the middle of everything is part of the run.
 *
 * Settings, in the environment: INPUTS, the sizes of the large job (10000,40000); JOBS, the numbers of small
 * ones (500,2000).
 */
import VError from 'verror';
import { domainChannel, jobsChannel } from '../../src/bus/channels.js';
import { isoTime } from '../../src/common/iso-time.js';
import { createLogger } from '../../src/common/logging.js';
import type { BatchRequest } from '../../src/moray/client/types.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { JobRecord, Phase } from '../../src/records/job.js';
import { newId } from '../../src/supervisor/ids.js';
import { supervisorConfig } from '../support/supervisor-config.js';
import { createNetwork } from './network.js';
import { createObjects, login, owner } from './objects.js';
import { type Life, startLife } from './process.js';
import { chanceOf } from './random.js';
import { runScaleAgent } from './scale-agent.js';
import { createStore, type Store } from './store.js';
import { account, runSupervisor } from './supervisor.js';
import { createVirtualTime } from './time.js';

const supervisorCount = 8;
const agentCount = 100;
const objectCount = 1_000;
/** Longer than anything that a supervisor plans. */
const restMs = 400_000;
const inputsAtATime = 1_000;

const map: Phase = { type: 'map', exec: 'true' };
const reduce = (count: number): Phase => ({ type: 'reduce', exec: 'true', count });

const say = (line: string) => process.stdout.write(`${line}\n`);
const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
const log = createLogger({ name: 'sim', level: 'fatal' });
const config = supervisorConfig({
  instanceUuid: 'sim',
  port: 0,
  manta: { url: 'http://unused' },
  moray: { index: { url: 'unused' }, storage: { url: 'unused' } },
  auth: { url: 'http://unused' },
});

interface Gate {
  /** Nothing but heartbeats is written, so that the store does not grow. */
  isClosed: boolean;
}

function gated(store: Store, gate: Gate): Store {
  return {
    ...store,
    batch(requests, writer) {
      if (gate.isClosed && requests.some(({ bucket }) => bucket !== defaultBuckets.health))
        throw new VError({ name: 'NoDatabasePeersError' }, 'the store is away');
      return store.batch(requests, writer);
    },
  };
}

async function startWorld() {
  const time = createVirtualTime();
  const done = { tasks: 0, jobs: 0, claimed: 0, supervisorBatches: 0 };
  const gate: Gate = { isClosed: false };
  const whole = createStore(
    () => Math.floor(time.nowMs),
    (changes, writer) => {
      if (writer.startsWith('sup')) done.supervisorBatches++;
      for (const { bucket, before, after } of changes) {
        if (bucket === defaultBuckets.task && !before?.columns['timeCommitted'] && after?.columns['timeCommitted'])
          done.tasks++;
        if (bucket !== defaultBuckets.job || before?.columns['state'] === after?.columns['state']) continue;
        if (after?.columns['state'] === 'running') done.claimed++;
        if (after?.columns['state'] === 'done') done.jobs++;
      }
    },
    { isLarge: true },
  );
  const store = gated(whole, gate);
  const network = createNetwork(store, time, chanceOf(1, 'network'));
  const objects = createObjects(store);
  const names = (stem: string, count: number) => Array.from({ length: count }, (_, index) => `${stem}-${index + 1}`);
  const agentNames = names('cn', agentCount);
  for (const agent of agentNames) {
    const value = { manta_storage_id: `stor.${agent}`, manta_compute_id: agent, zone_uuid: `zone of ${agent}` };
    store.batch([{ operation: 'put', bucket: 'manta_storage', key: agent, value }], 'operator');
  }
  const inputs = names(`/${login}/stor/object`, objectCount);
  for (const [index, name] of inputs.entries())
    objects.put(name, ['x'], [agentNames[index % agentCount] ?? '', agentNames[(7 * index + 1) % agentCount] ?? '']);
  for (const [index, name] of agentNames.entries())
    runScaleAgent(startLife(name, 1, time, 0), chanceOf(index, 'agent'), {
      network,
      store,
      objects,
      isPaused: () => gate.isClosed,
    });
  const user = startLife('user', 1, time, 0);
  const client = network.clientOf(user, true);

  let lives: Life[] = [];
  let number = 0;
  const startAll = async (): Promise<void> => {
    number++;
    lives = names('sup', supervisorCount).map((name) => startLife(name, number, time, 0));
    const started = lives.map((life) =>
      runSupervisor(life, chanceOf(number, life.name), { network, objects, config, log }),
    );
    let isStarted = false;
    void Promise.all(started).then(() => {
      isStarted = true;
    });
    await time.run(() => isStarted, time.nowMs + 60_000);
  };
  await startAll();

  return {
    time,
    done,
    notCounted: { cpuUs: 0 },
    store: whole,
    inputs,
    client,
    startAll,
    until: async (what: string, isOver: () => boolean): Promise<void> => {
      await time.run(isOver, time.nowMs + 24 * 3_600_000);
      if (!isOver()) throw new Error(`not within a day: ${what}`);
    },
    /** Bytes that all supervisors hold. They are dead afterwards. */
    async weigh(): Promise<number> {
      const before = heapNow();
      gate.isClosed = true;
      for (const life of lives.splice(0)) {
        life.end();
        network.dropListeners(life, true);
      }
      await time.run(() => false, time.nowMs + restMs);
      const held = before - heapNow();
      gate.isClosed = false;
      return held;
    },
    async createJob(phases: readonly Phase[]): Promise<string> {
      const jobId = newId(() => chance.next());
      const principal = { account: account.account, roles: {} };
      const job: JobRecord = {
        jobId,
        owner,
        name: '',
        auth: { login, token: 'secret', uuid: owner, groups: [], principal },
        phases: [...phases],
        options: {},
        state: 'queued',
        timeCreated: isoTime(time.nowMs),
      };
      await client.batch([{ operation: 'put', bucket: defaultBuckets.job, key: jobId, value: job }], {
        notify: [[jobsChannel, 'job']],
      });
      return jobId;
    },
    async giveInput(jobId: string, count: number): Promise<void> {
      const domain = String(whole.row('job', jobId)?.value['worker']);
      for (let at = 0; at < count; at += inputsAtATime) {
        const puts = Array.from({ length: Math.min(inputsAtATime, count - at) }, (_, index): BatchRequest => {
          const value = { jobId, domain, input: inputs[(at + index) % objectCount], timeCreated: isoTime(time.nowMs) };
          return { operation: 'put', bucket: defaultBuckets.jobinput, key: newId(() => chance.next()), value };
        });
        await client.batch(puts, { notify: [[domainChannel(domain), 'jobinput']] });
      }
      const filter = `(jobId=${jobId})`;
      const fields = { timeInputDone: isoTime(time.nowMs) };
      await client.batch([{ operation: 'update', bucket: defaultBuckets.job, filter, fields }], {
        notify: [[domainChannel(domain), 'job']],
      });
    },
  };
}

const chance = chanceOf(1, 'ids');

function heapNow(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error('to be run with node --expose-gc');
  gc();
  return process.memoryUsage().heapUsed;
}

type World = Awaited<ReturnType<typeof startWorld>>;

/** @param count of what the cost is shared among. */
async function measured(what: string, count: number, run: (world: World) => Promise<number[]>): Promise<void> {
  const world = await startWorld();
  const startCpu = process.cpuUsage();
  const startMs = world.time.nowMs;
  const held = await run(world);
  const { user, system } = process.cpuUsage(startCpu);
  const perOne = (value: number) => (value / count).toFixed(value / count < 10 ? 2 : 0);
  const { notCounted, done, store, time } = world;
  const cpuUs = user + system - notCounted.cpuUs;
  say(
    `${what}: supervisors hold at most ${mb(Math.max(...held))} (${held.map(mb).join(', ')}); ` +
      `each costs ${perOne(cpuUs)} us, ` +
      `${perOne(done.supervisorBatches)} batches, ${perOne(store.lookedAt)} rows looked at; ` +
      `${((time.nowMs - startMs) / 1_000).toFixed(0)} s of virtual time, ${(cpuUs / 1e6).toFixed(0)} s of CPU`,
  );
}

/** What the supervisors hold; the time that this takes is not counted. */
async function apart(world: World): Promise<number> {
  const startCpu = process.cpuUsage();
  const held = await world.weigh();
  await world.startAll();
  const { user, system } = process.cpuUsage(startCpu);
  world.notCounted.cpuUs += user + system;
  return held;
}

async function largeJob(count: number): Promise<void> {
  await measured(`one job of three phases, ${count} inputs`, count, async (world) => {
    const jobId = await during(world, world.createJob([map, reduce(8), map]));
    await world.until('claim', () => world.done.claimed > 0);
    void world.giveInput(jobId, count);
    const held: number[] = [];
    for (const part of [0.25, 0.5, 0.75]) {
      await world.until(`${part} of all tasks`, () => world.done.tasks >= part * count);
      held.push(await apart(world));
    }
    await world.until('end of the job', () => world.done.jobs === 1);
    const stats = (world.store.row('job', jobId)?.value as JobRecord | undefined)?.stats;
    if (stats?.nInputsRead !== count || stats.nErrors !== 0)
      throw new Error(`wrong counters: ${JSON.stringify(stats)}`);
    return held;
  });
}

async function smallJobs(count: number): Promise<void> {
  await measured(`${count} small jobs`, count, async (world) => {
    const jobs: string[] = [];
    for (let index = 0; index < count; index++) jobs.push(await during(world, world.createJob([map, reduce(1)])));
    await world.until('all claims', () => world.done.claimed >= count);
    const held = await apart(world);
    for (const jobId of jobs) await during(world, world.giveInput(jobId, 3));
    await world.until('end of the jobs', () => world.done.jobs === count);
    return [held];
  });
}

/** Lets time pass until the promise settles. */
async function during<Result>(world: World, promise: Promise<Result>): Promise<Result> {
  let isSettled = false;
  const result = promise.finally(() => {
    isSettled = true;
  });
  await world.until('an answer', () => isSettled);
  return result;
}

const sizes = (name: string, otherwise: string) =>
  (process.env[name] ?? otherwise)
    .split(',')
    .map(Number)
    .filter((size) => size > 0);
for (const count of sizes('INPUTS', '10000,40000')) await largeJob(count);
for (const count of sizes('JOBS', '500,2000')) await smallJobs(count);
