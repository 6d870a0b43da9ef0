/**
 * The agent without its surroundings: scheduler, tasks, zones and their HTTP services, put together. What the scheduler
 * decides is carried out here, in order; events that arise meanwhile wait their turn.
 */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import semver from 'semver';
import type { Bus } from '../bus/types.js';
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import type { PendingRequests } from '../http/pending.js';
import { taskErrors } from '../records/error-codes.js';
import type { Phase } from '../records/job.js';
import type { AgentConfig } from './config.js';
import type { Instruments } from './instruments.js';
import { createMeter, type Meter } from './metering/meter.js';
import type { Action, SchedulerEvent } from './scheduler/events.js';
import { checkState } from './scheduler/self-check.js';
import { createSchedulerState, type SchedulerState } from './scheduler/state.js';
import { step } from './scheduler/step.js';
import { reasonOf, stopSilentZones } from './streams/liveness.js';
import { createStreams, type Streams } from './streams/streams.js';
import { createTogetherSaver } from './taskcontrol/save-together.js';
import { startZoneServer, type ZoneServer } from './taskcontrol/server.js';
import { streamHooks, taskHooks } from './taskhooks/order.js';
import { createInputs, type Inputs } from './tasks/inputs.js';
import type { AgentIdentity } from './tasks/records.js';
import { createTaskTable, type TaskTable } from './tasks/table.js';
import type { Task } from './tasks/task.js';
import type { Upstream } from './upstream.js';
import type { ZoneDriver, ZoneImage } from './zones/driver.js';
import { createPool, type Pool } from './zones/pool.js';

export interface CoreParts {
  readonly config: AgentConfig;
  readonly me: AgentIdentity;
  readonly bus: Pick<Bus, 'get' | 'batch'>;
  /** Started. */
  readonly driver: ZoneDriver;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly instruments: Instruments;
  /** Where requests of zones are listed while they are under way. */
  readonly pending: PendingRequests;
  readonly slop: { readonly memoryMb: number; readonly diskGb: number };
  /** Runs the query of dispatched tasks, or of inputs, at once. */
  readonly wake: (what: 'tasks' | 'inputs') => void;
}

export interface Core {
  readonly table: TaskTable;
  readonly inputs: Inputs;
  readonly pool: Pool;
  readonly streams: Streams;
  readonly meter: Meter;
  readonly scheduler: SchedulerState;
  /** The servers of the zones, by zone. */
  readonly servers: ReadonlyMap<string, Pick<ZoneServer, 'polls' | 'proxied'>>;
  /** All that zones can be made of, the one that is preferred first. */
  readonly images: readonly ZoneImage[];
  /** Prepares zones that are there and not known: at the start, or because they were removed or are new. */
  discover(): Promise<void>;
  /** Forgets a disabled zone. @throws VError `ConflictError` unless it is disabled. */
  remove(zone: string): Promise<void>;
  /** Ends idle zones whose time is over, and hogs. */
  hogCheck(): void;
  /** Stops zones whose lackey fell silent. */
  livenessCheck(): Promise<void>;
  /** Ends tasks that others have taken over. */
  dropAbandoned(): Promise<void>;
  /** @throws AssertionError when the scheduler has lost count. */
  selfCheck(): void;
  stop(): Promise<void>;
}

const acceptPerZone = 4;
/** Tasks that have been ours for so long are looked up now and then. */
const checkedAfterMs = 30_000;

export async function startCore(parts: CoreParts): Promise<Core> {
  const { config, driver, clock, log, me, random } = parts;
  const { tunables, zoneDefaults } = config;
  const images = [...driver.images].sort((left, right) => semver.rcompare(left.version, right.version, true));
  const imageInRange = (range: string) => images.find(({ version }) => semver.satisfies(version, range)) ?? null;
  const defaultInRange = imageInRange(config.zoneDefaultImage);
  if (defaultInRange === null) log.error(`default image not found (${config.zoneDefaultImage})`);
  const defaultImage = defaultInRange ?? images[0];
  if (defaultImage === undefined) throw new Error('there is no image for zones: look into imagesDir');
  const defaultLimits = { memoryMb: zoneDefaults.max_physical_memory, diskGb: zoneDefaults.quota };
  const needsOf = (phase: Phase) => ({
    memoryMb: Math.max(0, (phase.memory ?? 0) - defaultLimits.memoryMb),
    diskGb: Math.max(0, (phase.disk ?? 0) - defaultLimits.diskGb),
  });
  const scheduler = createSchedulerState({
    reserve: { minZones: tunables.zoneReserveMin, percent: tunables.zoneReservePercent },
    idleMinMs: tunables.timeZoneIdleMin,
    idleMaxMs: tunables.timeZoneIdleMax,
    hogGraceMs: tunables.timeHogGrace,
    hogKillMs: tunables.timeHogKill,
    acceptPerZone,
    turnMs: tunables.timeZoneTurn,
    slop: parts.slop,
  });

  const events: SchedulerEvent[] = [];
  let busy = false;
  function send(event: SchedulerEvent): void {
    events.push(event);
    if (busy) return;
    busy = true;
    try {
      for (let next = events.shift(); next !== undefined; next = events.shift()) {
        for (const action of step(scheduler, next, { nowMs: clock.nowMs(), random })) carryOut(action);
      }
    } finally {
      busy = false;
    }
  }

  const taskNamed = (id: string): Task => {
    const task = table.tasks.get(id);
    if (task === undefined) throw new Error(`the scheduler knows a task "${id}" that nobody else knows`);
    return task;
  };

  function carryOut(action: Action): void {
    switch (action.do) {
      case 'create stream': {
        const [jobId = '', phaseNum] = action.group.split('/');
        const group = table.jobs.get(jobId)?.groups.get(Number(phaseNum));
        if (group === undefined)
          throw new Error(`the scheduler knows a group "${action.group}" that nobody else knows`);
        streams.create(group, action.zone);
        break;
      }
      case 'run task':
        streams.run(action.zone, taskNamed(action.task));
        break;
      case 'kill task':
        table.finish(taskNamed(action.task), { result: 'fail', error: taskErrors.killed() });
        break;
      case 'release zone':
        streams.release(action.zone);
        break;
      case 'accept tasks':
        for (const id of action.tasks) void table.accept(taskNamed(id));
        break;
      case 'refuse tasks': {
        const error = lackErrors[action.lack]();
        for (const id of action.tasks) table.finish(taskNamed(id), { result: 'fail', error });
        break;
      }
      case 'forget group':
        table.groupForgotten(action.group);
        break;
    }
  }

  const servers = new Map<string, ZoneServer>();
  const together = createTogetherSaver({ upstream: parts.upstream, clock, log });
  const meter = createMeter({
    log,
    serverUuid: me.serverUuid,
    computeId: me.computeId,
    hrTime: () => process.hrtime(),
    usage: (zone) => driver.usage(zone),
    diskGbOf: ({ group }) => (group.details === null ? 0 : needsOf(group.details.phase).diskGb) + defaultLimits.diskGb,
  });
  const wakeZone = (task: Task) => {
    if (task.zone !== null) servers.get(task.zone)?.polls.wake();
  };
  const table = createTaskTable({
    bus: parts.bus,
    me,
    clock,
    newId: randomUUID,
    log,
    counts: parts.instruments.counts,
    send,
    needsOf,
    imageFor: (phase): ZoneImage | null => (phase.image === undefined ? defaultImage : imageInRange(phase.image)),
    lookAgain: () => parts.wake('tasks'),
    told: {
      accepted: (task) => inputs.accepted(task),
      ended: (task) => inputs.ended(task),
      lost: (task) => inputs.lost(task),
      reducerAdded: () => parts.wake('inputs'),
      workArrived: wakeZone,
      earlyEnd: (task) => {
        const stream = task.zone === null ? null : streams.current(task.zone);
        if (stream?.task === task && task.early !== null) void streams.end(stream, task.early);
      },
      stop: (task) => {
        if (task.zone !== null) streams.stop(task.zone, null);
      },
    },
  });
  const inputs = createInputs({
    tasks: table.tasks,
    bus: parts.bus,
    clock,
    log,
    inputArrived: (task) => table.inputArrived(task),
    wantMore: () => parts.wake('inputs'),
  });
  const pool = createPool({
    driver,
    clock,
    log,
    send,
    instruments: parts.instruments,
    image: defaultImage,
    limits: defaultLimits,
    attempts: tunables.zoneResetAttempts,
    retryMs: tunables.timeZoneResetRetry,
    logDirectory: path.join(config.dataDir, 'log', 'zones'),
    newId: randomUUID,
    maxDisabledPercent: tunables.zoneDisabledMaxPercent,
    closeRequests: (zone) => servers.get(zone)?.closeRequests(),
    endedAlone: (zone) => void stopEnded(zone),
  });
  const streams = createStreams({
    driver,
    table: () => table,
    meter,
    instruments: parts.instruments,
    clock,
    log,
    send,
    streamHooks,
    taskHooks,
    setUp: { upstream: parts.upstream, defaultImage, defaultLimits },
    storageRoots: new Map(config.storage.map(({ zonename, root }) => [zonename, root])),
    pool,
    wake: (zone) => servers.get(zone)?.polls.wake(),
  });

  async function stopEnded(zone: string): Promise<void> {
    const stream = streams.byZone.get(zone);
    if (stream === undefined) return;
    const reason = await reasonOf({ meter }, stream);
    if (streams.byZone.get(zone) === stream) {
      streams.stop(zone, reason ?? taskErrors.internal('zone ended on its own'));
    }
  }

  async function startServer(zone: string): Promise<void> {
    const server = await startZoneServer({
      zone,
      directory: driver.socketDirectory(zone),
      onConnection: driver.onConnection?.bind(driver, zone),
      streams,
      table,
      inputs,
      upstream: parts.upstream,
      together,
      clock,
      random,
      log,
      instruments: parts.instruments,
      pending: parts.pending,
      // Not `uninit`: the new lackey asks before its reset is over, and must not be sent away for a second.
      isClosed: () => pool.zones.get(zone)?.state === 'disabled',
      longPollMs: tunables.timeLongPoll,
      maxProxied: tunables.maxPendingOutputsPerTask,
    });
    servers.set(zone, server);
  }

  /** Zones come and go one change at a time: a socket must be closed before it is opened anew. */
  let lastChange: Promise<unknown> = Promise.resolve();
  const inTurn = (change: () => Promise<void>): Promise<void> => {
    const changed = lastChange.then(change);
    lastChange = changed.catch(() => {}); // whoever asked is told
    return changed;
  };

  const addZones = () =>
    inTurn(async () => {
      const all = (await driver.findZones?.()) ?? config.zones;
      if (all.length === 0) throw new Error('there are no zones: give their names as "zones" in the configuration');
      const unknown = all.filter((zone) => !pool.zones.has(zone));
      for (const zone of unknown) if (!servers.has(zone)) await startServer(zone);
      pool.add(unknown);
    });
  const discover = () => addZones().catch((error: unknown) => log.error({ err: error }, 'failed to discover zones'));

  async function remove(zone: string): Promise<void> {
    await pool.remove(zone);
    const server = servers.get(zone);
    servers.delete(zone);
    await server?.stop();
  }

  await addZones();

  return {
    table,
    inputs,
    pool,
    streams,
    meter,
    scheduler,
    servers,
    images,
    discover,
    remove: (zone) => inTurn(() => remove(zone)),
    dropAbandoned: () => table.dropAbandoned(checkedAfterMs),
    selfCheck: () => checkState(scheduler),
    hogCheck: () => send({ event: 'hog check' }),
    livenessCheck: () =>
      stopSilentZones({
        streams,
        meter,
        nowMs: () => clock.nowMs(),
        limitMs: tunables.zoneLivenessCheck,
        markFailed: (zone) => pool.markFailed(zone),
      }),
    async stop() {
      together.stop();
      await pool.stop();
      await Promise.all([...servers.values()].map((server) => server.stop()));
    },
  };
}

const lackErrors = {
  memory: taskErrors.notEnoughMemory,
  disk: taskErrors.notEnoughDisk,
  zones: taskErrors.imageNotAvailable,
} as const;
