/** Taking up a job that has run before: after a restart, or from a peer. What its hints are is counted. */
import type { Stored } from '../../bus/types.js';
import { absent, and, eq, present } from '../../moray/client/filter.js';
import { isTrue } from '../../records/flags.js';
import { isJobRecord, type JobRecord } from '../../records/job.js';
import type { TaskRecord } from '../../records/task.js';
import type { DomainContext } from '../domain-context.js';
import { refusalId } from '../ids.js';
import { type Job, newJob, type Reducer } from './job.js';
import { type Count, pendingRemovals, statCounts, unfinishedIn, unreadInputs } from './progress.js';
import { asStored, mergeJob, saveJob } from './save.js';

/**
 * 'not ours': it is no job that we understand. 'changed': what we read of it was old. Somebody else may have it; or it
 * was done here in the meantime, and what it left behind is still to be marked.
 */
export async function loadJob(
  record: Stored<JobRecord>,
  context: DomainContext,
): Promise<Job | 'not ours' | 'changed'> {
  const problem = isJobRecord.problem(record.value);
  if (problem !== null) {
    context.log.error({ jobId: record.key }, `job is left alone: ${problem}`);
    return 'not ours';
  }
  const job = newJob(record, 'initializing', context.env().nowMs);
  job.stats.nAssigns++;
  await Promise.all([recountStats(job, context), recountHints(job, context)]);
  if (!(await writeJob(job, { state: 'running' }, context))) return 'changed';
  // Only now: what another had sent for the record as it was, reducers placed or refused, comes too late from here on.
  await loadPlaces(job, context);
  return job;
}

/** Writes what a supervisor owns of the record. false: it is not ours any more. */
export async function writeJob(
  job: Job,
  change: Parameters<typeof saveJob>[1],
  context: DomainContext,
  also: Parameters<DomainContext['write']>[0] = [],
  notify: NonNullable<Parameters<DomainContext['write']>[1]>['notify'] = [],
): Promise<readonly { readonly count?: number }[] | null> {
  const put = saveJob(job, change);
  let written = put.value as JobRecord;
  const results = await context.write([put, ...also], {
    notify,
    merge: (mine, stored) => {
      if (mine.bucket !== 'job') return null;
      const merged = mergeJob(mine.value as JobRecord, stored.value as JobRecord);
      if (merged !== null) written = merged;
      return merged;
    },
  });
  const etag = results?.[0]?.etag;
  if (results === null || results === undefined || etag === undefined) return null;
  job.stored = asStored(job.stored, written, etag);
  job.savedStats = JSON.stringify(written.stats);
  job.savedAtMs = context.env().nowMs;
  return results;
}

/** Which reducers there are, and which are refused. */
export async function loadPlaces(job: Job, context: DomainContext): Promise<void> {
  await loadReducers(job, context);
  await loadRefusals(job, context);
}

/** The current attempt of each reducer, but of those that are known to have changed meanwhile. */
export async function loadReducers(job: Job, context: DomainContext): Promise<void> {
  if (!job.phases.some(({ isReduce }) => isReduce)) return;
  const known = job.phases.map(({ reducers }) => [...reducers]);
  const current = and(eq('jobId', job.jobId), present('rIdx'), absent('timeRetried'));
  for await (const { value } of context.bus.find<TaskRecord>('task', current)) {
    const reducers = job.phases[value.phaseNum]?.reducers;
    const index = value.rIdx;
    if (reducers === undefined || index === undefined || index >= reducers.length) continue;
    if (reducers[index] !== known[value.phaseNum]?.[index]) continue;
    reducers[index] = asReducer(value);
  }
}

/** Phases whose reducers nobody could run, all that had none at once: their user has been told. */
async function loadRefusals(job: Job, context: DomainContext): Promise<void> {
  for (const [index, phase] of job.phases.entries()) {
    const missing = phase.reducers.indexOf(undefined);
    if (missing < 0 || phase.reducersRefused) continue;
    phase.reducersRefused = (await context.bus.get('error', refusalId(job.jobId, index, missing))) !== null;
  }
}

export function asReducer(task: TaskRecord): Reducer {
  return {
    taskId: task.taskId,
    agent: task.mantaComputeId,
    generation: task.agentGeneration,
    finished: task.timeCommitted !== undefined && !isTrue(task.wantRetry),
  };
}

export async function recountStats(job: Job, context: DomainContext): Promise<void> {
  const counts = Object.entries(statCounts(job)) as [Exclude<keyof Job['stats'], 'nAssigns'>, Count][];
  await Promise.all(
    counts.map(async ([name, count]) => {
      job.stats[name] = await ask(count, context);
    }),
  );
}

async function recountHints(job: Job, context: DomainContext): Promise<void> {
  const { jobId } = job;
  const removals = sum(pendingRemovals(job), context);
  const phases = job.phases.map(async (phase, index) => {
    phase.open = await sum(unfinishedIn(job, index), context);
  });
  job.inputsLeft = await ask(unreadInputs(jobId), context);
  job.removals = await removals;
  await Promise.all(phases);
  const open = job.phases.reduce((total, phase) => total + phase.open, 0);
  if (open >= context.tunables.maxTasksPerAgent) await recountWindow(job, context); // else none can be full
}

/** Unfinished map tasks at each agent; what waited for room is looked at again. */
export async function recountWindow(job: Job, context: DomainContext): Promise<void> {
  const { jobId } = job;
  const counts = new Map<string, number>();
  for (const { instance } of context.agents.living()) {
    const here = and(eq('jobId', jobId), eq('mantaComputeId', instance), absent('timeCommitted'), absent('rIdx'));
    counts.set(instance, await context.bus.count('task', here));
  }
  context.load.replaceMaps(job, counts);
  job.blockedBy = null;
  context.wake('jobInputs', 'taskOutputs', 'retryTasks');
}

export function ask({ bucket, filter }: Count, context: DomainContext): Promise<number> {
  return context.bus.count(bucket, filter);
}

export async function sum(counts: readonly Count[], context: DomainContext): Promise<number> {
  const answers = await Promise.all(counts.map((count) => ask(count, context)));
  return answers.reduce((total, count) => total + count, 0);
}
