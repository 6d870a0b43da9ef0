/**
 * The tasks of this node: from the store to the scheduler, and back.
 *
 * Every dispatched task is read, so that shares are right, but accepted (which makes it an attempt) only within the
 * scheduler's window, or when it gets a zone. A task is runnable, and known to the scheduler, as soon as the job record is here
 * and, for a reduce task, when it has a first input or there will be none.
 *
 * A task ends exactly once, in `finish`: one batch holds its final state, the outputs that are not yet written and the
 * error, so that a tiny task costs one write. Source: spec 05 §2 and §3.
 */
import VError from 'verror';
import { domainChannel } from '../../bus/channels.js';
import type { BatchOptions, Bus, Operation, Stored } from '../../bus/types.js';
import { type Clock, isWithin } from '../../common/clock.js';
import { isoTime } from '../../common/iso-time.js';
import type { Logger } from '../../common/logging.js';
import { taskErrors } from '../../records/error-codes.js';
import type { JobRecord, Phase } from '../../records/job.js';
import { isTaskRecord, type TaskRecord } from '../../records/task.js';
import type { Counts } from '../instruments.js';
import { createLogThrottle } from '../log-throttle.js';
import type { SchedulerEvent } from '../scheduler/events.js';
import type { GroupNeeds } from '../scheduler/state.js';
import type { ZoneImage } from '../zones/driver.js';
import {
  type AgentIdentity,
  acceptedTask,
  cancelledTask,
  doneTask,
  inputDoneSeen,
  mergeAcceptance,
  mergeTask,
  taskError,
  taskOutput,
} from './records.js';
import {
  allInputsRead,
  createTask,
  type Group,
  type GroupDetails,
  isRunnable,
  type Job,
  type Task,
  type TaskEnd,
} from './task.js';

export interface TaskTableParts {
  readonly bus: Pick<Bus, 'get' | 'batch'>;
  readonly me: AgentIdentity;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly log: Logger;
  readonly counts: Pick<Counts, 'tasks_failed' | 'tasks_committed'>;
  readonly send: (event: SchedulerEvent) => void;
  /** Asks for the dispatched tasks at once. */
  readonly lookAgain: () => void;
  /** What a phase needs beyond the default zone. */
  readonly needsOf: (phase: Phase) => Pick<GroupNeeds, 'memoryMb' | 'diskGb'>;
  /** null: none satisfies the phase. */
  readonly imageFor: (phase: Phase) => ZoneImage | null;
  /** Told of what becomes of tasks. */
  readonly told: {
    /** It is ours from now on. */
    readonly accepted: (task: Task) => void;
    readonly ended: (task: Task) => void;
    /** It is forgotten, and perhaps known again later. */
    readonly lost: (task: Task) => void;
    /** It is known: inputs that were seen before it can be taken. */
    readonly reducerAdded: () => void;
    /** There is work for it, or nothing more to wait for. */
    readonly workArrived: (task: Task) => void;
    /** Its program ended early, and now the last input is known. */
    readonly earlyEnd: (task: Task) => void;
    /** It has been failed: its zone must stop. */
    readonly stop: (task: Task) => void;
  };
}

export interface TaskTable {
  readonly tasks: ReadonlyMap<string, Task>;
  readonly jobs: ReadonlyMap<string, Job>;
  onTask(stored: Stored<TaskRecord>): Promise<void> | void;
  onCancelled(stored: Stored<TaskRecord>): void;
  onInputDone(stored: Stored<TaskRecord>): Promise<void> | void;
  /** A reduce task got an input. */
  inputArrived(task: Task): void;
  /** @returns whether the task is ours. */
  accept(task: Task): Promise<boolean>;
  /** Does nothing if the task has ended already. */
  finish(task: Task, end: TaskEnd): void;
  /**
   * Looks for accepted tasks that are not ours any more: their job is gone, or a supervisor that believed this agent
   * dead has given them to somebody else. They end without a word. @param olderThanMs since their acceptance.
   */
  dropAbandoned(olderThanMs: number): Promise<void>;
  /** @returns a promise for when it is written, if there are so many that whoever emits them has to wait. */
  addOutput(task: Task, output: string, reducer: number | null): Promise<void> | null;
  groupForgotten(groupId: string): void;
}

const maxUnwrittenOutputs = 50;

export function createTaskTable(parts: TaskTableParts): TaskTable {
  const { bus, me, clock, log, send, told } = parts;
  const tasks = new Map<string, Task>();
  const jobs = new Map<string, Job>();
  /** Groups that the scheduler knows. */
  const scheduledGroups = new Map<string, Group>();
  const now = () => isoTime(clock.nowMs());
  const throttled = createLogThrottle(clock);

  function onTask(stored: Stored<TaskRecord>): Promise<void> | void {
    if (!isTaskRecord(stored.value)) {
      const problem = isTaskRecord.problem(stored.value);
      throttled(`record task/${stored.key}`, () => {
        log.warn({ record: stored.key, problem }, 'onRecord: validation error');
      });
      return;
    }
    const known = tasks.get(stored.key);
    if (known !== undefined && known.state !== 'dispatched') return;
    if (stored.value.timeCancelled !== undefined) {
      if (known !== undefined) lose(known);
      return writeCancelled(stored);
    }
    const task = known ?? addTask(stored);
    task.stored = stored;
    schedule(task);
  }

  async function writeCancelled(stored: Stored<TaskRecord>): Promise<void> {
    const notify = [[domainChannel(stored.value.domain), ['task']]] as const;
    await bus.batch([cancelledTask(stored, now())], { notify }).catch((error: unknown) => {
      log.warn({ err: error, task: stored.key }, 'cancelled task was not marked as done, it will be looked at again');
    });
  }

  function addTask(stored: Stored<TaskRecord>): Task {
    const { jobId, phaseNum, taskId } = stored.value;
    const job = jobs.get(jobId) ?? addJob(jobId);
    const group = job.groups.get(phaseNum) ?? addGroup(job, phaseNum);
    const task = createTask(stored, group);
    group.tasks.add(task);
    tasks.set(taskId, task);
    if (stored.value.rIdx !== undefined) told.reducerAdded();
    return task;
  }

  function addJob(id: string): Job {
    const job: Job = { id, record: null, groups: new Map(), directories: new Map() };
    jobs.set(id, job);
    fetchJob(job).catch((error: unknown) => {
      log.error({ err: error, job: id }, 'job cannot be read: its tasks are left alone for now');
      loseAll(job);
    });
    return job;
  }

  function loseAll(job: Job): void {
    for (const group of job.groups.values()) for (const task of group.tasks) lose(task);
  }

  function addGroup(job: Job, phaseNum: number): Group {
    const group: Group = { id: `${job.id}/${phaseNum}`, job, phaseNum, tasks: new Set(), details: null };
    group.details = job.record === null ? null : detailsOf(job.record, phaseNum, parts.imageFor);
    job.groups.set(phaseNum, group);
    return group;
  }

  async function fetchJob(job: Job): Promise<void> {
    const stored = await bus.get<JobRecord>('job', job.id);
    if (stored === null || stored.value.auth === undefined) {
      log.error({ job: job.id }, 'tasks of a job without a usable record are left alone');
      loseAll(job);
      return;
    }
    job.record = stored.value;
    for (const group of job.groups.values()) {
      group.details = detailsOf(stored.value, group.phaseNum, parts.imageFor);
      for (const task of group.tasks) schedule(task);
    }
  }

  function schedule(task: Task): void {
    const { group } = task;
    if (task.scheduled || task.state === 'done' || group.details === null || !isRunnable(task)) return;
    task.scheduled = true;
    task.runnableMs = clock.nowMs();
    if (group.details.image === null) {
      finish(task, { result: 'fail', error: taskErrors.imageNotAvailable() });
      return;
    }
    scheduledGroups.set(group.id, group);
    const { isMap, isReduce, phase } = group.details;
    const isOpen = isReduce && task.stored.value.nInputs === undefined;
    const needs = { id: group.id, ...parts.needsOf(phase), acceptAhead: isMap, isOpen };
    send({ event: 'task runnable', group: needs, task: task.id });
  }

  /** The task is not ours (any more): if it still matches the query, it is delivered again and begins anew. */
  function lose(task: Task): void {
    task.state = 'done';
    told.lost(task);
    if (task.zone === null) send({ event: 'task withdrawn', group: task.group.id, task: task.id });
    remove(task);
  }

  function remove(task: Task): void {
    tasks.delete(task.id);
    task.group.tasks.delete(task);
    prune(task.group);
  }

  function prune(group: Group): void {
    if (group.tasks.size > 0 || scheduledGroups.has(group.id)) return;
    group.job.groups.delete(group.phaseNum);
    if (group.job.groups.size === 0) jobs.delete(group.job.id);
  }

  function accept(task: Task): Promise<boolean> {
    if (task.acceptance !== null) return task.acceptance;
    if (task.state !== 'dispatched') return Promise.resolve(task.state === 'accepted');
    task.state = 'accepting';
    task.acceptance = writeAccepted(task);
    return task.acceptance;
  }

  async function writeAccepted(task: Task): Promise<boolean> {
    try {
      const { value, etag = task.stored.etag } = await write(acceptedTask(task.stored, me, now()), (_mine, stored) =>
        mergeAcceptance(stored, me),
      );
      // What was learned before the answer came (the end of its input) stays known.
      task.stored = { ...task.stored, value: { ...task.stored.value, ...value }, etag };
    } catch (error) {
      log.info({ err: error, task: task.id }, 'task was changed before it was accepted');
      lose(task);
      parts.lookAgain();
      return false;
    }
    if (task.state === 'accepting') task.state = 'accepted';
    task.acceptedMs = clock.nowMs();
    told.accepted(task);
    return true;
  }

  /** @returns the record as it was written: after a conflict, with what others had written meanwhile. */
  async function write(
    operation: Operation & { readonly op: 'put' },
    mergeInto: NonNullable<BatchOptions['merge']>,
  ): Promise<{ readonly value: TaskRecord; readonly etag: string | undefined }> {
    let { value } = operation;
    const merge: typeof mergeInto = (mine, stored) => {
      const merged = mergeInto(mine, stored);
      value = merged ?? value;
      return merged;
    };
    const [result] = await bus.batch([operation], { merge });
    return { value: value as TaskRecord, etag: result?.etag };
  }

  function finish(task: Task, end: TaskEnd): void {
    if (task.state === 'done') return;
    task.state = 'done';
    told.ended(task);
    if (task.zone === null) send({ event: 'task withdrawn', group: task.group.id, task: task.id });
    void writeDone(task, end).finally(() => remove(task));
  }

  async function writeDone(task: Task, end: TaskEnd): Promise<void> {
    if (task.acceptance !== null && !(await task.acceptance)) return;
    await Promise.allSettled(task.writing);
    const outputs = task.unwritten.splice(0);
    const final = end.result === 'ok' && task.unrecorded !== null ? unrecordedEnd(end.machine, task.unrecorded) : end;
    try {
      await writeEnd(task, final, outputs);
    } catch (cause) {
      if (isConflict(cause as Error) || outputs.length === 0) {
        log.warn({ err: cause, task: task.id }, `abandoning task "${task.id}"`);
        return;
      }
      // The store refuses something of it: a task whose end is never written would keep its job from ending.
      log.error({ err: cause, task: task.id }, 'outputs could not be recorded');
      await writeEnd(task, unrecordedEnd(task.zone, (cause as Error).message), []).catch((error: unknown) => {
        log.warn({ err: error, task: task.id }, `abandoning task "${task.id}"`);
      });
    }
  }

  async function writeEnd(task: Task, end: TaskEnd, outputs: readonly Operation[]): Promise<void> {
    const error =
      end.result === 'ok' ? [] : [taskError(task, end.error, { errorId: parts.newId(), me, zone: task.zone })];
    const buckets = ['task', ...(outputs.length > 0 ? ['taskoutput'] : []), ...(error.length > 0 ? ['error'] : [])];
    await bus.batch([doneTask(task, end, now()), ...outputs, ...error], {
      merge: mergeTask,
      notify: [[domainChannel(task.stored.value.domain), buckets as ('task' | 'taskoutput' | 'error')[]]],
    });
    if (end.result === 'ok') parts.counts.tasks_committed++;
    else parts.counts.tasks_failed++;
  }

  async function dropAbandoned(olderThanMs: number): Promise<void> {
    const old = [...tasks.values()].filter(
      (task) => task.state === 'accepted' && !isWithin(olderThanMs, task.acceptedMs, clock.nowMs()),
    );
    for (const task of old) {
      const stored = await bus.get<TaskRecord>('task', task.id);
      const isOurs = stored?.value.state === 'accepted' && stored.value.agentGeneration === me.generation;
      if (isOurs || task.state !== 'accepted') continue;
      log.warn({ task: task.id }, `abandoning task "${task.id}"`);
      abandon(task);
    }
  }

  /** Stops it as when its job is cancelled, but writes nothing: others speak for it now. */
  function abandon(task: Task): void {
    const { zone } = task;
    lose(task);
    if (zone !== null) told.stop(task);
  }

  function addOutput(task: Task, output: string, reducer: number | null): Promise<void> | null {
    task.outputCount++;
    task.unwritten.push(taskOutput(task, { key: parts.newId(), output, reducer }, now()));
    if (task.unwritten.length < maxUnwrittenOutputs) return null;
    const notify = [[domainChannel(task.stored.value.domain), ['taskoutput']]] as const;
    const written = bus.batch(task.unwritten.splice(0), { notify }).then(
      () => {},
      (error: unknown) => {
        task.unrecorded = (error as Error).message;
        log.error({ err: error, task: task.id }, 'outputs could not be recorded');
      },
    );
    task.writing.add(written);
    return written.finally(() => task.writing.delete(written));
  }

  function onCancelled(stored: Stored<TaskRecord>): void {
    const task = tasks.get(stored.key);
    if (task === undefined || task.state === 'done') return;
    // What we have written since it was read (that the end of its input was seen) stays known.
    task.stored = { ...stored, value: { ...task.stored.value, ...stored.value } };
    finish(task, { result: 'fail', error: taskErrors.jobCancelled() });
    if (task.zone !== null) told.stop(task);
  }

  async function onInputDone(stored: Stored<TaskRecord>): Promise<void> {
    const task = tasks.get(stored.key);
    if (task === undefined || task.state === 'done') return;
    const timeInputDoneRead = now();
    task.stored = { ...stored, value: { ...stored.value, timeInputDoneRead } };
    send({ event: 'group complete', group: task.group.id });
    inputsChanged(task);
    try {
      const { value, etag = task.stored.etag } = await write(inputDoneSeen(task, timeInputDoneRead), mergeTask);
      // Its acceptance may have been answered meanwhile, with the record as it was before; and the job may have been
      // cancelled, which the next write must not take back.
      task.stored = { ...task.stored, value: { ...value, ...task.stored.value, timeInputDoneRead }, etag };
    } catch (error) {
      if (!isConflict(error as Error)) throw error;
      log.warn({ err: error, task: task.id }, `abandoning task "${task.id}"`);
      if (task.state === 'accepted') abandon(task);
    }
  }

  function inputsChanged(task: Task): void {
    schedule(task);
    if (task.zone === null) return;
    if (task.early === null) told.workArrived(task);
    else if (allInputsRead(task)) told.earlyEnd(task);
  }

  function groupForgotten(groupId: string): void {
    const group = scheduledGroups.get(groupId);
    if (group === undefined) return;
    scheduledGroups.delete(groupId);
    prune(group);
  }

  return {
    tasks,
    jobs,
    onTask,
    onCancelled,
    onInputDone,
    inputArrived: inputsChanged,
    accept,
    finish,
    dropAbandoned,
    addOutput,
    groupForgotten,
  };
}

function unrecordedEnd(machine: string | null, cause: string): TaskEnd {
  const error = taskErrors.internal(`outputs could not be recorded: ${cause}`);
  return { result: 'fail', error, ...(machine === null ? {} : { machine }) };
}

function isConflict(error: Error): boolean {
  return VError.hasCauseWithName(error, 'EtagConflictError');
}

function detailsOf(job: JobRecord, phaseNum: number, imageFor: TaskTableParts['imageFor']): GroupDetails | null {
  const phase = job.phases[phaseNum];
  if (phase === undefined || job.auth === undefined) return null;
  return {
    phase,
    isMap: phase.type === 'map' || phase.type === 'storage-map',
    isReduce: phase.type === 'reduce',
    isLast: phaseNum === job.phases.length - 1,
    login: job.auth.login,
    token: job.auth.token,
    owner: job.owner,
    frequentCheckpoint: Boolean(job.options?.frequentCheckpoint),
    image: imageFor(phase),
  };
}
