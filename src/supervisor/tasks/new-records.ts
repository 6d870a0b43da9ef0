/** Records that a supervisor makes, field by field as spec 04 §5.6 and §6 say. */
import type { Operation } from '../../bus/types.js';
import { isoTime } from '../../common/iso-time.js';
import type { ErrorRecord } from '../../records/error.js';
import type { TaskError } from '../../records/error-codes.js';
import type { TaskRecord } from '../../records/task.js';

export interface Placement {
  readonly agent: string;
  readonly generation: string;
}

export interface ReduceTaskPlan extends Placement {
  readonly taskId: string;
  readonly jobId: string;
  readonly domain: string;
  readonly phase: number;
  readonly reducer: number;
  readonly attempt: number;
  readonly nowMs: number;
}

/** Without `timeDispatchDone`: the caller adds it, unless inputs of a failed attempt have to be moved first. */
export function reduceTask(plan: ReduceTaskPlan): TaskRecord {
  return {
    taskId: plan.taskId,
    jobId: plan.jobId,
    phaseNum: plan.phase,
    domain: plan.domain,
    state: 'dispatched',
    timeDispatched: isoTime(plan.nowMs),
    rIdx: plan.reducer,
    mantaComputeId: plan.agent,
    agentGeneration: plan.generation,
    nattempts: plan.attempt,
  };
}

export interface ErrorPlan {
  readonly errorId: string;
  readonly jobId: string;
  readonly domain: string;
  readonly phase: number;
  readonly error: TaskError;
  readonly nowMs: number;
  readonly retried?: boolean;
  readonly input?: string | undefined;
  readonly p0input?: string | undefined;
  readonly prevRecordType?: string;
  readonly prevRecordId?: string;
}

/** Visible at once, unless `retried`. */
export function errorRecord(plan: ErrorPlan): ErrorRecord {
  const { error, input, p0input, prevRecordType, prevRecordId } = plan;
  return {
    errorId: plan.errorId,
    jobId: plan.jobId,
    domain: plan.domain,
    phaseNum: plan.phase,
    errorCode: error.code,
    errorMessage: error.message,
    ...(error.internal === undefined ? {} : { errorMessageInternal: error.internal }),
    ...(input === undefined ? {} : { input }),
    ...(p0input === undefined ? {} : { p0input }),
    ...(prevRecordType === undefined ? {} : { prevRecordType }),
    ...(prevRecordId === undefined ? {} : { prevRecordId }),
    retried: plan.retried ? 'true' : 'false',
    timeCommitted: isoTime(plan.nowMs),
  };
}

export function putNew(bucket: 'task' | 'taskinput' | 'error', key: string, value: object): Operation {
  return { op: 'put', bucket, key, value, etag: null };
}
