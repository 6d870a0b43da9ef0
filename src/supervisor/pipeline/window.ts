/**
 * Windows: at most so many unfinished tasks of a job are dispatched to an agent; further inputs wait in the store. An
 * agent that is full blocks its job until a quarter of the window is free again: then a pass brings many records, not
 * one. Counts are hints: the worst that drift does is a window somewhat too large or small.
 */
import type { DomainContext } from '../domain-context.js';
import type { Job } from '../jobs/job.js';

export function hasRoom(job: Job, agent: string, limit: number): boolean {
  return (job.unfinished.get(agent) ?? 0) < limit;
}

/** Lets a blocked job go on if there is room again. */
export function unblock(job: Job, context: Pick<DomainContext, 'tunables' | 'wake'>): void {
  const enough = Math.floor(context.tunables.maxTasksPerAgent * 0.75);
  if (job.blockedBy === null || (job.unfinished.get(job.blockedBy) ?? 0) > enough) return;
  job.blockedBy = null;
  context.wake('jobInputs', 'taskOutputs', 'retryTasks');
}
