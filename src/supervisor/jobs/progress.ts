/**
 * How far a job is: theory of operation. Phases end in order. A map phase has ended when all inputs are passed on and
 * none of its tasks, retries and outputs is unfinished. A reduce phase is told how many inputs it gets when all phases
 * before it have ended; it has ended when its tasks are. The job is done when its last phase has ended and what it left
 * is removed; a cancelled job, when no task is unfinished and what it left is removed.
 *
 * What is asked of the store is asked phase by phase and stops at the first unfinished one, so a running job costs a few
 * counts. Hints (job.ts) say when to ask, these counts decide.
 */
import { absent, and, eq, or, present } from '../../moray/client/filter.js';
import type { BucketName } from '../../records/buckets.js';
import { wantRetry } from '../queries.js';
import { type Job, lastPhase, type Stats } from './job.js';

export interface Count {
  readonly bucket: BucketName;
  readonly filter: string;
}

export function unreadInputs(jobId: string): Count {
  return { bucket: 'jobinput', filter: and(eq('jobId', jobId), absent('timePropagated')) };
}

/** What keeps a phase from having ended. */
export function unfinishedIn(job: Job, phase: number): readonly Count[] {
  const inPhase = (...also: readonly string[]) => and(eq('jobId', job.jobId), eq('phaseNum', phase), ...also);
  if (job.cancelled !== null) return [{ bucket: 'task', filter: inPhase(absent('timeCommitted')) }];
  const tasks = inPhase(
    or(
      absent('timeCommitted'),
      and(present('timeOutputsMarkStart'), absent('timeOutputsMarkDone')),
      and(present('timeInputsMarkCleanupStart'), absent('timeInputsMarkCleanupDone')),
      and(present('timeInputsMarkRetryStart'), absent('timeInputsMarkRetryDone')),
      and(wantRetry, absent('timeRetried')),
    ),
  );
  const counts: Count[] = [{ bucket: 'task', filter: tasks }];
  if (phase < lastPhase(job))
    counts.push({ bucket: 'taskoutput', filter: inPhase(present('timeCommitted'), absent('timePropagated')) });
  if (job.phases[phase]?.isReduce) counts.push(movingInputs(job, phase));
  return counts;
}

/** With the domain: few inputs are on the move in it, and they are indexed apart from the many of the phase. */
function movingInputs(job: Job, phase: number): Count {
  const ofPhase = [eq('domain', job.domain), eq('jobId', job.jobId), eq('phaseNum', phase)];
  return { bucket: 'taskinput', filter: and(...ofPhase, present('retryTaskId'), absent('timeRetried')) };
}

/** Objects whose removal was asked for and not done. A first phase never asks. */
export function pendingRemovals(job: Job): readonly Count[] {
  if (job.phases.length < 2) return [];
  const asked = and(eq('wantInputRemoved', 'true'), absent('timeInputRemoved'));
  const filter = and(eq('domain', job.domain), eq('jobId', job.jobId), asked);
  return [
    { bucket: 'task', filter },
    { bucket: 'taskinput', filter },
  ];
}

/** Of reducers whose inputs are still being moved from a failed attempt, no count of inputs is final. */
export function inputsOnTheMove(job: Job, phase: number): readonly Count[] {
  const inPhase = (...also: readonly string[]) => and(eq('jobId', job.jobId), eq('phaseNum', phase), ...also);
  return [
    movingInputs(job, phase),
    { bucket: 'task', filter: inPhase(present('timeInputsMarkRetryStart'), absent('timeInputsMarkRetryDone')) },
    { bucket: 'task', filter: inPhase(wantRetry, absent('timeRetried')) },
  ];
}

/** The counters of a job, read from the store; `nAssigns` cannot be. Source: spec 04 §4.3. */
export function statCounts(job: Job): Readonly<Record<Exclude<keyof Stats, 'nAssigns'>, Count>> {
  const ofJob = (...also: readonly string[]) => and(eq('jobId', job.jobId), ...also);
  const retried = (value: string) => or(eq('retried', value), eq('retried', value.toUpperCase()));
  return {
    nErrors: { bucket: 'error', filter: ofJob(retried('false'), present('timeCommitted')) },
    nRetries: { bucket: 'error', filter: ofJob(retried('true')) },
    nInputsRead: { bucket: 'jobinput', filter: ofJob(present('timePropagated')) },
    nJobOutputs: {
      bucket: 'taskoutput',
      filter: ofJob(eq('phaseNum', lastPhase(job)), eq('valid', 'true'), present('timeCommitted')),
    },
    nTasksDispatched: { bucket: 'task', filter: ofJob() },
    nTasksCommittedOk: { bucket: 'task', filter: ofJob(present('timeCommitted'), eq('result', 'ok')) },
    nTasksCommittedFail: { bucket: 'task', filter: ofJob(present('timeCommitted'), eq('result', 'fail')) },
  };
}

/** Whether the hints allow that something can end: only then is the store asked. */
export function mayAdvance(job: Job): boolean {
  if (job.finished || job.dropped || job.inHand > 0) return false;
  if (job.cancelled !== null) return job.cancelMarked && (job.doubted || job.phases.every(({ open }) => open === 0));
  if (job.doubted) return job.inputEnded;
  if (!job.inputEnded || job.inputsLeft > 0) return false;
  for (const { isReduce, told, open } of job.phases) {
    if (isReduce && !told) return true;
    if (open > 0) return false;
  }
  return job.removals === 0;
}
