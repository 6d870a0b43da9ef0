/**
 * Many inputs and many jobs in virtual time, without faults: what `make sim-scale` and a test measure. Supervisors are
 * the real ones; agents do no more than take what is dispatched and say that it is done.
 */
import VError from 'verror';
import { domainChannel, jobsChannel } from '../../src/bus/channels.js';
import { isoTime } from '../../src/common/iso-time.js';
import { createLogger } from '../../src/common/logging.js';
import type { BatchRequest } from '../../src/moray/client/types.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { JobRecord, Phase } from '../../src/records/job.js';
import type { Tunables } from '../../src/supervisor/config.js';
import { newId } from '../../src/supervisor/ids.js';
import { createNetwork } from './network.js';
import { createObjects, login, owner } from './objects.js';
import { type Life, startLife } from './process.js';
import { chanceOf } from './random.js';
import { runScaleAgent } from './scale-agent.js';
import { createStore, type Store } from './store.js';
import { account, baseConfig, runSupervisor } from './supervisor.js';
import { createVirtualTime } from './time.js';

const supervisorCount = 8;
const agentCount = 100;
const objectCount = 1_000;
/** In which all supervisors come to know all agents. */
const settlingMs = 10_000;
/** Longer than anything that a supervisor plans. */
const restMs = 400_000;
const recordsAtATime = 1_000;

const map: Phase = { type: 'map', exec: 'true' };
const reduce = (count: number): Phase => ({ type: 'reduce', exec: 'true', count });

const log = createLogger({ name: 'sim', level: 'fatal' });

interface Gate {
  /** Nothing but heartbeats is written, so that the store does not grow. */
  isClosed: boolean;
}

function gated(store: Store, gate: Gate, done: { supervisorRefusals: number }): Store {
  return {
    ...store,
    batch(requests, writer) {
      if (gate.isClosed && requests.some(({ bucket }) => bucket !== defaultBuckets.health))
        throw new VError({ name: 'NoDatabasePeersError' }, 'the store is away');
      try {
        return store.batch(requests, writer);
      } catch (error) {
        if (writer.startsWith('sup')) done.supervisorRefusals++;
        throw error;
      }
    },
  };
}

async function startWorld(tunables: Partial<Tunables>) {
  const config = { ...baseConfig, tunables: { ...baseConfig.tunables, ...tunables } };
  const time = createVirtualTime();
  const done = { tasks: 0, jobs: 0, claimed: 0, supervisorBatches: 0, supervisorRefusals: 0 };
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
  const store = gated(whole, gate, done);
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
  await time.run(() => false, time.nowMs + settlingMs);

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
    async createJobs(count: number, phases: readonly Phase[]): Promise<string[]> {
      const jobs = Array.from({ length: count }, () => newJob(phases, isoTime(time.nowMs)));
      for (let at = 0; at < count; at += recordsAtATime) {
        const some = jobs.slice(at, at + recordsAtATime);
        const puts = some.map((value): BatchRequest => {
          return { operation: 'put', bucket: defaultBuckets.job, key: value.jobId, value };
        });
        await client.batch(puts, { notify: [[jobsChannel, 'job']] });
      }
      return jobs.map(({ jobId }) => jobId);
    },
    async giveInput(jobId: string, count: number): Promise<void> {
      const domain = String(whole.row('job', jobId)?.value['worker']);
      for (let at = 0; at < count; at += recordsAtATime) {
        const puts = Array.from({ length: Math.min(recordsAtATime, count - at) }, (_, index): BatchRequest => {
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

function newJob(phases: readonly Phase[], timeCreated: string): JobRecord {
  const principal = { account: account.account, roles: {} };
  const auth = { login, token: 'secret', uuid: owner, groups: [], principal };
  const jobId = newId(() => chance.next());
  return { jobId, owner, name: '', auth, phases: [...phases], options: {}, state: 'queued', timeCreated };
}

function heapNow(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error('to be run with node --expose-gc');
  gc();
  return process.memoryUsage().heapUsed;
}

type World = Awaited<ReturnType<typeof startWorld>>;

export interface Measured {
  readonly count: number;
  /** Bytes, each time that it was weighed. */
  readonly held: readonly number[];
  /** Of everybody, also the simulated store and agents. */
  readonly cpuUs: number;
  readonly supervisorBatches: number;
  /** Batches of supervisors that were refused: what they wrote in vain. */
  readonly supervisorRefusals: number;
  readonly rowsLookedAt: number;
  readonly virtualMs: number;
}

export interface ScaleOptions {
  /** What the supervisors hold is measured, which kills them. Only with `node --expose-gc`. */
  readonly weighs: boolean;
  readonly tunables?: Partial<Tunables>;
}

async function measured(
  count: number,
  tunables: Partial<Tunables>,
  run: (world: World) => Promise<number[]>,
): Promise<Measured> {
  const world = await startWorld(tunables);
  const startCpu = process.cpuUsage();
  const startMs = world.time.nowMs;
  const startRows = world.store.lookedAt;
  const startBatches = world.done.supervisorBatches;
  const startRefusals = world.done.supervisorRefusals;
  const held = await run(world);
  const { user, system } = process.cpuUsage(startCpu);
  const { notCounted, done, store, time } = world;
  return {
    count,
    held,
    cpuUs: user + system - notCounted.cpuUs,
    supervisorBatches: done.supervisorBatches - startBatches,
    supervisorRefusals: done.supervisorRefusals - startRefusals,
    rowsLookedAt: store.lookedAt - startRows,
    virtualMs: time.nowMs - startMs,
  };
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

/** One job of three phases. */
export function largeJob(count: number, { weighs, tunables = {} }: ScaleOptions): Promise<Measured> {
  return measured(count, tunables, async (world) => {
    const [jobId = ''] = await during(world, world.createJobs(1, [map, reduce(8), map]));
    await world.until('claim', () => world.done.claimed > 0);
    void world.giveInput(jobId, count);
    const held: number[] = [];
    for (const part of [0.25, 0.5, 0.75]) {
      await world.until(`${part} of all tasks`, () => world.done.tasks >= part * count);
      if (weighs) held.push(await apart(world));
    }
    await world.until('end of the job', () => world.done.jobs === 1);
    const stats = (world.store.row('job', jobId)?.value as JobRecord | undefined)?.stats;
    if (stats?.nInputsRead !== count || stats.nErrors !== 0)
      throw new Error(`wrong counters: ${JSON.stringify(stats)}`);
    return held;
  });
}

/** Jobs of two phases and three inputs that all live at once. */
export function smallJobs(count: number, { weighs, tunables = {} }: ScaleOptions): Promise<Measured> {
  return measured(count, tunables, async (world) => {
    const jobs: string[] = [];
    for (let index = 0; index < count; index++)
      jobs.push(...(await during(world, world.createJobs(1, [map, reduce(1)]))));
    await world.until('all claims', () => world.done.claimed >= count);
    const held = weighs ? [await apart(world)] : [];
    for (const jobId of jobs) await during(world, world.giveInput(jobId, 3));
    await world.until('end of the jobs', () => world.done.jobs === count);
    return held;
  });
}

/** Jobs that are all there at one moment, as after an outage, until all are somebody's. */
export function newJobs(count: number): Promise<Measured> {
  return measured(count, {}, async (world) => {
    await during(world, world.createJobs(count, [map, reduce(1)]));
    await world.until('all claims', () => world.done.claimed >= count);
    return [];
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
