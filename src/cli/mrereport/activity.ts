/**
 * What happened in a span of time, per user: theory of operation. Three stages, so that the first can run where the
 * records are and the second joins what they say: count (records to numbers), sum (numbers of several to one), report.
 * All that is kept is numbers per job and kind of error. Source: spec 08 §8.7.
 */
import { type ErrorLike, normalised } from '../../jobs/error-summary.js';
import { isTrue } from '../../records/flags.js';

export type Kinds = Record<string, Record<string, number>>;
export interface TaskCounts {
  ok: number;
  retryable: number;
  fatal: number;
}

export interface Activity {
  /** Login by UUID. */
  readonly users: Record<string, string>;
  /** UUID of the owner by job. */
  readonly jobs: Record<string, string>;
  readonly tasks: Record<string, TaskCounts>;
  readonly errors: Record<string, { retried?: Kinds; fatal?: Kinds }>;
  warnings: number;
}

export interface Span {
  /** ISO text: from `start`, before `end`. */
  readonly start: string;
  readonly end: string;
}

export function newActivity(): Activity {
  return { users: {}, jobs: {}, tasks: {}, errors: {}, warnings: 0 };
}

interface JobLike {
  readonly jobId: string;
  readonly owner: string;
  readonly auth?: { readonly login?: string };
  readonly timeCreated: string;
  readonly timeDone?: string;
}

export function countJob(activity: Activity, job: JobLike, { start, end }: Span): void {
  if (job.timeCreated >= end || (job.timeDone !== undefined && job.timeDone < start)) return;
  activity.jobs[job.jobId] = job.owner;
  activity.users[job.owner] = job.auth?.login ?? job.owner;
}

interface TaskLike {
  readonly jobId: string;
  readonly result?: string;
  readonly wantRetry?: unknown;
  readonly timeCommitted?: string;
}

const isWithin = (time: string | undefined, { start, end }: Span) => time !== undefined && time >= start && time < end;

export function countTask(activity: Activity, task: TaskLike, span: Span): void {
  if (!isWithin(task.timeCommitted, span)) return;
  activity.tasks[task.jobId] ??= { ok: 0, retryable: 0, fatal: 0 };
  const counts = activity.tasks[task.jobId] as TaskCounts;
  if (task.result === 'ok') counts.ok++;
  else if (isTrue(task.wantRetry)) counts.retryable++;
  else counts.fatal++;
}

export function countError(
  activity: Activity,
  error: ErrorLike & { readonly jobId: string; readonly timeCommitted?: string },
  span: Span,
): void {
  if (!isWithin(error.timeCommitted, span)) return;
  activity.errors[error.jobId] ??= {};
  const kinds = activity.errors[error.jobId] as { retried?: Kinds; fatal?: Kinds };
  const which = isTrue(error.retried) ? 'retried' : 'fatal';
  kinds[which] ??= {};
  addKind(kinds[which] as Kinds, error.errorCode ?? 'unknown', normalised(error), 1);
}

export function addKind(kinds: Kinds, code: string, message: string, count: number): void {
  kinds[code] ??= {};
  const messages = kinds[code] as Record<string, number>;
  messages[message] = (messages[message] ?? 0) + count;
}

/** What count prints: its warnings have a name of their own. */
export type Counted = Omit<Activity, 'warnings'> & { readonly nwarnings?: number; readonly warnings?: number };

export function merge(into: Activity, { users, jobs, tasks, errors, nwarnings, warnings }: Counted): void {
  Object.assign(into.users, users);
  Object.assign(into.jobs, jobs);
  for (const [jobId, counts] of Object.entries(tasks)) {
    const sum = into.tasks[jobId] ?? { ok: 0, retryable: 0, fatal: 0 };
    into.tasks[jobId] = {
      ok: sum.ok + counts.ok,
      retryable: sum.retryable + counts.retryable,
      fatal: sum.fatal + counts.fatal,
    };
  }
  for (const [jobId, kinds] of Object.entries(errors)) {
    into.errors[jobId] ??= {};
    const sum = into.errors[jobId] as { retried?: Kinds; fatal?: Kinds };
    for (const which of ['retried', 'fatal'] as const) {
      if (kinds[which] === undefined) continue;
      sum[which] ??= {};
      addKinds(sum[which] as Kinds, kinds[which] as Kinds);
    }
  }
  into.warnings += nwarnings ?? warnings ?? 0;
}

export function addKinds(into: Kinds, kinds: Kinds): void {
  for (const [code, messages] of Object.entries(kinds)) {
    for (const [message, count] of Object.entries(messages)) addKind(into, code, message, count);
  }
}
