/** Removal of a job: what belongs to it in portions that a store can take, then the job itself. */
import VError from 'verror';
import { eq } from '../moray/client/filter.js';
import type { BucketName } from '../records/buckets.js';
import type { JobStore } from './store.js';

const portion = 500;
/** A portion can take long where many records have many indexes. */
const timeoutMs = 300_000;

export async function deleteJob(store: JobStore, jobId: string): Promise<void> {
  try {
    let left: readonly BucketName[] = ['jobinput', 'error', 'task', 'taskinput', 'taskoutput'];
    while (left.length > 0) left = await deletePortions(store, jobId, left);
    await store.moray.delObject(store.buckets.job, jobId);
  } catch (error) {
    throw new VError({ name: 'JobDeleteError', cause: error as Error, info: { jobId } }, 'failed to delete job');
  }
}

/** @returns the buckets that may hold more. */
async function deletePortions(
  store: JobStore,
  jobId: string,
  names: readonly BucketName[],
): Promise<readonly BucketName[]> {
  const filter = eq('jobId', jobId);
  const requests = names.map((name) => {
    return { operation: 'deleteMany', bucket: store.buckets[name], filter, options: { limit: portion } } as const;
  });
  const { etags } = await store.moray.batch(requests, { timeout: timeoutMs });
  return names.filter((_name, index) => (etags[index]?.count ?? 0) >= portion);
}
