/** The job that a path names, and whether the caller may. Order: spec 07 §5.2. */
import VError from 'verror';
import type { Action } from '../../accounts/types.js';
import { httpError } from '../../http/errors.js';
import type { JobRecord } from '../../records/job.js';
import { keyOf } from '../paths.js';
import type { Call } from '../request/call.js';
import { assertAllowed } from '../request/permission.js';

/** @throws VError `ResourceNotFound`, `AuthorizationFailed`. */
export async function lookUpJob(call: Call, action: Action): Promise<JobRecord> {
  const jobId = call.parameters['job'] ?? '';
  const owner = call.owner.account.uuid;
  const key = keyOf(owner, ['jobs', jobId]);
  const [job, directory] = await Promise.all([fetch(call, jobId), isOwnerCall(call) ? undefined : roles(call, key)]);
  if (job.owner !== owner) throw httpError('ResourceNotFound', call.path);
  assertAllowed(call, { action, key, roles: directory });
  return job;
}

async function fetch(call: Call, jobId: string): Promise<JobRecord> {
  try {
    return (await call.services.jobs.fetch(jobId)).value;
  } catch (error) {
    if (VError.hasCauseWithName(error as Error, 'ObjectNotFoundError')) {
      throw httpError('ResourceDoesNotExist', call.path);
    }
    throw error;
  }
}

/** The owner may do everything: what tags the job's directory has makes no difference. */
function isOwnerCall({ caller: { principal }, owner }: Call): boolean {
  return principal?.account.uuid === owner.account.uuid && !principal.user;
}

async function roles(call: Call, key: string): Promise<readonly string[]> {
  return (await call.services.entries.get(key))?.entry.roles ?? [];
}

/** @throws VError `InvalidJobState` */
export function assertChangeable(job: JobRecord, options: { readonly needsOpenInput: boolean }): void {
  const { jobId } = job;
  if (job.state === 'done') throw httpError('InvalidJobState', jobId, 'done');
  if (job.timeCancelled !== undefined) throw httpError('InvalidJobState', jobId, 'cancelled');
  if (options.needsOpenInput && job.timeInputDone !== undefined) throw httpError('InvalidJobState', jobId, 'inputDone');
}
