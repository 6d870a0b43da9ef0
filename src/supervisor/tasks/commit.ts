/**
 * Committing a task: theory of operation. A task that is done counts only once it is committed: from then on its error
 * is visible, its outputs are passed on (or, in the last phase, are the job's). The original commits, marks outputs,
 * marks inputs and so on in separate writes, each found by a query of its own, so that a crash between any two resumes:
 *
 *   timeCommitted + timeOutputsMarkStart --> outputs marked --> timeOutputsMarkDone
 *        map, phase > 0:    wantInputRemoved
 *        reduce, phase > 0: timeInputsMarkCleanupStart --> task inputs marked --> timeInputsMarkCleanupDone
 *        wantRetry --> timeRetried, see map and reduce retry
 *
 * The marks are the same here, but what fits into one batch goes into one: with few outputs, a task is committed and its
 * outputs are marked at once, and nothing is left to resume. With many, or when it is not known how many there are (the
 * agent is lost), the batch holds the first step only and the rows of queries.ts find the rest.
 *
 * Failed attempts: their outputs are never passed on nor shown, and objects that they made up are removed before the
 * outputs are marked (mark.ts), so that nobody pays for them.
 */
import type { Operation, OperationResult, Stored } from '../../bus/types.js';
import type { Env } from '../../common/clock.js';
import { isoTime } from '../../common/iso-time.js';
import { absent, and, eq } from '../../moray/client/filter.js';
import { taskErrors } from '../../records/error-codes.js';
import { flagOf } from '../../records/flags.js';
import type { TaskRecord } from '../../records/task.js';
import { newId } from '../ids.js';
import { errorRecord, putNew } from './new-records.js';

export interface CommitWorld extends Env {
  readonly lastPhase: number;
  readonly jobCancelled: boolean;
  readonly maxTaskRetries: number;
  /** Of mass updates. */
  readonly updateLimit: number;
  /** Inputs that are being written for this reduce task, or moved to it. */
  readonly inputsArriving: boolean;
}

export interface Commit {
  readonly operations: readonly Operation[];
  readonly outcome: 'ok' | 'failed' | 'retried';
  /** Nothing is left to mark. */
  readonly complete: boolean;
  /** Place in `operations` of the update that marks outputs. */
  readonly outputsUpdate: number | null;
  /** Place of the update that marks task inputs for removal. */
  readonly inputsUpdate: number | null;
  /** The input of the task itself is to be removed. */
  readonly removesInput: boolean;
}

/** Whether the failure is ours, so that the task runs again. Source: spec 04 §6.1. */
export function isRetried(task: TaskRecord, jobCancelled: boolean, maxTaskRetries: number): boolean {
  if (jobCancelled || task.result === 'ok') return false;
  if (task.timeAbandoned !== undefined && task.timeAccepted === undefined) return true; // never begun: not an attempt
  const attemptsLeft = (task.nattempts ?? 0) <= maxTaskRetries;
  return attemptsLeft && (task.timeAbandoned !== undefined || task.errorCode === 'TaskKilledError');
}

export function commitTask(task: Stored<TaskRecord>, world: CommitWorld): Commit {
  const { value } = task;
  const now = isoTime(world.nowMs);
  const cancelled = world.jobCancelled || value.timeCancelled !== undefined;
  const retried = isRetried(value, cancelled, world.maxTaskRetries);
  const failed = value.result !== 'ok';
  const error = failed ? errorOf(value, retried, now, world) : null;
  const operations: Operation[] = error === null ? [] : [error.operation];

  const collapses = !cancelled && outputsFit(value, world.updateLimit);
  const outputsUpdate = collapses && !failed ? operations.length : null;
  if (outputsUpdate !== null) operations.push(markOutputs(value, world.lastPhase, now, world.updateLimit));
  const marks = collapses ? afterOutputs(value, retried, now) : {};
  let inputsUpdate: number | null = null;
  const cleansUp = 'timeInputsMarkCleanupStart' in marks;
  const cleansUpNow = cleansUp && inputsFit(value, world);
  if (cleansUpNow) {
    inputsUpdate = operations.length;
    operations.push(markInputsForRemoval(value.taskId, world.updateLimit));
  }
  const change: Partial<TaskRecord> = {
    timeCommitted: now,
    timeOutputsMarkStart: now,
    ...(error?.links ?? {}),
    ...(retried || value.timeAbandoned !== undefined ? { wantRetry: flagOf(retried) } : {}),
    ...marks,
    ...(cleansUpNow ? { timeInputsMarkCleanupDone: now } : {}),
  };
  operations.push({ op: 'put', bucket: 'task', key: task.key, etag: task.etag, value: { ...value, ...change } });
  return {
    operations,
    outcome: failed ? (retried ? 'retried' : 'failed') : 'ok',
    complete: cancelled || (collapses && !retried && (!cleansUp || cleansUpNow)),
    outputsUpdate,
    inputsUpdate,
    removesInput: 'wantInputRemoved' in marks,
  };
}

/** Outputs of failed attempts are looked at one by one: see mark.ts. */
function outputsFit(task: TaskRecord, limit: number): boolean {
  if (task.nOutputs === undefined || task.timeAbandoned !== undefined) return false;
  return task.result === 'ok' ? task.nOutputs < limit : task.nOutputs === 0;
}

/** After the end of input was told, the number of inputs is known; the copies of a retried reducer count too. */
function inputsFit(task: TaskRecord, world: CommitWorld): boolean {
  return (
    task.result === 'ok' && task.nInputs !== undefined && task.nInputs < world.updateLimit && !world.inputsArriving
  );
}

function errorOf(
  task: TaskRecord,
  retried: boolean,
  now: string,
  world: CommitWorld,
): { readonly operation: Operation; readonly links?: Partial<TaskRecord> } {
  if (task.timeAbandoned === undefined) {
    const fields = { retried: flagOf(retried), timeCommitted: now };
    return { operation: { op: 'update', bucket: 'error', filter: eq('taskId', task.taskId), fields, limit: 5 } };
  }
  const errorId = newId(world.random);
  const record = errorRecord({
    errorId,
    jobId: task.jobId,
    domain: task.domain,
    phase: task.phaseNum,
    error: taskErrors.agentTimedOut(),
    nowMs: world.nowMs,
    retried,
    input: task.input,
    p0input: task.p0input,
    prevRecordType: 'task',
    prevRecordId: task.taskId,
  });
  return {
    operation: putNew('error', errorId, record),
    links: { nextRecordType: 'error', nextRecordId: errorId },
  };
}

/** Makes outputs of a committed task visible to the next step, or, if it failed, to nobody. */
export function markOutputs(task: TaskRecord, lastPhase: number, now: string, limit: number): Operation {
  const last = task.phaseNum >= lastPhase;
  const through = { timeCommitted: now, timePropagated: now };
  const ok = last ? { ...through, valid: 'true' } : { timeCommitted: now };
  return {
    op: 'update',
    bucket: 'taskoutput',
    filter: and(eq('taskId', task.taskId), absent('timeCommitted')),
    fields: task.result === 'ok' ? ok : through,
    limit,
  };
}

/** What a task is told when all its outputs are marked. */
export function afterOutputs(task: TaskRecord, retried: boolean, now: string): Partial<TaskRecord> {
  if (task.phaseNum === 0 || retried) return { timeOutputsMarkDone: now };
  return task.input === undefined
    ? { timeOutputsMarkDone: now, timeInputsMarkCleanupStart: now }
    : { timeOutputsMarkDone: now, wantInputRemoved: 'true' };
}

export function markInputsForRemoval(taskId: string, limit: number): Operation {
  return {
    op: 'update',
    bucket: 'taskinput',
    filter: and(eq('taskId', taskId), absent('wantInputRemoved')),
    fields: { wantInputRemoved: 'true' },
    limit,
  };
}

/**
 * Sets a mark of one task, and fields that go with it, without needing its etag; nothing if it bears the mark. So a write
 * that is repeated, or made by two who read the task before and after somebody else changed it, is done once.
 */
export function markTask(taskId: string, mark: keyof TaskRecord, fields: Partial<TaskRecord>): Operation {
  return { op: 'update', bucket: 'task', filter: and(eq('taskId', taskId), absent(mark)), fields, limit: 1 };
}

/** Whether the mark is ours, as far as one can tell when an answer was lost. */
export function isMarked(results: readonly OperationResult[]): boolean {
  const [{ count, repeated = false } = {}] = results;
  return count !== 0 || repeated;
}
