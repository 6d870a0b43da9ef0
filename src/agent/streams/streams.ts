/**
 * Streams at work: carries out what the scheduler decides for a zone, and says when a task ends.
 *
 *   create: stream hooks, first sample ----> 'stream loaded'
 *   run:    acceptance, task hooks, then the task is *visible*: the lackey is told of it, and its requests count
 *   end:    the task is detached at once, so that the zone's next one is prepared while this one's output is saved
 *   stop:   whatever is going on, the zone is released
 *
 * Invariants: (1) a zone has at most one visible task; (2) a task is detached before it is finished, and finished
 * exactly once; (3) after `stop` nothing that was under way has any effect: everyone checks `stopped` after a wait.
 */
import type { Clock } from '../../common/clock.js';
import { isoTime } from '../../common/iso-time.js';
import type { Logger } from '../../common/logging.js';
import { messageNotes, type TaskError, taskErrors } from '../../records/error-codes.js';
import type { TaskDescription } from '../../taskapi/types.js';
import type { Instruments } from '../instruments.js';
import type { Account, Meter, Sample } from '../metering/meter.js';
import type { SchedulerEvent } from '../scheduler/events.js';
import { TaskSetUpError } from '../taskhooks/errors.js';
import type { StreamHook, StreamSetUp, TaskHook } from '../taskhooks/hook.js';
import type { TaskTable } from '../tasks/table.js';
import { allInputsRead, type Group, type GroupDetails, type Task, type TaskEnd } from '../tasks/task.js';
import type { ZoneDriver } from '../zones/driver.js';

export interface Stream {
  readonly zone: string;
  readonly group: Group;
  readonly details: GroupDetails;
  readonly abort: AbortController;
  /** The task that the scheduler gave it, and whether the lackey may see it. */
  task: Task | null;
  visible: boolean;
  /** Whether the lackey has taken it up. Before, what runs in the zone is a command that ended its own task itself. */
  told: boolean;
  description: Partial<TaskDescription>;
  /** Resolves when the task given last is visible, or will never be. */
  prepared: Promise<void>;
  account: Account | null;
  lastContactMs: number;
  /** Of each request to the front door to fail, for the current task. */
  failProbability: number;
  /** What is being done for its set-up; for operators. */
  step: string | null;
  stopped: boolean;
}

export interface StreamsParts {
  readonly driver: ZoneDriver;
  readonly table: () => Pick<TaskTable, 'accept' | 'finish'>;
  readonly meter: Meter;
  readonly instruments: Instruments;
  readonly clock: Clock;
  readonly log: Logger;
  readonly send: (event: SchedulerEvent) => void;
  readonly streamHooks: readonly StreamHook[];
  readonly taskHooks: readonly TaskHook[];
  readonly setUp: Pick<StreamSetUp, 'upstream' | 'defaultImage' | 'defaultLimits'>;
  readonly storageRoots: ReadonlyMap<string, string>;
  readonly pool: {
    readonly assign: (zone: string) => void;
    readonly release: (zone: string, usedBy: string) => void;
    readonly newLife: (zone: string) => void;
  };
  /** The lackey's waiting requests are looked at again. */
  readonly wake: (zone: string) => void;
}

export interface Streams {
  readonly byZone: ReadonlyMap<string, Stream>;
  create(group: Group, zone: string): void;
  run(zone: string, task: Task): void;
  release(zone: string): void;
  /** The stream whose task the lackey works on; null when there is none. */
  current(zone: string): (Stream & { readonly task: Task }) | null;
  /** Takes the visible task away from the zone, which goes on to the next. @returns what the zone has used. */
  detach(stream: Stream): Promise<Sample | null>;
  /** Ends the visible task. The suffix of an error message may need a look at the zone. */
  end(stream: Stream, end: TaskEnd): Promise<void>;
  /** The zone cannot go on. @param error of its task, if it has one that has not ended. */
  stop(zone: string, error: TaskError | null): void;
  checkpoint(stream: Stream): Promise<void>;
}

export function createStreams(parts: StreamsParts): Streams {
  const { driver, clock, log, meter, send } = parts;
  const byZone = new Map<string, Stream>();

  function create(group: Group, zone: string): void {
    const { details } = group;
    if (details === null) throw new Error(`task group "${group.id}" has no details`);
    parts.pool.assign(zone);
    const stream: Stream = {
      zone,
      group,
      details,
      abort: new AbortController(),
      task: null,
      visible: false,
      told: false,
      description: {},
      prepared: Promise.resolve(),
      account: null,
      lastContactMs: clock.nowMs(),
      failProbability: 0,
      step: null,
      stopped: false,
    };
    byZone.set(zone, stream);
    const concurrency = [...byZone.values()].filter((one) => one.group === group).length;
    log.info({ zone, job: group.job.id, phase: group.phaseNum, concurrency }, 'created stream');
    void load(stream);
  }

  async function load(stream: Stream): Promise<void> {
    const { zone, details, abort } = stream;
    const context = {
      ...parts.setUp,
      zone,
      driver,
      details,
      clock,
      signal: abort.signal,
      newLife: () => parts.pool.newLife(zone),
    };
    const startedMs = clock.nowMs();
    try {
      for (const hook of parts.streamHooks) {
        stream.step = hook.name;
        await hook.setUp(context);
      }
      stream.step = null;
      const sample = await meter.sample(zone);
      if (sample.usage.memoryFailures > 0) throw new Error('zone started out with non-zero anon allocation failures');
      stream.account = { start: sample, lastCheckpoint: null };
    } catch (error) {
      if (stream.stopped) return;
      log.warn({ err: error, zone }, 'zone could not be set up for its tasks');
      failQueued(stream.group, taskErrors.dispatch((error as Error).message));
      stop(zone, null);
      return;
    }
    if (stream.stopped) return;
    stream.lastContactMs = clock.nowMs();
    parts.instruments.counts.streams_dispatched++;
    parts.instruments.streamLoaded((clock.nowMs() - startedMs) / 1000);
    send({ event: 'stream loaded', zone });
  }

  /** The first queued task gets the error itself, the others a reference to it. */
  function failQueued(group: Group, first: TaskError | null): void {
    let error = first;
    for (const task of group.tasks) {
      if (task.zone !== null || task.state === 'done') continue;
      parts.table().finish(task, { result: 'fail', error: error ?? taskErrors.previousTaskFailedToInitialize() });
      error = null;
    }
  }

  function run(zone: string, task: Task): void {
    const stream = byZone.get(zone);
    if (stream === undefined) throw new Error(`zone "${zone}" has no stream`);
    task.zone = zone;
    stream.task = task;
    stream.visible = false;
    stream.told = false;
    stream.failProbability = 0;
    stream.prepared = prepare(stream, task);
  }

  async function prepare(stream: Stream, task: Task): Promise<void> {
    const { zone } = stream;
    const ours = parts.table().accept(task);
    const set = await setUp(stream, task);
    const accepted = await ours;
    if (stream.stopped || stream.task !== task) return;
    if ('zone' in set) {
      stop(zone, set.zone); // what is in it now is unknown: nobody else may see it
      return;
    }
    if (!accepted || 'task' in set || task.state === 'done') {
      stream.task = null;
      if ('task' in set) parts.table().finish(task, { result: 'fail', error: set.task });
      send({ event: 'task ended', zone });
      return;
    }
    task.timeStarted = isoTime(clock.nowMs());
    task.startedMs = clock.nowMs();
    if (task.runnableMs !== null) parts.instruments.taskWaited((task.startedMs - task.runnableMs) / 1000);
    meter.taskStarted(task);
    stream.description = 'description' in set ? set.description : {};
    stream.lastContactMs = clock.nowMs();
    stream.visible = true;
    parts.wake(zone);
  }

  /** What the lackey is told; or the error of the task; or, when a hook failed unexpectedly, the error of the zone. */
  async function setUp(stream: Stream, task: Task): Promise<SetUp> {
    const { zone, details } = stream;
    const description: Partial<TaskDescription>[] = [];
    for (const hook of parts.taskHooks) {
      try {
        description.push(await hook.setUp({ zone, driver, details, task, storageRoots: parts.storageRoots }));
      } catch (error) {
        log.warn({ err: error, task: task.id, zone }, `task could not be set up: ${hook.name}`);
        if (error instanceof TaskSetUpError) return { task: error.taskError };
        return { zone: taskErrors.internal((error as Error).message) };
      }
    }
    return { description: Object.assign({}, ...description) };
  }

  function current(zone: string): (Stream & { readonly task: Task }) | null {
    const stream = byZone.get(zone);
    if (stream === undefined || stream.stopped || !stream.visible || stream.task === null) return null;
    return stream as Stream & { readonly task: Task };
  }

  /** The bill of the task: the sample is asked for before the next task may begin. */
  async function bill(stream: Stream, task: Task): Promise<Sample | null> {
    const { account } = stream;
    if (account === null) return null;
    parts.instruments.taskRan((clock.nowMs() - task.startedMs) / 1000);
    let sample: Sample | null = null;
    try {
      sample = await meter.sample(stream.zone);
    } catch (error) {
      log.warn({ err: error, zone: stream.zone }, 'use of the zone could not be read');
    }
    meter.taskDone(task, account, sample);
    return sample;
  }

  function detach(stream: Stream): Promise<Sample | null> {
    const { task, zone } = stream;
    if (task === null) return Promise.resolve(null);
    const started = stream.account?.start ?? null;
    const billed = bill(stream, task).then((sample) =>
      sample === null || started === null ? null : { ...sample, usage: sinceStart(started, sample) },
    );
    stream.task = null;
    stream.visible = false;
    stream.lastContactMs = clock.nowMs();
    send({ event: 'task ended', zone });
    return billed;
  }

  async function end(stream: Stream, ended: TaskEnd): Promise<void> {
    const { task } = stream;
    if (task === null) return;
    if (ended.result === 'fail' && ended.error.code === 'TaskInitError') {
      stream.visible = false; // nobody else ends it meanwhile
      const used = await usedSinceStart(stream);
      if (stream.stopped || stream.task !== task) return;
      parts.table().finish(task, { ...ended, error: withNote(task, ended.error, used) });
      failQueued(stream.group, null);
      stop(stream.zone, null);
      return;
    }
    const used = await detach(stream);
    const final = ended.result === 'ok' ? ended : { ...ended, error: withNote(task, ended.error, used) };
    parts.table().finish(task, final);
  }

  async function usedSinceStart(stream: Stream): Promise<Sample | null> {
    const start = stream.account?.start;
    if (start === undefined) return null;
    const sample = await meter.sample(stream.zone).catch(() => null);
    return sample === null ? null : { ...sample, usage: sinceStart(start, sample) };
  }

  function stop(zone: string, error: TaskError | null): void {
    const stream = byZone.get(zone);
    if (stream === undefined || stream.stopped) return;
    const { task } = stream;
    if (task !== null && error !== null) parts.table().finish(task, { result: 'fail', error });
    send({ event: 'stream failed', zone });
  }

  function release(zone: string): void {
    const stream = byZone.get(zone);
    if (stream === undefined) return;
    stream.stopped = true;
    byZone.delete(zone);
    stream.abort.abort();
    parts.instruments.counts.streams_done++;
    const { job, phaseNum } = stream.group;
    const started = stream.task !== null && stream.task.timeStarted !== null ? stream.task : null;
    const billed = started === null ? Promise.resolve(null) : bill(stream, started);
    void billed.then(() => parts.pool.release(zone, `${job.id}.${phaseNum}`));
  }

  async function checkpoint(stream: Stream): Promise<void> {
    const { task, account } = stream;
    if (task === null || account === null || !stream.visible) return;
    try {
      const sample = await meter.sample(stream.zone);
      if (stream.task === task && !stream.stopped) meter.checkpoint(task, account, sample);
    } catch (error) {
      log.warn({ err: error, zone: stream.zone }, 'use of the zone could not be read');
    }
  }

  return { byZone, create, run, release, current, detach, end, stop, checkpoint };
}

type SetUp =
  | { readonly description: Partial<TaskDescription> }
  | { readonly task: TaskError }
  | { readonly zone: TaskError };

/** Counted from the start of the task's bill: whether memory ran out during this task. */
function sinceStart(start: Sample, sample: Sample): Sample['usage'] {
  return { ...sample.usage, memoryFailures: sample.usage.memoryFailures - start.usage.memoryFailures };
}

/** At most one note, the first that applies. */
export function withNote(task: Task, error: TaskError, used: Sample | null): TaskError {
  if (used !== null && used.usage.memoryFailures > 0) {
    return { ...error, message: error.message + messageNotes.outOfMemory };
  }
  if (task.shortened) return { ...error, message: error.message + messageNotes.unusualLocation };
  return error;
}

/** Whether the lackey can be told something new about its task. */
export function hasWork(stream: Stream & { readonly task: Task }): boolean {
  if (stream.task.early !== null) return false;
  return !stream.details.isReduce || stream.task.inputs.length > 0 || allInputsRead(stream.task);
}

/** What the lackey is told. Source: spec 05 §7.3. */
export function describe(stream: Stream & { readonly task: Task }): object {
  const { task, details, description } = stream;
  const { jobId, input, rIdx } = task.stored.value;
  const keys = details.isReduce ? task.inputs.slice(0, 10).map((one) => one.stored.value.input) : [input];
  return {
    jobId,
    taskId: task.id,
    ...(details.isReduce && rIdx !== undefined ? { rIdx } : {}),
    taskPhase: details.phase,
    login: details.login,
    ...description,
    taskInputKeys: keys,
    taskInputDone: !details.isReduce || (keys.length === 0 && allInputsRead(task)),
  };
}
