/**
 * Names of the channels on which writers wake readers. A writer names the channels in the same Moray call as the write,
 * with the logical names of the buckets written as payload, so that a listener runs only the queries concerned.
 *
 * | channel               | written with                                                  | listened to by          |
 * |-----------------------|---------------------------------------------------------------|-------------------------|
 * | marlin.jobs           | a new job                                                     | supervisors             |
 * | marlin.domains        | domain records, the first heartbeat of a supervisor or agent  | supervisors             |
 * | marlin.domain.ID      | cancel, end of input, input, a finished task, its outputs     | the domain's operator   |
 * | marlin.agent.ID       | task or task input dispatched, cancelled, ended               | that agent              |
 * | marlin.job.ID         | state and counters saved                                      | who watches the job     |
 * | marlin.self.INSTANCE  | every heartbeat of that process                               | itself: push works      |
 */
import { createHash } from 'node:crypto';
import type { BucketName } from '../records/buckets.js';

export const jobsChannel = 'marlin.jobs';
export const domainsChannel = 'marlin.domains';

export function domainChannel(domainId: string): string {
  return `marlin.domain.${short(domainId)}`;
}

export function agentChannel(computeId: string): string {
  return `marlin.agent.${short(computeId)}`;
}

export function jobChannel(jobId: string): string {
  return `marlin.job.${short(jobId)}`;
}

export function selfChannel(instance: string): string {
  return `marlin.self.${short(instance)}`;
}

export function payloadOf(buckets: readonly BucketName[]): string {
  return buckets.join(',');
}

/** PostgreSQL cuts channel names at 63 bytes: a longer id is replaced by a part of its hash. */
function short(id: string): string {
  if (Buffer.byteLength(id) <= 40) return id;
  return createHash('sha256').update(id).digest('hex').slice(0, 32);
}
