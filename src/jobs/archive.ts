/**
 * How far the archiver is, from the job records alone: what it has taken, what it has done, what waits for it. Counts
 * come from Moray with a page of one record; a Moray whose bucket lacks the indexes is read through instead.
 */
import VError from 'verror';
import { absent, and, eq, present } from '../moray/client/filter.js';
import type { MorayObject } from '../moray/client/types.js';
import type { JobRecord } from '../records/job.js';
import { type JobStore, search } from './store.js';
import type { ArchiveJob, ArchiveStatus, UpdateOptions } from './types.js';
import { updateJob } from './updates.js';

const shownLimit = 10;
const isDone = [present('jobId'), eq('state', 'done')];

/** Forgets that an archiver has taken the job, so that one takes it again. */
export function resetArchive(store: JobStore, jobId: string, options?: UpdateOptions): Promise<JobRecord> {
  const reset = ({ timeArchiveStarted: _started, wrasse: _wrasse, ...job }: JobRecord): JobRecord => {
    if (job.timeArchiveDone !== undefined) {
      throw new VError({ name: 'JobArchivedError' }, 'job "%s": already archived', jobId);
    }
    if (job.state !== 'done') {
      const text = 'job "%s": expected state "done", but found "%s"';
      throw new VError({ name: 'JobStateError' }, text, jobId, job.state);
    }
    return job;
  };
  return updateJob(store, jobId, reset, options);
}

/** @returns which of the fields that the searches need have no index in the bucket. */
export async function missingArchiveIndexes({ moray, buckets }: JobStore): Promise<readonly string[]> {
  const { index } = await moray.getBucket(buckets.job);
  return ['timeArchiveStarted', 'timeArchiveDone', 'wrasse'].filter((field) => index[field] === undefined);
}

export async function archiveStatus(store: JobStore): Promise<ArchiveStatus> {
  const archived = and(...isDone, present('timeArchiveDone'));
  const assigned = and(...isDone, absent('timeArchiveDone'), present('timeArchiveStarted'));
  const unassigned = and(...isDone, absent('timeArchiveStarted'));
  const [all, done, first, last, started, waiting] = await Promise.all([
    top(store, present('jobId'), 1),
    top(store, and(...isDone), 1),
    top(store, archived, 1, { attribute: 'timeArchiveDone', order: 'ASC' }),
    top(store, archived, 1, { attribute: 'timeArchiveDone', order: 'DESC' }),
    top(store, assigned, shownLimit, { attribute: 'timeDone', order: 'ASC' }),
    top(store, unassigned, shownLimit, { attribute: 'timeDone', order: 'ASC' }),
  ]);
  return {
    nJobsTotal: all.count,
    nJobsDone: done.count,
    nJobsArchived: first.count,
    nJobsAssigned: started.count,
    jobNextDelete: first.jobs[0] ?? null,
    jobLastArchived: last.jobs[0] ?? null,
    assigned: started.jobs,
    unassigned: waiting.jobs,
  };
}

interface Sort {
  readonly attribute: string;
  readonly order: 'ASC' | 'DESC';
}

async function top({ moray, buckets }: JobStore, filter: string, limit: number, sort?: Sort) {
  const found: MorayObject<JobRecord>[] = [];
  const options = sort === undefined ? { limit } : { limit, sort };
  for await (const object of moray.findObjects<JobRecord>(buckets.job, filter, options)) found.push(object);
  return { count: Number(found[0]?._count ?? 0), jobs: found.map(({ value }) => archiveJob(value)) };
}

/**
 * The same by reading every job that is done: for buckets without the indexes. Memory does not grow with them.
 * @param onStart told how many jobs will be read.
 */
export async function scanArchiveStatus(store: JobStore, onStart: (jobCount: number) => void): Promise<ArchiveStatus> {
  const [all, done] = await Promise.all([top(store, present('jobId'), 1), top(store, and(...isDone), 1)]);
  onStart(done.count);
  const counts = { done: 0, archived: 0, assigned: 0 };
  let jobNextDelete: ArchiveJob | null = null;
  let jobLastArchived: ArchiveJob | null = null;
  const assigned: ArchiveJob[] = [];
  const unassigned: ArchiveJob[] = [];
  for await (const { value } of search<JobRecord>(store, 'job', (...more) => and(...isDone, ...more))) {
    const job = archiveJob(value);
    counts.done++;
    if (job.timeArchiveDone !== null) {
      counts.archived++;
      if (jobNextDelete === null || job.timeArchiveDone < (jobNextDelete.timeArchiveDone ?? '')) jobNextDelete = job;
      if (jobLastArchived === null || job.timeArchiveDone > (jobLastArchived.timeArchiveDone ?? '')) {
        jobLastArchived = job;
      }
    } else if (job.timeArchiveStarted !== null) {
      counts.assigned++;
      keepOldest(assigned, job);
    } else keepOldest(unassigned, job);
  }
  return {
    nJobsTotal: all.count,
    nJobsDone: counts.done,
    nJobsArchived: counts.archived,
    nJobsAssigned: counts.assigned,
    jobNextDelete,
    jobLastArchived,
    assigned,
    unassigned,
  };
}

function keepOldest(kept: ArchiveJob[], job: ArchiveJob): void {
  kept.push(job);
  kept.sort((a, b) => ((a.timeDone ?? '') < (b.timeDone ?? '') ? -1 : 1));
  kept.length = Math.min(kept.length, shownLimit);
}

function archiveJob({ jobId, timeDone, timeArchiveStarted, timeArchiveDone }: JobRecord): ArchiveJob {
  return {
    id: jobId,
    timeDone: timeDone ?? null,
    timeArchiveStarted: timeArchiveStarted ?? null,
    timeArchiveDone: timeArchiveDone ?? null,
  };
}
