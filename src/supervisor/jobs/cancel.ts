/**
 * Cancellation: every record of the job is stamped, so that no query finds it and agents stop what runs. What is in hand
 * may write records that bear no mark: then all is marked once more when it is through, which look.ts sees to.
 */
import { agentChannel } from '../../bus/channels.js';
import type { Operation, Stored } from '../../bus/types.js';
import { isoTime } from '../../common/iso-time.js';
import { absent, and, eq } from '../../moray/client/filter.js';
import type { BucketName } from '../../records/buckets.js';
import type { JobRecord } from '../../records/job.js';
import type { JobInputRecord } from '../../records/job-input.js';
import { isTaskRecord } from '../../records/task.js';
import type { DomainContext } from '../domain-context.js';
import { type Job, touch } from './job.js';

/** As many agents are told at once; others find out with their next pass. */
const toldAgents = 100;

const stamps = [
  ['task', 'timeCancelled'],
  ['jobinput', 'timeJobCancelled'],
  ['taskoutput', 'timeJobCancelled'],
  ['taskinput', 'timeJobCancelled'],
  ['task', 'timeDispatchDone'],
] as const;

export async function onCancelled(record: Stored<JobRecord>, context: DomainContext): Promise<void> {
  const job = context.jobs.get(record.key);
  if (job === undefined || job.cancelled !== null) return;
  job.cancelled = record.value.timeCancelled ?? isoTime(context.env().nowMs);
  context.log.info({ jobId: job.jobId, inputEnded: job.inputEnded }, 'job is cancelled');
  await cancelJob(job, context);
}

export async function cancelJob(job: Job, context: DomainContext): Promise<void> {
  const time = job.cancelled;
  if (time === null || job.cancelMarked || job.cancelling || job.finished) return;
  job.cancelling = true;
  try {
    for (let isQuiet = false; !isQuiet; ) {
      isQuiet = job.inHand === 0;
      if (!(await markCancelled(job, time, context)) || (!isQuiet && job.inHand > 0)) return;
    }
  } finally {
    job.cancelling = false;
  }
  job.cancelMarked = true;
  job.doubted = true; // hints counted what a cancelled job does not wait for
  context.wake('doneTasks');
  touch(job, context.env().nowMs);
  context.look(job);
}

/**
 * Records that came when the job was over: an input of a user who does not know, a mark that was under way. Afterwards no
 * query finds them.
 */
export async function markStragglers({ key, value }: Stored<JobRecord>, context: DomainContext): Promise<void> {
  const limit = context.tunables.maxRecordsPerCancel;
  const time = value.timeCancelled ?? isoTime(context.env().nowMs);
  const asked = and(eq('jobId', key), eq('wantInputRemoved', 'true'), absent('timeInputRemoved'));
  const removals = (['task', 'taskinput'] as const).map(
    (bucket): Operation => ({ op: 'update', bucket, filter: asked, fields: { timeInputRemoved: time }, limit }),
  );
  await context.write([...cancelRecords(key, time, limit), ...removals]);
}

/**
 * An input that came when its job was done: of a user who did not see that it had ended, because nobody had given it an
 * input for long, or in the same moment. Nobody will ever read it, and afterwards no query finds it.
 */
export async function markLate({ key, etag, value }: Stored<JobInputRecord>, context: DomainContext): Promise<void> {
  const timeJobCancelled = isoTime(context.env().nowMs);
  await context.write([{ op: 'put', bucket: 'jobinput', key, etag, value: { ...value, timeJobCancelled } }]);
}

/**
 * A task record that means nothing is handled by nobody, neither its agent nor us. A cancelled job that stands still does
 * not wait for it: it is done, and committed, whatever else it says.
 */
export async function endInvalidTasks(job: Job, context: DomainContext): Promise<void> {
  const open = and(eq('jobId', job.jobId), absent('timeCommitted'));
  let ended = 0;
  for await (const { id, key, value } of context.bus.find<unknown>('task', open)) {
    const problem = isTaskRecord.problem(value);
    if (problem === null) continue;
    const now = isoTime(context.env().nowMs);
    const fields = { state: 'done', result: 'fail', timeDone: now, timeCommitted: now };
    const filter = and(eq('_id', id), absent('timeCommitted'));
    if ((await context.write([{ op: 'update', bucket: 'task', filter, fields, limit: 1 }])) === null) return;
    context.log.error(
      { jobId: job.jobId, record: `task/${key}`, problem },
      'task of a cancelled job is invalid: ended',
    );
    ended++;
  }
  if (ended > 0) context.look(job);
}

/** @returns whether it could be written. */
async function markCancelled(job: Job, time: string, context: DomainContext): Promise<boolean> {
  const limit = context.tunables.maxRecordsPerCancel;
  const notify = context.agents
    .living()
    .slice(0, toldAgents)
    .map(({ instance }): readonly [string, readonly BucketName[]] => [agentChannel(instance), ['task', 'taskinput']]);
  for (let more = true; more; ) {
    const results = await context.write(cancelRecords(job.jobId, time, limit), { notify });
    if (results === null) return false;
    more = results.some(({ count = 0 }) => count >= limit);
  }
  return true;
}

/**
 * One lap; another is needed while one of the updates changes `limit` records. The last makes attempts of reducers fit to
 * be committed, to which nobody will move the inputs of the failed ones any more.
 */
function cancelRecords(jobId: string, time: string, limit: number): Operation[] {
  return stamps.map(([bucket, field]) => ({
    op: 'update',
    bucket,
    filter: and(eq('jobId', jobId), absent(field)),
    fields: { [field]: time },
    limit,
  }));
}
