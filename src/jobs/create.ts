/** New jobs. */
import VError from 'verror';
import { jobsChannel, payloadOf } from '../bus/channels.js';
import { isoTime } from '../common/iso-time.js';
import { isPrivileged, type JobRecord, type Phase } from '../records/job.js';
import type { JobStore } from './store.js';
import type { NewJob } from './types.js';

export async function createJob(store: JobStore, job: NewJob): Promise<string> {
  if (Object.keys(job.options ?? {}).length > 0 && !isPrivileged(job.auth)) {
    throw new VError({ name: 'JobOptionsError' }, 'only operators can specify job options');
  }
  const jobId = job.jobId ?? store.newId();
  const value = jobRecord(job, jobId, store.clock.nowMs());
  await store.moray.batch([{ operation: 'put', bucket: store.buckets.job, key: jobId, value }], {
    notify: [[jobsChannel, payloadOf(['job'])]],
  });
  return jobId;
}

function jobRecord(job: NewJob, jobId: string, nowMs: number): JobRecord {
  return {
    jobId,
    name: job.name,
    owner: job.owner,
    authToken: job.auth.token,
    auth: { ...job.auth },
    phases: job.phases.map(normalised),
    options: { ...job.options },
    transient: job.transient ?? false,
    state: 'queued',
    timeCreated: isoTime(nowMs),
  };
}

/** The definition of a job may leave out the type, and write the count as text; records do neither. */
function normalised(phase: Phase): Phase {
  const count = phase.count === undefined ? {} : { count: Number(phase.count) };
  return { ...phase, type: phase.type ?? 'map', ...count };
}
