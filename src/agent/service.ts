/** The agent as a process: its neighbours, its rhythm, and its order of start and stop. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createBus } from '../bus/bus.js';
import { agentChannel, domainsChannel } from '../bus/channels.js';
import { ensureBuckets } from '../bus/ensure-buckets.js';
import type { Subscription } from '../bus/types.js';
import { type Clock, systemClock } from '../common/clock.js';
import { loadConfig } from '../common/config.js';
import { isoTime } from '../common/iso-time.js';
import { createLogger, type Logger } from '../common/logging.js';
import { runParts } from '../common/parts.js';
import { createOperatorServer } from '../http/operator-server.js';
import { createPendingRequests } from '../http/pending.js';
import { connectMoray } from '../moray/client/client.js';
import { defaultBuckets } from '../records/buckets.js';
import { type AgentConfig, configSchema } from './config.js';
import { type Core, startCore } from './core.js';
import { createInstruments } from './instruments.js';
import { registerMetrics } from './operator/metrics.js';
import { operatorRoutes } from './operator/routes.js';
import { snapshot, snapshotSchema } from './operator/snapshot.js';
import { inputQueries, type QueryContext, queryEveryMs, taskQueries } from './queries.js';
import { adoptTasks } from './tasks/adopt.js';
import type { AgentIdentity } from './tasks/records.js';
import { createUpstream } from './upstream.js';
import type { ZoneDriver } from './zones/driver.js';
import { createDriver } from './zones/drivers/choose.js';
import { deleteOldLogs } from './zones/saved-logs.js';

const graceMs = 30_000;

export async function main(configFile: string): Promise<void> {
  const unknown: string[] = [];
  const config = loadConfig(configFile, configSchema, (key) => unknown.push(key));
  const log = createLogger({ name: 'MarlinAgent', file: config.log?.file });
  if (unknown.length > 0) log.warn({ unknown }, 'configuration has unknown keys');
  const start = async () => {
    const agent = await startAgent(config, log);
    return agent.stop;
  };
  await runParts([start], graceMs);
}

export interface RunningAgent {
  /** Of the operator HTTP server. */
  readonly port: number;
  readonly core: Core;
  stop(): Promise<void>;
}

/** @param driver instead of the one that the configuration names. */
export async function startAgent(config: AgentConfig, log: Logger, driver?: ZoneDriver): Promise<RunningAgent> {
  const clock = systemClock;
  const { tunables } = config;
  const me: AgentIdentity = {
    computeId: config.mantaComputeId,
    serverUuid: config.instanceUuid,
    generation: isoTime(clock.nowMs()),
  };
  const savedLogs = path.join(config.dataDir, 'log', 'zones');
  await fs.mkdir(savedLogs, { recursive: true, mode: 0o700 });
  const zones = driver ?? (await createDriver(config, log));
  const [moray] = await Promise.all([connectMoray({ url: config.moray.url, log }), zones.start()]);
  const buckets = { ...defaultBuckets, ...config.buckets };
  const bus = createBus({ moray, buckets, instance: me.computeId, clock, random: Math.random, log });
  const instruments = createInstruments();
  const pending = createPendingRequests(log, () => clock.nowMs());
  const slop = await slopOf(config);
  log.info('memory slop: %d MB', slop.memoryMb);
  log.info('disk slop: %d GB', slop.diskGb);
  const upstream = createUpstream({
    url: config.manta.url,
    maxSockets: tunables.httpMaxSockets,
    spareSockets: tunables.httpSpareSockets,
    keepAliveMs: tunables.httpTcpKeepAliveDelay,
    connectMs: tunables.timeUpstreamConnect,
    clock,
    instruments,
  });
  const subscriptions = new Map<string, Subscription[]>();
  const core = await startCore({
    config,
    me,
    bus,
    driver: zones,
    upstream,
    clock,
    random: Math.random,
    log,
    slop,
    instruments,
    pending,
    wake: (what) => subscriptions.get(what)?.[0]?.wake(),
  });
  await ensureBuckets({
    moray,
    buckets,
    clock,
    log,
    names: ['error', 'health', 'job', 'task', 'taskinput', 'taskoutput'],
  });
  await adoptTasks(bus, me);
  core.meter.agentStarted();
  const health = {
    component: 'agent',
    instance: me.computeId,
    serverUuid: me.serverUuid,
    generation: me.generation,
  } as const;
  await bus.heartbeat(health, { notify: [[domainsChannel, ['health']]] });
  const context: QueryContext = { me, table: core.table, inputs: core.inputs };
  const poll = { channels: [agentChannel(me.computeId)], everyMs: queryEveryMs, unprovenEveryMs: tunables.timePoll };
  subscriptions.set(
    'tasks',
    taskQueries.map((row) =>
      bus.subscribe({ ...poll, ...row, filter: () => row.filter(context), onRecord: row.onRecord(context) }),
    ),
  );
  subscriptions.set(
    'inputs',
    inputQueries.map((row) =>
      bus.subscribe({ ...poll, ...row, filter: () => row.filter(context), onRecord: row.onRecord(context) }),
    ),
  );
  const tick: Tick = { start: null, done: null };
  const stopRhythm = startRhythm(clock, log, [
    {
      everyMs: tunables.timeHeartbeat,
      run: async () => {
        await bus.heartbeat(health);
        core.hogCheck();
      },
    },
    { everyMs: tunables.timeTick, run: () => tickOnce(core, clock, log, tick) },
    { everyMs: tunables.timeAbandonedCheck, run: () => core.dropAbandoned() },
    { everyMs: tunables.timeFrequentCheckpoint, run: () => checkpoint(core, true) },
    { everyMs: tunables.timeTasksCheckpoint, run: () => checkpoint(core, false) },
    { everyMs: 3_600_000, run: () => deleteOldLogs(savedLogs, clock.nowMs()) },
  ]);
  const started = isoTime(clock.nowMs());
  const server = await createOperatorServer({
    name: 'MarlinAgent',
    host: config.host,
    port: config.port,
    log,
    routes: operatorRoutes(core),
    snapshot: () =>
      snapshot({ config, core, instruments, pending, upstream, busState: () => bus.state(), started, tick }),
    schema: snapshotSchema,
    pending,
  });
  instruments.register(server.registry);
  registerMetrics(server.registry, { core, upstream });
  log.info({ generation: me.generation, driver: zones.name }, 'agent started');
  return {
    port: server.port,
    core,
    async stop() {
      await server.stop();
      stopRhythm();
      for (const several of subscriptions.values()) for (const subscription of several) subscription.stop();
      await core.stop();
      await zones.stop();
      upstream.stop();
      await bus.stop();
      await moray.close();
    },
  };
}

/** Memory and disk for tasks that ask for more than the default, in whole MB and GB. */
async function slopOf(config: AgentConfig): Promise<{ memoryMb: number; diskGb: number }> {
  const { zoneMemorySlopPercent, zoneDiskSlopPercent } = config.tunables;
  const disk = await fs.statfs(config.dataDir);
  return {
    memoryMb: Math.floor(((zoneMemorySlopPercent / 100) * os.totalmem()) / 2 ** 20),
    diskGb: Math.floor(((zoneDiskSlopPercent / 100) * disk.blocks * disk.bsize) / 2 ** 30),
  };
}

interface Tick {
  start: string | null;
  done: string | null;
}

/** Looks at the zones; an agent that has lost count of its tasks ends itself: its next start counts anew. */
async function tickOnce(core: Core, clock: Clock, log: Logger, tick: Tick): Promise<void> {
  tick.start = isoTime(clock.nowMs());
  try {
    core.selfCheck();
  } catch (error) {
    log.fatal({ err: error }, 'the scheduler has lost count');
    setImmediate(() => {
      throw error;
    });
  }
  await core.livenessCheck();
  tick.done = isoTime(clock.nowMs());
}

async function checkpoint(core: Core, frequent: boolean): Promise<void> {
  for (const stream of [...core.streams.byZone.values()]) {
    if (!frequent || stream.details.frequentCheckpoint) await core.streams.checkpoint(stream);
  }
}

interface Beat {
  readonly everyMs: number;
  readonly run: () => Promise<void>;
}

/** Runs each again some time after it has ended: what takes long does not pile up. @returns its stop. */
function startRhythm(clock: Clock, log: Logger, beats: readonly Beat[]): () => void {
  const cancels = new Map<Beat, () => void>();
  let stopped = false;
  const later = (beat: Beat) => {
    if (!stopped)
      cancels.set(
        beat,
        clock.after(beat.everyMs, () => void once(beat)),
      );
  };
  const once = async (beat: Beat) => {
    await beat.run().catch((error: unknown) => log.warn({ err: error }, 'a regular task of the agent failed'));
    later(beat);
  };
  for (const beat of beats) later(beat);
  return () => {
    stopped = true;
    for (const cancel of cancels.values()) cancel();
  };
}
