/** Inputs of a job as a whole: those that know no domain yet, and their end. */
import { domainChannel } from '../../bus/channels.js';
import type { Stored } from '../../bus/types.js';
import { isoTime } from '../../common/iso-time.js';
import type { BucketName } from '../../records/buckets.js';
import type { JobRecord } from '../../records/job.js';
import type { DomainContext } from '../domain-context.js';
import { stampInputs } from './claim.js';
import type { Job } from './job.js';
import { writeJob } from './load.js';

/** Gives the domain to inputs that came in the moment of the claim. One at a time per job. */
export async function stampLate(job: Job, context: DomainContext): Promise<void> {
  if (job.stamping !== 'no') {
    job.stamping = 'again';
    return;
  }
  try {
    for (let more = true; more; ) {
      job.stamping = 'yes';
      const count = await stampOnce(job, context);
      if (count > 0) context.wake('jobInputs');
      more = !context.isStopped && (count >= context.tunables.maxRecordsPerUpdate || isAskedAgain(job));
    }
  } finally {
    job.stamping = 'no';
  }
}

const isAskedAgain = ({ stamping }: Job) => stamping === 'again';

async function stampOnce(job: Job, context: DomainContext): Promise<number> {
  const stamp = stampInputs(job.jobId, context.domain, context.tunables.maxRecordsPerUpdate);
  return (await context.write([stamp]))?.[0]?.count ?? 0;
}

/** The user has ended the input: that is noted in the record, once every input belongs to the domain. */
export async function endInput(record: Stored<JobRecord>, context: DomainContext): Promise<void> {
  const job = context.jobs.get(record.key);
  if (job === undefined || job.inputEnded || job.finished) return;
  job.stored = { ...record, value: { ...record.value } };
  const limit = context.tunables.maxRecordsPerUpdate;
  const timeInputDoneRead = isoTime(context.env().nowMs);
  const results = await writeJob(job, { timeInputDoneRead }, context, [stampInputs(job.jobId, context.domain, limit)]);
  if (results === null) return;
  context.wake('jobInputs');
  for (let count = results[1]?.count ?? 0; count >= limit; ) count = await stampOnce(job, context);
  job.inputEnded = true;
  context.log.info({ jobId: job.jobId, inState: job.state }, 'input of the job has ended');
  context.wake('jobInputs');
  context.changed(job);
}

/** Nobody has given an input for long: it ends as if the user had ended it. */
export async function endIdleInput(job: Job, context: DomainContext): Promise<void> {
  context.log.info({ jobId: job.jobId }, 'input of the job is idle: it is ended');
  const notify: (readonly [string, readonly BucketName[]])[] = [[domainChannel(context.domain), ['job']]];
  await writeJob(job, { timeInputDone: isoTime(context.env().nowMs) }, context, [], notify);
}
