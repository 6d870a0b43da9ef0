/**
 * What the agent writes into records, and how its writes go together with those of the supervisor: each side owns
 * fields, and a write that meets a changed record takes the other's fields from the store. A change of any other field
 * (the supervisor gave the task up) cannot be merged: the task is lost to us. Source: spec 05 §3.1 and §3.3.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Operation, Stored } from '../../bus/types.js';
import type { ErrorRecord } from '../../records/error.js';
import type { TaskError } from '../../records/error-codes.js';
import { flagOf } from '../../records/flags.js';
import type { TaskRecord } from '../../records/task.js';
import type { TaskInputRecord } from '../../records/task-input.js';
import type { TaskOutputRecord } from '../../records/task-output.js';
import type { Task, TaskEnd } from './task.js';

/** Who writes: constants of this agent's life. */
export interface AgentIdentity {
  readonly computeId: string;
  readonly serverUuid: string;
  readonly generation: string;
}

type Put = Operation & { op: 'put' };

const external = new Set(['nInputs', 'timeCancelled', 'timeDispatchDone', 'timeInputDone']);
const own = new Set([
  'machine',
  'nOutputs',
  'result',
  'errorCode',
  'state',
  'timeInputDoneRead',
  'timeAccepted',
  'timeStarted',
  'timeDone',
]);

/** @returns the value to write in place of `mine`, or null when the task is no longer ours. */
export function mergeTask(mine: Put, stored: Stored<object>): object | null {
  const ours = mine.value as Record<string, unknown>;
  const theirs = stored.value as Record<string, unknown>;
  const merged: Record<string, unknown> = {};
  for (const field of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    if (external.has(field)) merged[field] = theirs[field];
    else if (own.has(field) || isDeepStrictEqual(ours[field], theirs[field])) merged[field] = ours[field];
    else return null;
    if (merged[field] === undefined) delete merged[field];
  }
  return merged;
}

/** The task is ours from here on. A reduce task whose input has ended already is told apart in the same write. */
export function acceptedTask(stored: Stored<TaskRecord>, me: AgentIdentity, now: string): Put {
  const inputDone = stored.value.timeInputDone === undefined ? {} : { timeInputDoneRead: now };
  const value: TaskRecord = {
    ...stored.value,
    agentGeneration: me.generation,
    state: 'accepted',
    timeAccepted: now,
    ...inputDone,
  };
  return put('task', stored.key, value, stored.etag);
}

/**
 * The write that accepts a task met a changed record. It may be that write itself which changed it, if its answer was
 * lost, and the supervisor has told more since: then the task is ours, as stored. Nobody else would look at it again.
 * @returns the value to write, or null when the task is to be looked at anew.
 */
export function mergeAcceptance(stored: Stored<object>, me: AgentIdentity): TaskRecord | null {
  const value = stored.value as TaskRecord;
  return value.state === 'accepted' && value.agentGeneration === me.generation ? value : null;
}

/** Cancelled before it was accepted: done without an error. */
export function cancelledTask(stored: Stored<TaskRecord>, now: string): Put {
  const value: TaskRecord = {
    ...stored.value,
    state: 'done',
    result: 'fail',
    nOutputs: 0,
    timeAccepted: now,
    timeDone: now,
  };
  return put('task', stored.key, value, stored.etag);
}

export function inputDoneSeen(task: Task, now: string): Put {
  const started = task.timeStarted === null ? {} : { timeStarted: task.timeStarted };
  return put(
    'task',
    task.stored.key,
    { ...task.stored.value, timeInputDoneRead: now, ...started } satisfies TaskRecord,
    task.stored.etag,
  );
}

export function doneTask(task: Task, end: TaskEnd, now: string): Put {
  const value: TaskRecord = {
    ...task.stored.value,
    state: 'done',
    result: end.result,
    nOutputs: task.outputCount,
    timeAccepted: task.stored.value.timeAccepted ?? now,
    timeDone: now,
    ...(task.timeStarted === null ? {} : { timeStarted: task.timeStarted }),
    ...(end.machine === undefined ? {} : { machine: end.machine }),
    ...(end.result === 'fail' ? { errorCode: end.error.code } : {}),
  };
  return put('task', task.stored.key, value, task.stored.etag);
}

export interface ErrorContext {
  readonly errorId: string;
  readonly me: AgentIdentity;
  /** The zone that the task had. */
  readonly zone: string | null;
}

export function taskError(task: Task, error: TaskError, context: ErrorContext): Operation {
  const { jobId, domain, phaseNum, input, p0input } = task.stored.value;
  const value: ErrorRecord = {
    errorId: context.errorId,
    jobId,
    domain,
    phaseNum,
    errorCode: error.code,
    errorMessage: error.message,
    ...(error.internal === undefined ? {} : { errorMessageInternal: error.internal }),
    ...(input === undefined ? {} : { input }),
    ...(p0input === undefined ? {} : { p0input }),
    taskId: task.id,
    server: context.me.serverUuid,
    mantaComputeId: context.me.computeId,
    ...(context.zone === null ? {} : { machine: context.zone }),
    ...(task.stderr === null ? {} : { stderr: task.stderr }),
    ...(task.core === null ? {} : { core: task.core }),
    prevRecordType: 'task',
    prevRecordId: task.id,
  };
  return put('error', context.errorId, value, null);
}

export interface EmittedOutput {
  readonly key: string;
  readonly output: string;
  readonly reducer: number | null;
}

export function taskOutput(task: Task, emitted: EmittedOutput, now: string): Operation {
  const { jobId, domain, phaseNum, input, p0input } = task.stored.value;
  const value: TaskOutputRecord & { readonly input?: string; readonly p0input?: string } = {
    jobId,
    taskId: task.id,
    domain,
    phaseNum,
    intermediate: flagOf(task.group.details?.isLast === false),
    output: emitted.output,
    ...(input === undefined ? {} : { input }),
    ...(p0input === undefined ? {} : { p0input }),
    ...(emitted.reducer === null ? {} : { rIdx: emitted.reducer }),
    timeCreated: now,
  };
  return put('taskoutput', emitted.key, value);
}

export function readInput(stored: Stored<TaskInputRecord>, now: string): Put {
  return put('taskinput', stored.key, { ...stored.value, timeRead: now } satisfies TaskInputRecord, stored.etag);
}

function put(bucket: Put['bucket'], key: string, value: object, etag?: string | null): Put {
  return { op: 'put', bucket, key, value, ...(etag === undefined ? {} : { etag }) };
}
