/** What every part of the job library works with: the store, the names of its buckets, time and ids. */
import VError from 'verror';
import { toStored } from '../bus/stored.js';
import type { Stored } from '../bus/types.js';
import type { Clock } from '../common/clock.js';
import { and, eq, ge, le } from '../moray/client/filter.js';
import type { MorayClient } from '../moray/client/types.js';
import type { BucketName } from '../records/buckets.js';
import type { Page } from './types.js';

export interface JobStore {
  readonly moray: MorayClient;
  /** Names in Moray by logical name. */
  readonly buckets: Readonly<Record<BucketName, string>>;
  readonly clock: Clock;
  /** Random UUIDs. */
  readonly newId: () => string;
}

/** What a search asks Moray for at a time. */
const pageSize = 1000;

/** @param where builds the filter; it is given the condition that selects the next page, or none. */
export async function* search<Value>(
  store: JobStore,
  bucket: BucketName,
  where: (...page: readonly string[]) => string,
  { limit = Number.POSITIVE_INFINITY, marker, order = 'ASC' }: Page = {},
): AsyncGenerator<Stored<Value>> {
  const from = order === 'ASC' ? ge : le;
  const step = order === 'ASC' ? 1 : -1;
  let next = marker;
  let left = limit;
  while (left > 0) {
    const filter = next === undefined ? where() : where(from('_id', next));
    const count = Math.min(left, pageSize);
    let found = 0;
    const options = { limit: count, no_count: true, sort: { attribute: '_id', order } } as const;
    for await (const object of store.moray.findObjects<Value>(store.buckets[bucket], filter, options)) {
      found++;
      next = object._id + step;
      yield toStored(bucket, object);
    }
    if (found < count) return;
    left -= found;
  }
}

/** How many records of a bucket match. */
export async function count({ moray, buckets }: JobStore, bucket: BucketName, filter: string): Promise<number> {
  for await (const { _count } of moray.findObjects(buckets[bucket], filter, { limit: 1 })) return Number(_count ?? 0);
  return 0;
}

/** Whether a job is done: its records do not change any more. @throws VError `NoJobError`. */
export async function isJobDone(store: JobStore, jobId: string): Promise<boolean> {
  if ((await count(store, 'job', and(eq('jobId', jobId), eq('state', 'done')))) > 0) return true;
  await checkJob(store, jobId);
  return false;
}

/** @throws VError `NoJobError` when there is no such job. */
export async function checkJob(store: JobStore, jobId: string): Promise<void> {
  if ((await count(store, 'job', eq('jobId', jobId))) > 0) return;
  throw new VError({ name: 'NoJobError', info: { jobId } }, 'job "%s" not found', jobId);
}
