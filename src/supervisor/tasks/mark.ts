/**
 * Marks that did not fit into the commit (commit.ts), lap by lap. Each lap is a write of its own and changes only what no
 * lap before it changed, so it may be repeated after any crash.
 */
import type { Stored } from '../../bus/types.js';
import { isoTime } from '../../common/iso-time.js';
import { absent, and, eq, present } from '../../moray/client/filter.js';
import { isTrue } from '../../records/flags.js';
import type { TaskRecord } from '../../records/task.js';
import type { TaskOutputRecord } from '../../records/task-output.js';
import { taskObjectNames } from '../../taskapi/object-names.js';
import type { DomainContext } from '../domain-context.js';
import { adjustOpen, type Job, lastPhase } from '../jobs/job.js';
import { isAnonymousOfPhase } from '../pipeline/names.js';
import { afterOutputs, isMarked, markInputsForRemoval, markOutputs, markTask } from './commit.js';
import { endPointing, followRetry, pointInputsOn } from './reduce-retry.js';

export async function markOutputsOf(task: Stored<TaskRecord>, job: Job, context: DomainContext): Promise<void> {
  const { value } = task;
  const limit = context.tunables.maxRecordsPerUpdate;
  const retried = isTrue(value.wantRetry);
  if (value.result !== 'ok') await removeOutputs(value, job, context);
  let more = true;
  while (more) {
    const now = isoTime(context.env().nowMs);
    const results = await context.write([markOutputs(value, lastPhase(job), now, limit)]);
    if (results === null) return;
    const count = results[0]?.count ?? 0;
    if (value.result === 'ok') countOutputs(job, value.phaseNum, count);
    more = count >= limit;
    context.wake('taskOutputs');
  }
  const marks = afterOutputs(value, retried, isoTime(context.env().nowMs));
  const marked = await context.write([markTask(value.taskId, 'timeOutputsMarkDone', marks)]);
  if (marked === null || !isMarked(marked)) return;
  if (marks.wantInputRemoved !== undefined) job.removals++;
  if (marks.timeInputsMarkCleanupStart === undefined && !retried) adjustOpen(job, value.phaseNum, -1);
  context.wake('markCleanup', 'retryTasks', 'removeInput');
  context.changed(job);
}

/** Marked outputs of a good task: more to pass on, or results of the job. */
export function countOutputs(job: Job, phase: number, count: number): void {
  if (phase < lastPhase(job)) adjustOpen(job, phase, count);
  else job.stats.nJobOutputs += count;
}

/**
 * What a failed attempt made, in a phase that is not the last, or that will run again, is nobody's. What it left in the
 * last phase for good may be all that its user gets to see.
 */
async function removeOutputs(task: TaskRecord, job: Job, context: DomainContext): Promise<void> {
  if (task.phaseNum === lastPhase(job) && !isTrue(task.wantRetry)) return;
  const left = and(eq('taskId', task.taskId), absent('timeCommitted'));
  for await (const { value } of context.bus.find<TaskOutputRecord>('taskoutput', left))
    if (isAnonymousOfPhase(value.output, job.jobId, task.phaseNum)) await context.remove(job, value.output);
  if (task.timeAbandoned === undefined || task.timeAccepted === undefined) return;
  // Its agent may have died between storing what the command printed and recording that: the names tell.
  const { taskId, phaseNum, input, p0input, rIdx } = task;
  const login = job.stored.value.auth?.login ?? '';
  const names = taskObjectNames({
    login,
    jobId: job.jobId,
    phaseNum,
    taskId,
    isReduce: rIdx !== undefined,
    input,
    p0input,
  });
  for (const name of [names.taskOutputKey, names.taskErrorKey]) await context.remove(job, name);
}

export async function markInputsOf(task: Stored<TaskRecord>, job: Job, context: DomainContext): Promise<void> {
  const { taskId, phaseNum } = task.value;
  const limit = context.tunables.maxRecordsPerUpdate;
  let more = true;
  while (more) {
    const arriving = await inputsArrive(taskId, job, context);
    const results = await context.write([markInputsForRemoval(taskId, limit)]);
    if (results === null) return;
    const count = results[0]?.count ?? 0;
    job.removals += count;
    if (count > 0) context.wake('removeTaskInput');
    if (count < limit && arriving) return comesAgain(job);
    more = count >= limit;
  }
  const marks = { timeInputsMarkCleanupDone: isoTime(context.env().nowMs) };
  const marked = await context.write([markTask(taskId, 'timeInputsMarkCleanupDone', marks)]);
  if (marked === null || !isMarked(marked)) return;
  adjustOpen(job, phaseNum, -1);
  context.changed(job);
}

export async function pointInputsOfFailed(task: Stored<TaskRecord>, job: Job, context: DomainContext): Promise<void> {
  const { value } = task;
  const limit = context.tunables.maxRecordsPerUpdate;
  const { retryTaskId: taskId = '', retryMantaComputeId: agent = '', retryAgentGeneration: generation = '' } = value;
  followRetry(value, { taskId, agent, generation }, job);
  let more = true;
  while (more) {
    const arriving = await inputsArrive(value.taskId, job, context);
    const results = await context.write([pointInputsOn(value, limit)]);
    if (results === null) return;
    const count = results[0]?.count ?? 0;
    adjustOpen(job, value.phaseNum, count);
    if (count > 0) context.wake('moveTaskInputs');
    if (count < limit && arriving) return comesAgain(job);
    more = count >= limit;
  }
  const marked = await context.write(endPointing(value, context.env().nowMs));
  if (marked === null || !isMarked(marked)) return;
  adjustOpen(job, value.phaseNum, -1);
  context.wake('doneTasks');
  context.changed(job);
}

/** The task is looked at again when the writes that hold it up are over, at the latest with the next pass. */
function comesAgain(job: Job): void {
  job.marksWait = true;
}

/** A write of an input for a reducer is over, or a copy was made. */
export function inputArrived(job: Job, context: DomainContext): void {
  if (!job.marksWait || job.writesTo.size > 0) return;
  job.marksWait = false;
  context.wake('markRetry', 'markCleanup');
}

/** Whether inputs of a reduce task are being written, or still point to it from a failed attempt. */
async function inputsArrive(taskId: string, job: Job, context: DomainContext): Promise<boolean> {
  if (job.writesTo.has(taskId)) return true;
  const inDomain = eq('domain', context.domain); // few are on the move: that is how they are indexed
  const moving = and(inDomain, eq('retryTaskId', taskId), present('retryTaskId'), absent('timeRetried'));
  return (await context.bus.count('taskinput', moving)) > 0;
}
