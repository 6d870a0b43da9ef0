/**
 * Saving a job. What a supervisor owns in the record is laid over what is stored, so that whatever others wrote
 * meanwhile (end of input, cancellation, and members that a later version adds) stays. A job that somebody else owns, or
 * that is done, is never written over.
 */
import type { Operation, Stored } from '../../bus/types.js';
import type { JobRecord } from '../../records/job.js';
import type { Job } from './job.js';

export type JobChange = Partial<
  Pick<JobRecord, 'state' | 'timeInputDone' | 'timeInputDoneRead' | 'timeDone' | 'timeAssigned'>
>;

/** Whether counters are due: changed, and not saved within `everyMs`. */
export function isSaveDue(job: Job, everyMs: number, nowMs: number): boolean {
  return nowMs - job.savedAtMs >= everyMs && JSON.stringify(job.stats) !== job.savedStats;
}

export function saveJob(job: Job, change: JobChange = {}): Operation & { op: 'put' } {
  const value = { ...job.stored.value, ...change, stats: { ...job.stats } };
  return { op: 'put', bucket: 'job', key: job.stored.key, etag: job.stored.etag, value };
}

/** @returns what to write over `stored`, or null when it is not ours to write. */
export function mergeJob(mine: JobRecord, stored: JobRecord): JobRecord | null {
  if (stored.worker !== mine.worker || stored.state === 'done') return null;
  return {
    ...stored,
    state: mine.state,
    ...(mine.stats === undefined ? {} : { stats: mine.stats }),
    ...(mine.timeDone === undefined ? {} : { timeDone: mine.timeDone }),
    ...first('timeInputDone', mine, stored),
    ...first('timeInputDoneRead', mine, stored),
  };
}

/** Marks that somebody may have set before us: what is stored stays. */
function first<Mark extends 'timeInputDone' | 'timeInputDoneRead'>(mark: Mark, mine: JobRecord, stored: JobRecord) {
  const time = stored[mark] ?? mine[mark];
  return time === undefined ? {} : { [mark]: time };
}

/** The record as it is after a write. */
export function asStored(before: Stored<JobRecord>, value: JobRecord, etag: string): Stored<JobRecord> {
  return { ...before, value, etag };
}
