/**
 * What happens to the jobs of a domain by the clock: counters are saved, idle input ends, late inputs are stamped, and a
 * job that stands still is counted again, in case a hint was wrong or something was lost. The longer it stands still,
 * the longer the pauses between such looks, so that thousands of jobs that wait for something cost next to nothing.
 */
import { jobChannel } from '../../bus/channels.js';
import type { DomainContext } from '../domain-context.js';
import { cancelJob, endInvalidTasks } from './cancel.js';
import { endIdleInput, stampLate } from './input.js';
import type { Job } from './job.js';
import { recountWindow, writeJob } from './load.js';
import { isSaveDue } from './save.js';
import { placeMissing } from './take-up.js';

/** Pauses between looks at a job that stands still double up to so many times `timeJobStill`. */
const longestPause = 8;

/** @param stamps it is time to look for inputs without a domain. */
export function tickJobs(context: DomainContext, stamps: boolean): void {
  const { nowMs } = context.env();
  for (const job of context.jobs.all()) if (!job.finished && !job.dropped) tickJob(job, stamps, nowMs, context);
}

function tickJob(job: Job, stamps: boolean, nowMs: number, context: DomainContext): void {
  const { tunables } = context;
  boundTimes(job, nowMs, tunables.timeJobStill * longestPause);
  const idleMs = nowMs - job.lastInputMs;
  if (!job.inputEnded && tunables.timeJobIdleClose > 0 && idleMs > tunables.timeJobIdleClose) {
    job.lastInputMs = nowMs;
    context.follow('ending idle input', endIdleInput(job, context));
  } else if (isSaveDue(job, tunables.timeJobSave, nowMs) && !job.busy && !job.saving) {
    context.follow('a save', save(job, context));
  }
  // Inputs that a front door wrote in the moment of the claim; none are looked for in a job that stands still.
  const expectsInput = job.inputEnded ? job.inputsLeft > 0 : idleMs < 2 * tunables.timeJobStill;
  if (stamps && expectsInput) context.follow('stamping inputs', stampLate(job, context));
  if (job.stillLooks === 0) job.nextLookMs = job.changedAtMs + tunables.timeJobStill;
  if (nowMs < job.nextLookMs) return;
  job.nextLookMs = nowMs + tunables.timeJobStill * Math.min(longestPause, 2 ** job.stillLooks);
  job.stillLooks++;
  lookAtStill(job, context);
}

/** A clock that was set back makes nothing wait until it is again as late as it was. */
function boundTimes(job: Job, nowMs: number, longestPauseMs: number): void {
  job.changedAtMs = Math.min(job.changedAtMs, nowMs);
  job.savedAtMs = Math.min(job.savedAtMs, nowMs);
  job.lastInputMs = Math.min(job.lastInputMs, nowMs);
  job.nextLookMs = Math.min(job.nextLookMs, nowMs + longestPauseMs);
}

/** One at a time: while the store is slow they would line up, each refused for the etag of the one before. */
async function save(job: Job, context: DomainContext): Promise<void> {
  job.saving = true;
  try {
    await writeJob(job, {}, context, [], [[jobChannel(job.jobId), ['job']]]);
  } finally {
    job.saving = false;
  }
}

function lookAtStill(job: Job, context: DomainContext): void {
  context.sweepLost();
  if (job.blockedBy !== null) context.follow('counting a window', recountWindow(job, context));
  context.follow('placing reducers', placeMissing(job, context));
  if (job.cancelled !== null && !job.cancelMarked) context.follow('cancelling', cancelJob(job, context));
  if (job.cancelMarked) context.follow('ending invalid tasks', endInvalidTasks(job, context));
  if (job.inputEnded || job.cancelled !== null) context.look(job);
}
