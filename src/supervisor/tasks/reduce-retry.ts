/**
 * Retry of a reducer: theory of operation. The new attempt needs the inputs of the failed one, of which there may be any
 * number, and more may be arriving. Hence, in this order, each resumable by a mark of its own:
 *
 *   1. one batch: the new task, without `timeDispatchDone`; the failed one points to it and begins to be marked
 *   2. its task inputs are pointed to the new task, in laps; when a lap began with none arriving and found few:
 *      `timeInputsMarkRetryDone` on the failed task, `timeDispatchDone` on the new one, which now may be committed
 *   3. each task input that points on is copied to the new task and marked `timeRetried`, in one batch
 *
 * Invariants: (1) no input is lost: before the first lap nobody sends any more to the failed task, also when the answer to
 * 1 was lost and only the mark tells; a write of an input under way to it, or a copy still to be made into it, forces
 * another lap; (2) the new task cannot be committed, hence not fail and be retried in turn, before all
 * inputs of the failed one point to it.
 */
import type { Operation, Stored } from '../../bus/types.js';
import type { Env } from '../../common/clock.js';
import { isoTime } from '../../common/iso-time.js';
import { absent, and, eq } from '../../moray/client/filter.js';
import type { TaskRecord } from '../../records/task.js';
import type { TaskInputRecord } from '../../records/task-input.js';
import { newId } from '../ids.js';
import type { Job, Reducer } from '../jobs/job.js';
import { nextAttempt } from '../pipeline/decide.js';
import { markTask } from './commit.js';
import { type Placement, putNew, reduceTask } from './new-records.js';

export interface ReduceRetry {
  readonly taskId: string;
  readonly operations: readonly Operation[];
}

export function retryReduce(failed: Stored<TaskRecord>, placement: Placement, env: Env): ReduceRetry {
  const { value } = failed;
  const taskId = newId(env.random);
  const now = isoTime(env.nowMs);
  const task: TaskRecord = {
    ...reduceTask({
      ...placement,
      taskId,
      jobId: value.jobId,
      domain: value.domain,
      phase: value.phaseNum,
      reducer: value.rIdx ?? 0,
      attempt: nextAttempt(value),
      nowMs: env.nowMs,
    }),
    ...(value.timeInputDone === undefined ? {} : { timeInputDone: value.timeInputDone }),
    ...(value.nInputs === undefined ? {} : { nInputs: value.nInputs }),
  };
  const mark: Partial<TaskRecord> = {
    timeRetried: now,
    timeInputsMarkRetryStart: now,
    retryTaskId: taskId,
    retryMantaComputeId: placement.agent,
    retryAgentGeneration: placement.generation,
  };
  const { bucket, key, etag } = failed;
  return {
    taskId,
    operations: [putNew('task', taskId, task), { op: 'put', bucket, key, etag, value: { ...value, ...mark } }],
  };
}

/** From now on inputs go to the new attempt; if that has a successor already, to that one. */
export function followRetry(failed: TaskRecord, next: Omit<Reducer, 'finished'>, job: Job): void {
  const phase = job.phases[failed.phaseNum];
  const index = failed.rIdx;
  if (phase === undefined || index === undefined || phase.reducers[index]?.taskId !== failed.taskId) return;
  phase.reducers[index] = { ...next, finished: false };
  if (failed.timeInputDone === undefined) phase.told = false;
}

/** One lap of pointing inputs to the new task. */
export function pointInputsOn(failed: TaskRecord, limit: number): Operation {
  return {
    op: 'update',
    bucket: 'taskinput',
    filter: and(eq('taskId', failed.taskId), absent('retryTaskId')),
    fields: {
      retryTaskId: failed.retryTaskId,
      retryMantaComputeId: failed.retryMantaComputeId,
      retryAgentGeneration: failed.retryAgentGeneration,
    },
    limit,
  };
}

/** All inputs point on: the new attempt may be committed. */
export function endPointing(failed: TaskRecord, nowMs: number): Operation[] {
  const now = isoTime(nowMs);
  return [
    markTask(failed.taskId, 'timeInputsMarkRetryDone', { timeInputsMarkRetryDone: now }),
    markTask(failed.retryTaskId ?? '', 'timeDispatchDone', { timeDispatchDone: now }),
  ];
}

/** @param finished the new attempt has ended too: its copy is made for removal only. */
export function copyInput(input: Stored<TaskInputRecord>, finished: boolean, env: Env): Operation[] {
  const { value } = input;
  const now = isoTime(env.nowMs);
  const taskInputId = newId(env.random);
  const copy: TaskInputRecord = {
    taskInputId,
    jobId: value.jobId,
    taskId: value.retryTaskId ?? '',
    ...(value.phaseNum === undefined ? {} : { phaseNum: value.phaseNum }),
    domain: value.domain,
    mantaComputeId: value.retryMantaComputeId ?? '',
    agentGeneration: value.retryAgentGeneration ?? '',
    input: value.input,
    ...(value.p0input === undefined ? {} : { p0input: value.p0input }),
    account: value.account,
    ...(value.creator === undefined ? {} : { creator: value.creator }),
    objectid: value.objectid,
    servers: value.servers,
    timeDispatched: now,
    prevRecordType: 'taskinput',
    prevRecordId: input.key,
    ...(finished ? { timeRead: now, ...(value.phaseNum === 0 ? {} : { wantInputRemoved: 'true' }) } : {}),
  };
  const { bucket, key, etag } = input;
  return [
    putNew('taskinput', taskInputId, copy),
    { op: 'put', bucket, key, etag, value: { ...value, timeRetried: now } },
  ];
}
