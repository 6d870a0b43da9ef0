/**
 * Windows: at most so many unfinished tasks of a job are dispatched to an agent; further inputs wait in the store. An
 * agent that is full blocks its job until a quarter of the window is free again: then a pass brings many records, not
 * one. Counts are hints: the worst that drift does is a window somewhat too large or small.
 */
import type { Job } from '../jobs/job.js';

export function hasRoom(job: Job, agent: string, limit: number): boolean {
  return (job.unfinished.get(agent) ?? 0) < limit;
}

/** Whether a blocked job may go on. */
export function isUnblocked(job: Job, limit: number): boolean {
  return job.blockedBy !== null && (job.unfinished.get(job.blockedBy) ?? 0) <= Math.floor(limit * 0.75);
}
