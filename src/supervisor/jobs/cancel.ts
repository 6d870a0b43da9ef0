/** Cancellation: every record of the job is stamped, so that no query finds it and agents stop what runs. */
import type { Operation } from '../../bus/types.js';
import { absent, and, eq } from '../../moray/client/filter.js';

const stamps = [
  ['task', 'timeCancelled'],
  ['jobinput', 'timeJobCancelled'],
  ['taskoutput', 'timeJobCancelled'],
  ['taskinput', 'timeJobCancelled'],
  ['task', 'timeDispatchDone'],
] as const;

/**
 * One lap; another is needed while one of the updates changes `limit` records. The last makes attempts of reducers fit to
 * be committed, to which nobody will move the inputs of the failed ones any more.
 */
export function cancelRecords(jobId: string, time: string, limit: number): Operation[] {
  return stamps.map(([bucket, field]) => ({
    op: 'update',
    bucket,
    filter: and(eq('jobId', jobId), absent(field)),
    fields: { [field]: time },
    limit,
  }));
}
