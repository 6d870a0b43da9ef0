/** Everything that an operator may want to see of one job, up to a limit. */
import VError from 'verror';
import type { Stored } from '../bus/types.js';
import { and, eq } from '../moray/client/filter.js';
import type { BucketName } from '../records/buckets.js';
import { type JobStore, search } from './store.js';
import type { JobDetails } from './types.js';
import { fetchJob } from './updates.js';

export async function jobDetails(
  store: JobStore,
  jobId: string,
  { all, limit }: { readonly all: boolean; readonly limit: number },
): Promise<JobDetails> {
  const job = await fetchJob(store, jobId);
  const problems: Error[] = [];
  const related = async <Value>(bucket: BucketName): Promise<Stored<Value>[]> => {
    const records: Stored<Value>[] = [];
    const where = (...more: readonly string[]) => and(eq('jobId', jobId), ...more);
    try {
      for await (const record of search<Value>(store, bucket, where, { limit })) records.push(record);
    } catch (error) {
      const text = 'error fetching "%s" records';
      problems.push(new VError({ name: 'JobDetailsError', cause: error as Error }, text, bucket));
    }
    return records;
  };
  const [jobinput, task, error, taskoutput, taskinput] = await Promise.all([
    related<JobDetails['jobinput'][number]['value']>('jobinput'),
    related<JobDetails['task'][number]['value']>('task'),
    related<JobDetails['error'][number]['value']>('error'),
    related<JobDetails['taskoutput'][number]['value']>('taskoutput'),
    all ? related<JobDetails['taskinput'][number]['value']>('taskinput') : [],
  ]);
  return { job, jobinput, task, error, taskoutput, taskinput, problems };
}
