/** Who looks at jobs, and when: one look at a time at each, again if something happened meanwhile. See advance.ts. */
import type { DomainContext } from '../domain-context.js';
import { advance, type Look } from './advance.js';
import { cancelJob } from './cancel.js';
import type { Job } from './job.js';
import { mayAdvance } from './progress.js';
import { moveTo } from './transition.js';

/** Something happened to the job: looks at it if its hints allow that it can go on. */
export function lookIfHinted(job: Job, context: DomainContext): void {
  if (job.cancelled !== null && !job.cancelMarked && job.inHand === 0)
    context.follow('cancelling', cancelJob(job, context));
  if (mayAdvance(job)) lookNow(job, context);
}

export function lookNow(job: Job, context: DomainContext): void {
  if (job.busy) {
    job.again = true;
    return;
  }
  if (context.isStopped || job.finished || job.dropped) return;
  job.busy = true;
  const { version } = job;
  const looking = advance(job, context).then((outcome) => conclude(job, outcome, version, context));
  const settled = looking.finally(() => {
    job.busy = false;
    if (!job.again) return;
    job.again = false;
    lookIfHinted(job, context);
  });
  context.follow('a look at a job', settled);
}

function conclude(job: Job, outcome: Look, version: number, context: DomainContext): void {
  switch (outcome) {
    case 'done':
      context.counters.jobsDone++;
      removeJob(job, 'done', context);
      break;
    case 'lost':
      removeJob(job, 'the record is no longer ours to write', context);
      break;
    case 'waits':
      if (job.version === version) job.doubted = false;
      break;
    case 'changed meanwhile':
      job.doubted = true;
      job.again = true;
  }
}

export function removeJob(job: Job, why: string, context: DomainContext): void {
  moveTo(job, 'removed', why, context.env().nowMs, context.log);
  context.load.leave(job);
  context.jobs.remove(job);
}
