/**
 * Changes of a job record: read it, change it, write it on condition that nobody else has. The supervisor writes the
 * same record about once a second, so a conflict is an everyday thing and the change is made again on what is there.
 */
import VError from 'verror';
import { domainChannel, jobsChannel, payloadOf } from '../bus/channels.js';
import { toStored } from '../bus/stored.js';
import type { Stored } from '../bus/types.js';
import { sleep } from '../common/clock.js';
import { isoTime } from '../common/iso-time.js';
import type { JobRecord } from '../records/job.js';
import type { JobStore } from './store.js';
import type { UpdateOptions } from './types.js';

/** Conflicts in a row, after which somebody must be writing without pause. */
const conflictLimit = 20;
const firstPauseMs = 1000;

export async function fetchJob(store: JobStore, jobId: string): Promise<Stored<JobRecord>> {
  try {
    return toStored('job', await store.moray.getObject<JobRecord>(store.buckets.job, jobId));
  } catch (error) {
    throw new VError({ name: 'JobFetchError', cause: error as Error, info: { jobId } }, 'failed to fetch job');
  }
}

export function cancelJob(store: JobStore, jobId: string, options?: UpdateOptions): Promise<JobRecord> {
  return updateJob(store, jobId, (job) => ({ ...job, timeCancelled: isoTime(store.clock.nowMs()) }), options);
}

export function endJobInput(store: JobStore, jobId: string, options?: UpdateOptions): Promise<JobRecord> {
  const end = (job: JobRecord): JobRecord => {
    if (job.input !== undefined) {
      const text = 'job "%s" input is piped from %s';
      throw new VError({ name: 'JobInputPipedError' }, text, jobId, String(job.input));
    }
    return { ...job, timeInputDone: isoTime(store.clock.nowMs()) };
  };
  return updateJob(store, jobId, end, options);
}

type Change = (job: JobRecord) => JobRecord;

/** Changes a job, again and again while others change it as well. @returns the record before. */
export async function updateJob(
  store: JobStore,
  jobId: string,
  change: Change,
  { attempts = 1 }: UpdateOptions = {},
): Promise<JobRecord> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await updateOnce(store, jobId, change);
    } catch (error) {
      if (attempt >= attempts) throw error;
      await sleep(store.clock, firstPauseMs * 2 ** (attempt - 1));
    }
  }
}

async function updateOnce(store: JobStore, jobId: string, change: Change): Promise<JobRecord> {
  for (let conflicts = 0; ; conflicts++) {
    const stored = await fetchJob(store, jobId);
    const value = change(stored.value);
    try {
      await save(store, stored, value);
      return stored.value;
    } catch (error) {
      const isConflict = VError.hasCauseWithName(error as Error, 'EtagConflictError');
      if (isConflict && conflicts < conflictLimit) continue;
      throw new VError({ name: 'JobUpdateError', cause: error as Error, info: { jobId } }, 'failed to update job');
    }
  }
}

async function save(store: JobStore, { key, etag }: Stored<JobRecord>, value: JobRecord): Promise<void> {
  const { worker, state } = value;
  // A job that nobody has claimed yet: whoever tried to at this moment has failed, and has to be told.
  const channel = worker === undefined ? jobsChannel : domainChannel(worker);
  const isOver = state === 'done'; // supervisors have nothing to do with it any more
  const options = isOver ? {} : { notify: [[channel, payloadOf(['job'])] as [string, string]] };
  const { job: bucket } = store.buckets;
  await store.moray.batch([{ operation: 'put', bucket, key, value, options: { etag } }], options);
}
