/**
 * States of a job in memory, and one line of log for each change:
 *
 *   unassigned --claimed--> running        initializing --loaded--> running
 *   running --all has ended--> finishing --saved--> removed        any --lost, domain stopped--> removed
 */
import type { Logger } from '../../common/logging.js';
import type { Job } from './job.js';

export type JobState = 'unassigned' | 'initializing' | 'running' | 'finishing' | 'removed';

export function moveTo(job: Job, state: JobState, why: string, nowMs: number, log: Logger): void {
  const { jobId, domain, stats, inputEnded, cancelled } = job;
  const shown = { jobId, worker: domain, from: job.state, to: state, inStateMs: nowMs - job.stateMs, why };
  const isEnd = state === 'finishing' || state === 'removed';
  log.info({ ...shown, inputEnded, cancelled, ...(isEnd ? { stats } : {}) }, `job ${job.state} -> ${state}: ${why}`);
  job.state = state;
  job.stateMs = nowMs;
}
