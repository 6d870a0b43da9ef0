/**
 * Jobs as the front door, the archiver and the operator's commands use them. Nothing here asks whether the caller may:
 * callers do. Updates wake whoever waits for them. Source: spec 07 §6.
 */
import type { Stored } from '../bus/types.js';
import type { ErrorRecord } from '../records/error.js';
import type { JobAuth, JobRecord, Phase } from '../records/job.js';
import type { JobInputRecord } from '../records/job-input.js';
import type { TaskRecord } from '../records/task.js';
import type { TaskInputRecord } from '../records/task-input.js';
import type { TaskOutputRecord } from '../records/task-output.js';

import type { HistoryEntry } from './history.js';
import type { JobProgress } from './progress.js';

export interface NewJob {
  /** By default a new UUID. */
  readonly jobId?: string;
  readonly name: string;
  /** UUID of the account. */
  readonly owner: string;
  readonly auth: JobAuth;
  /** A phase without a type becomes a map phase. */
  readonly phases: readonly Phase[];
  /** Only operators may give any. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly transient?: boolean;
}

/** Which part of a list, in `_id` order. */
export interface Page {
  /** At most so many; absent: all of them, however many pages of Moray that takes. */
  readonly limit?: number;
  /** Only records whose `_id` is at least this (`DESC`: at most this). */
  readonly marker?: number;
  /** `ASC`, oldest first, by default. */
  readonly order?: 'ASC' | 'DESC';
}

export interface JobFilter extends Page {
  readonly state?: string;
  readonly name?: string;
  readonly owner?: string;
  readonly jobId?: string;
  readonly worker?: string;
  readonly transient?: boolean;
  /** `true`: only cancelled ones. */
  readonly cancelled?: boolean;
  readonly archived?: boolean;
  /** Times as ISO text. */
  readonly archivedBefore?: string;
  readonly archiveStartedBefore?: string;
  readonly doneSince?: string;
  /** Changed at most (`changedBeforeSeconds`: at least) so many seconds ago. */
  readonly changedWithinSeconds?: number;
  readonly changedBeforeSeconds?: number;
  /** Claimed by an archiver: `false` by none, `true` by any, text by this one. */
  readonly wrasse?: boolean | string;
  /** Not claimed by this one. */
  readonly notWrasse?: string;
}

/** An error as users see it. Absent members are not there. */
export interface JobError {
  readonly taskId?: string;
  /** As text: that is how it is read from the store. */
  readonly phaseNum: string;
  /** The agent's compute id. */
  readonly server?: string;
  readonly machine?: string;
  readonly input?: string;
  readonly p0input?: string;
  /** `phase 0: input "/wilma/stor/a.txt"` */
  readonly what: string;
  readonly code: string;
  readonly message: string;
  readonly stderr?: string;
  readonly core?: string;
}

export interface PendingTask {
  /** `_id` of the record. */
  readonly id: number;
  readonly taskId: string;
  readonly phaseNum: number;
  readonly state: string;
  readonly timeDispatched: string;
  readonly timeAccepted?: string;
  readonly rIdx?: number;
  readonly mantaComputeId: string;
  readonly nattempts?: number;
  readonly input?: string;
  readonly nInputs?: number;
}

export interface JobDetails {
  readonly job: Stored<JobRecord>;
  readonly jobinput: readonly Stored<JobInputRecord>[];
  readonly task: readonly Stored<TaskRecord>[];
  readonly error: readonly Stored<ErrorRecord>[];
  readonly taskoutput: readonly Stored<TaskOutputRecord>[];
  /** Empty unless all was asked for. */
  readonly taskinput: readonly Stored<TaskInputRecord>[];
  /** Why a bucket's list is missing: `error fetching "task" records: …`. */
  readonly problems: readonly Error[];
}

export interface LogEvent {
  readonly time: string;
  readonly what: string;
  readonly where: string;
  readonly message: string;
}

/** A job as the archiver sees it. */
export interface ArchiveJob {
  readonly id: string;
  readonly timeDone: string | null;
  readonly timeArchiveStarted: string | null;
  readonly timeArchiveDone: string | null;
}

export interface ArchiveStatus {
  readonly nJobsTotal: number;
  readonly nJobsDone: number;
  readonly nJobsArchived: number;
  /** Taken by an archiver and not archived. */
  readonly nJobsAssigned: number;
  readonly jobNextDelete: ArchiveJob | null;
  readonly jobLastArchived: ArchiveJob | null;
  /** The oldest ones. */
  readonly assigned: readonly ArchiveJob[];
  readonly unassigned: readonly ArchiveJob[];
}

/** How a task that an operator ends has ended. */
export type TaskOutcome = { readonly outputs: number } | { readonly code: string; readonly message: string };

export interface UpdateOptions {
  /** How often to try when the update fails for whatever reason, with pauses from 1 s doubling. 1 by default. */
  readonly attempts?: number;
}

export interface InputOptions {
  /** `worker` of the job record, when it has one: without it the supervisor must first find the inputs. */
  readonly domain?: string | undefined;
}

/** What is thrown has the store's error as its cause: `VError.hasCauseWithName(error, 'ObjectNotFoundError')`. */
export interface Jobs {
  /** @returns the id. @throws VError `JobOptionsError`: options, by somebody who is no operator. */
  create(job: NewJob): Promise<string>;
  /** The first thing wrong with a job definition, in the words of the public API; null: nothing. Pure. */
  validate(definition: unknown, caller: { readonly isPrivileged: boolean }): string | null;
  fetch(jobId: string): Promise<Stored<JobRecord>>;
  /** @throws VError `NoJobError` when there is no such job. */
  check(jobId: string): Promise<void>;
  /** Asks for cancellation. @returns the record before. */
  cancel(jobId: string, options?: UpdateOptions): Promise<JobRecord>;
  /** @returns the record before. @throws VError `JobInputPipedError` for legacy jobs. */
  endInput(jobId: string, options?: UpdateOptions): Promise<JobRecord>;
  addInput(jobId: string, name: string, options?: InputOptions): Promise<void>;
  /**
   * Adds names as they come, in their order, in large batches but without waiting for one to fill; reads no further
   * ahead than one batch. Empty names are left out. Resolves when all are stored.
   * @returns how many. @throws when a batch failed: earlier names are stored.
   */
  addInputs(jobId: string, names: Iterable<string> | AsyncIterable<string>, options?: InputOptions): Promise<number>;
  inputs(jobId: string, page?: Page): AsyncIterable<Stored<JobInputRecord>>;
  /** Committed outputs of one phase, the last if the caller wants the outputs of the job. */
  outputs(jobId: string, phaseNum: number, page?: Page): AsyncIterable<Stored<TaskOutputRecord>>;
  /** Final errors: failures that were retried are left out. */
  errors(jobId: string, page?: Page): AsyncIterable<JobError>;
  /** Failures that were retried. */
  retries(jobId: string, page?: Page): AsyncIterable<JobError>;
  /** The job inputs that the final errors go back to. */
  failedInputs(jobId: string, page?: Page): AsyncIterable<string>;
  pendingTasks(jobId: string, page?: Page): AsyncIterable<PendingTask>;
  list(filter?: JobFilter): AsyncIterable<Stored<JobRecord>>;
  /** How many jobs of an account are not done. @param owner UUID. */
  countLive(owner: string): Promise<number>;
  /** @param options.limit records per bucket. */
  details(jobId: string, options: { readonly all: boolean; readonly limit: number }): Promise<JobDetails>;
  /** What happened to the job and its tasks, unordered. */
  log(jobId: string): AsyncIterable<LogEvent>;
  /** Forgets that an archiver has the job. @returns the record before. @throws VError if archived, or not done. */
  resetArchive(jobId: string, options?: UpdateOptions): Promise<JobRecord>;
  /** Fields that `archiveStatus` needs and that the bucket does not index. */
  missingArchiveIndexes(): Promise<readonly string[]>;
  /** @param scan read every finished job instead of asking for counts; `onStart` is told how many there are. */
  archiveStatus(scan?: { readonly onStart: (jobCount: number) => void }): Promise<ArchiveStatus>;
  /** Plays the agent's part for one task. @throws VError `TaskDoneError` */
  endTask(taskId: string, outcome: TaskOutcome): Promise<void>;
  /** The family of a task: what it was made from, its other attempts, what was made of it; oldest first. */
  taskHistory(taskId: string): Promise<readonly HistoryEntry[]>;
  /** Looks at the job again and again, when it changes, until it is done or the signal aborts. */
  follow(jobId: string, signal: AbortSignal): AsyncIterable<JobProgress>;
  /** Removes the job and everything that belongs to it, whatever state it is in. */
  delete(jobId: string): Promise<void>;
}
