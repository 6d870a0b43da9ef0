/**
 * One look at whether a job can go on: counts what progress.ts asks for, and tells reducers, cleans up or ends the job.
 * Only one look at a time; what happens meanwhile (job.version) makes its counts void, they are not even kept as hints,
 * and it is repeated.
 */

import { agentChannel, jobChannel } from '../../bus/channels.js';
import type { Operation, Stored } from '../../bus/types.js';
import { isoTime } from '../../common/iso-time.js';
import { absent, and, eq, present } from '../../moray/client/filter.js';
import type { BucketName } from '../../records/buckets.js';
import { isTrue } from '../../records/flags.js';
import type { TaskRecord } from '../../records/task.js';
import type { TaskOutputRecord } from '../../records/task-output.js';
import type { DomainContext } from '../domain-context.js';
import { isAnonymous } from '../pipeline/names.js';
import { awaitsEnd, endInput, mergeEnd } from '../tasks/end-reduce.js';
import type { Job } from './job.js';
import { ask, recountStats, sum, writeJob } from './load.js';
import { inputsOnTheMove, pendingRemovals, unfinishedIn, unreadInputs } from './progress.js';
import { moveTo } from './transition.js';

export type Look = 'waits' | 'changed meanwhile' | 'done' | 'lost';

export async function advance(job: Job, context: DomainContext): Promise<Look> {
  const { version } = job;
  const stood = () => job.version === version && job.inHand === 0;
  if (!stood()) return 'changed meanwhile';
  if (job.cancelled !== null) return endCancelled(job, context, stood);
  if (!job.inputEnded) return 'waits';
  const inputsLeft = await ask(unreadInputs(job.jobId), context);
  if (!stood()) return 'changed meanwhile';
  job.inputsLeft = inputsLeft;
  if (inputsLeft > 0) return 'waits';
  for (const [index, phase] of job.phases.entries()) {
    const open = await sum(unfinishedIn(job, index), context);
    if (!stood()) return 'changed meanwhile';
    phase.open = open;
    if (phase.open === 0) continue;
    if (!phase.isReduce || (await sum(inputsOnTheMove(job, index), context)) > 0) return 'waits';
    if (!stood()) return 'changed meanwhile';
    return tellReducers(job, index, context, stood);
  }
  const removals = await sum(pendingRemovals(job), context);
  if (!stood()) return 'changed meanwhile';
  job.removals = removals;
  if (removals > 0) {
    context.wake('removeInput', 'removeTaskInput');
    return 'waits';
  }
  if (job.phases.some(({ reducers, reducersRefused }) => !reducersRefused && reducers.includes(undefined)))
    return 'waits';
  return stood() ? end(job, context) : 'changed meanwhile';
}

/** All phases before have ended: each reducer learns how many inputs there are for it. */
async function tellReducers(job: Job, phase: number, context: DomainContext, stood: () => boolean): Promise<Look> {
  const state = job.phases[phase];
  const current = and(eq('jobId', job.jobId), eq('phaseNum', phase), present('rIdx'), absent('timeRetried'));
  const waiting: Stored<TaskRecord>[] = [];
  let mayRunAgain = false;
  for await (const task of context.bus.find<TaskRecord>('task', current)) {
    if (awaitsEnd(task.value)) waiting.push(task);
    else if (task.value.timeInputDone === undefined && task.value.timeCommitted === undefined) mayRunAgain = true;
  }
  if (!stood()) return 'changed meanwhile';
  const complete =
    state?.reducers.every((reducer) => reducer !== undefined) === true || state?.reducersRefused === true;
  if (waiting.length > 0) {
    const { nowMs } = context.env();
    const puts = await Promise.all(
      waiting.map(async (task) => {
        const inputs = and(eq('taskId', task.key), absent('timeRetried'));
        return endInput(task, await context.bus.count('taskinput', inputs), nowMs);
      }),
    );
    const agents = new Set(waiting.map(({ value }) => value.mantaComputeId));
    const notify = [...agents].map((agent) => [agentChannel(agent), ['task']] as const);
    const merge = (mine: { value: object }, stored: Stored<object>) =>
      mergeEnd(mine.value as TaskRecord, stored.value as TaskRecord);
    if (!stood()) return 'changed meanwhile'; // one that is new may get inputs from the attempt before
    if ((await context.write(puts, { notify, merge })) === null) return 'lost';
  }
  if (state !== undefined && stood()) state.told = complete && !mayRunAgain;
  return 'waits';
}

async function endCancelled(job: Job, context: DomainContext, stood: () => boolean): Promise<Look> {
  if (!job.cancelMarked) return 'waits';
  for (const [index, phase] of job.phases.entries()) {
    const open = await sum(unfinishedIn(job, index), context);
    if (!stood()) return 'changed meanwhile';
    phase.open = open;
  }
  if (job.phases.some(({ open }) => open > 0)) return 'waits';
  if (!job.cleanedUp) {
    await removeIntermediate(job, context);
    if (!(await noteRemovals(job, context))) return 'lost';
    job.cleanedUp = true;
  }
  return stood() ? end(job, context) : 'changed meanwhile';
}

/** A cancelled job may have left any of its intermediate objects; removing one twice does no harm. */
async function removeIntermediate(job: Job, context: DomainContext): Promise<void> {
  if (job.phases.length < 2) return;
  const pending = new Set<Promise<void>>();
  for await (const { value } of context.bus.find<TaskOutputRecord>('taskoutput', eq('jobId', job.jobId))) {
    if (!isTrue(value.intermediate) || !isAnonymous(value.output, job.jobId)) continue;
    const removing = context.remove(job, value.output).finally(() => pending.delete(removing));
    pending.add(removing);
    if (pending.size >= context.tunables.maxPendingDeletes) await Promise.race(pending);
  }
  await Promise.all(pending);
}

/** Removals that were asked for are done with the others: else their records would be found until the job is deleted. */
async function noteRemovals(job: Job, context: DomainContext): Promise<boolean> {
  const limit = context.tunables.maxRecordsPerUpdate;
  const fields = { timeInputRemoved: isoTime(context.env().nowMs) };
  const updates = pendingRemovals(job).map((count): Operation => ({ op: 'update', ...count, fields, limit }));
  for (let more = updates.length > 0; more; ) {
    const results = await context.write(updates);
    if (results === null) return false;
    more = results.some(({ count = 0 }) => count >= limit);
  }
  return true;
}

async function end(job: Job, context: DomainContext): Promise<Look> {
  await recountStats(job, context);
  moveTo(
    job,
    'finishing',
    job.cancelled === null ? 'everything has ended' : 'cancelled',
    context.env().nowMs,
    context.log,
  );
  const notify: (readonly [string, readonly BucketName[]])[] = [[jobChannel(job.jobId), ['job']]];
  const change = { state: 'done', timeDone: isoTime(context.env().nowMs) } as const;
  if ((await writeJob(job, change, context, [], notify)) === null) return 'lost';
  job.finished = true;
  return 'done';
}
