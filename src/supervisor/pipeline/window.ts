/**
 * Windows: at most so many unfinished map tasks of a job are dispatched to an agent; further inputs wait in the store. An
 * agent that is full blocks its job until a quarter of the window is free again: then a pass brings many records, not
 * one. Counts are hints: the worst that drift does is a window somewhat too large or small.
 *
 * Reducers do not count: there are few of them, and they end only when all that feeds them has. A window full of reducers
 * would keep out the very tasks they wait for.
 */
import type { DomainContext } from '../domain-context.js';
import type { Job } from '../jobs/job.js';

export function hasRoom(job: Job, agent: string, limit: number): boolean {
  return mapsAt(job, agent) < limit;
}

/** Lets a blocked job go on if there is room again. */
export function unblock(job: Job, context: Pick<DomainContext, 'tunables' | 'wake'>): void {
  const enough = Math.floor(context.tunables.maxTasksPerAgent * 0.75);
  if (job.blockedBy === null || mapsAt(job, job.blockedBy) > enough) return;
  job.blockedBy = null;
  context.wake('jobInputs', 'taskOutputs', 'retryTasks');
}

function mapsAt(job: Job, agent: string): number {
  return job.unfinished.map.get(agent) ?? 0;
}
