/**
 * What the agent keeps in memory of jobs, task groups and tasks. All of it can be read again from the store; nothing here
 * outlives the agent.
 *
 *   dispatched --accept--> accepting --written--> accepted --ended, cancelled, killed--> done
 *
 * A task gets its zone (`zone`) in any of the first three states: it runs once it is accepted.
 */
import type { Operation, Stored } from '../../bus/types.js';
import type { TaskError } from '../../records/error-codes.js';
import type { JobRecord, Phase } from '../../records/job.js';
import type { TaskRecord } from '../../records/task.js';
import type { TaskInputRecord } from '../../records/task-input.js';
import type { ZoneImage } from '../zones/driver.js';

export interface Job {
  readonly id: string;
  /** null while it is being fetched. */
  record: JobRecord | null;
  readonly groups: Map<number, Group>;
  /** Directories that the agent made or found there: a promise each, so that two zones do not make one twice. */
  readonly directories: Map<string, Promise<void>>;
}

/** The tasks of one phase of a job. */
export interface Group {
  readonly id: string;
  readonly job: Job;
  readonly phaseNum: number;
  readonly tasks: Set<Task>;
  /** Known as soon as the job record is. */
  details: GroupDetails | null;
}

export interface GroupDetails {
  readonly phase: Phase;
  readonly isMap: boolean;
  readonly isReduce: boolean;
  readonly isLast: boolean;
  readonly login: string;
  readonly token: string;
  readonly owner: string;
  readonly frequentCheckpoint: boolean;
  /** null: no image satisfies the phase. */
  readonly image: ZoneImage | null;
}

export type TaskState = 'dispatched' | 'accepting' | 'accepted' | 'done';

export interface Task {
  readonly id: string;
  readonly group: Group;
  stored: Stored<TaskRecord>;
  state: TaskState;
  /** The zone that the task was given. */
  zone: string | null;
  /** The acceptance, under way or over: whether the task is ours. */
  acceptance: Promise<boolean> | null;
  /** Whether the scheduler knows the task. */
  scheduled: boolean;
  /** Reduce: inputs read but not yet fed to the program, oldest first. */
  readonly inputs: TaskInput[];
  /** Reduce: inputs ever read. */
  readCount: number;
  /** Output records that are not written yet, and writes of such records under way. */
  readonly unwritten: Operation[];
  readonly writing: Set<Promise<unknown>>;
  outputCount: number;
  /** Why an output of the task could not be recorded: it cannot end well then. */
  unrecorded: string | null;
  stderr: string | null;
  core: string | null;
  /** Reduce: how the program ended although inputs are still to come. */
  early: TaskEnd | null;
  /** Whether the name of the mapped file had to be abbreviated. */
  shortened: boolean;
  timeStarted: string | null;
  /** When the scheduler was told of it, when it was accepted, and when its program could start. */
  runnableMs: number | null;
  acceptedMs: number;
  startedMs: number;
}

export interface TaskInput {
  readonly stored: Stored<TaskInputRecord>;
  /** Whether the record is marked as read, or being marked. */
  marked: boolean;
}

/** How a task ended. `machine`: the zone that reported it. */
export type TaskEnd =
  | { readonly result: 'ok'; readonly machine: string }
  | { readonly result: 'fail'; readonly error: TaskError; readonly machine?: string };

export function createTask(stored: Stored<TaskRecord>, group: Group): Task {
  return {
    id: stored.value.taskId,
    group,
    stored,
    state: 'dispatched',
    zone: null,
    acceptance: null,
    scheduled: false,
    inputs: [],
    readCount: 0,
    unwritten: [],
    writing: new Set(),
    outputCount: 0,
    unrecorded: null,
    stderr: null,
    core: null,
    early: null,
    shortened: false,
    timeStarted: null,
    runnableMs: null,
    acceptedMs: 0,
    startedMs: 0,
  };
}

/** Reduce: whether the agent has seen every input that there will be. */
export function allInputsRead(task: Task): boolean {
  const { nInputs } = task.stored.value;
  return nInputs !== undefined && nInputs <= task.readCount;
}

/** Whether a zone would have something to do for it now. */
export function isRunnable(task: Task): boolean {
  if (task.group.details === null) return false;
  return !task.group.details.isReduce || task.inputs.length > 0 || task.stored.value.nInputs !== undefined;
}
