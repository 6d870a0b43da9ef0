/** Who handles what the queries of a domain deliver: one row per query. Each first looks whose the record is. */
import type { Stored } from '../bus/types.js';
import { isJobRecord, type JobRecord } from '../records/job.js';
import { isJobInputRecord, type JobInputRecord } from '../records/job-input.js';
import { isTaskRecord, type TaskRecord } from '../records/task.js';
import { isTaskInputRecord, type TaskInputRecord } from '../records/task-input.js';
import { isTaskOutputRecord, type TaskOutputRecord } from '../records/task-output.js';
import type { RecordCheck } from '../records/validation.js';
import type { DomainContext } from './domain-context.js';
import { markLate, onCancelled } from './jobs/cancel.js';
import { endInput, stampLate } from './jobs/input.js';
import type { Job } from './jobs/job.js';
import { claim, takeUp } from './jobs/take-up.js';
import { jobInputOrigin, taskOutputOrigin } from './pipeline/decide.js';
import type { Pipeline } from './pipeline/pipeline.js';
import type { DomainQuery } from './queries.js';
import type { SetAside } from './set-aside.js';
import { commitDone, moveInput, removeInput, retryTask } from './tasks/handlers.js';
import { markInputsOf, markOutputsOf, pointInputsOfFailed } from './tasks/mark.js';

type OfJob = { readonly jobId: string; readonly phaseNum?: number };
type Handler = (record: Stored<never>) => Promise<void>;

export function recordHandlers(
  context: DomainContext,
  pipeline: Pipeline,
  setAside: SetAside,
): { readonly [Name in DomainQuery | 'jobsCreated']: Handler } {
  const { jobs } = context;

  const putAside = (record: Stored<unknown>, problem: string): void => {
    if (!setAside.add(record, context.env().nowMs)) return;
    context.counters.recordsSetAside++;
    context.log.error({ record: `${record.bucket}/${record.key}`, problem }, 'record is set aside: it is invalid');
  };

  /** What does not fit its schema is reported once, and read no more. */
  const checked =
    <Value>(check: RecordCheck<Value>, handle: (record: Stored<Value>) => Promise<void>) =>
    async (record: Stored<Value>): Promise<void> => {
      const problem = check.problem(record.value);
      if (problem === null) return handle(record);
      putAside(record, problem);
    };

  const leftOver = async (record: Stored<OfJob>): Promise<void> => {
    if (record.bucket === 'jobinput' && jobs.isOver(record.value.jobId))
      await markLate(record as Stored<JobInputRecord>, context);
  };

  const ofAny = <Value extends OfJob>(
    check: RecordCheck<Value>,
    handle: (record: Stored<Value>, job: Job) => Promise<void>,
  ) =>
    checked(check, async (record) => {
      const job = jobs.get(record.value.jobId);
      if (job === undefined) return leftOver(record);
      const problem = problemInJob(record, job);
      if (problem === null) await handle(record, job);
      else putAside(record, problem);
    });

  /** Of jobs that are here and not cancelled. */
  const ofLive = <Value extends OfJob>(
    check: RecordCheck<Value>,
    handle: (record: Stored<Value>, job: Job) => Promise<void>,
  ) =>
    ofAny(check, async (record, job) => {
      if (job.cancelled === null && !job.finished) await handle(record, job);
    });

  /** While such a record is in hand, hints lag behind the store: nothing of the job is counted. */
  const counted =
    <Value>(handle: (record: Stored<Value>, job: Job) => Promise<void>) =>
    async (record: Stored<Value>, job: Job): Promise<void> => {
      job.inHand++;
      try {
        await handle(record, job);
      } finally {
        job.inHand--;
        context.changed(job);
      }
    };

  const task = (handle: (record: Stored<TaskRecord>, job: Job) => Promise<void>) =>
    ofLive(isTaskRecord, counted(handle));

  return {
    jobsCreated: checked(isJobRecord, (record) => claim(record, context)),
    jobsOwned: checked(isJobRecord, async (record: Stored<JobRecord>) => {
      if (!jobs.has(record.key)) await jobs.load(record.key, () => takeUp(record, context));
    }),
    jobsCancelled: checked(isJobRecord, (record) => onCancelled(record, context)),
    jobsEndInput: checked(isJobRecord, (record) => endInput(record, context)),
    lateInputs: ofLive(isJobInputRecord, (_input, job) => stampLate(job, context)),
    jobInputs: ofLive(isJobInputRecord, async (record: Stored<JobInputRecord>, job) => {
      job.lastInputMs = context.env().nowMs;
      await pipeline.dispatch(jobInputOrigin(record), job);
    }),
    taskOutputs: ofLive(isTaskOutputRecord, (record: Stored<TaskOutputRecord>, job) =>
      pipeline.dispatch(taskOutputOrigin(record), job),
    ),
    doneTasks: ofAny(
      isTaskRecord,
      counted((record, job) => commitDone(record, job, context)),
    ),
    markOutputs: task((record, job) => markOutputsOf(record, job, context)),
    markCleanup: task((record, job) => markInputsOf(record, job, context)),
    markRetry: task((record, job) => pointInputsOfFailed(record, job, context)),
    retryTasks: task((record, job) => retryTask(record, job, context, pipeline)),
    removeInput: ofAny(isTaskRecord, (record, job) => removeInput(record, job, context)),
    removeTaskInput: ofAny(isTaskInputRecord, (record, job) => removeInput(record, job, context)),
    moveTaskInputs: ofLive(
      isTaskInputRecord,
      counted((record: Stored<TaskInputRecord>, job) => moveInput(record, job, context)),
    ),
  };
}

/** What no schema can know: whether the job has the phase that the record is of, or goes to. */
function problemInJob({ bucket, value }: Stored<OfJob>, job: Job): string | null {
  const { phaseNum = 0 } = value;
  const needed = bucket === 'taskoutput' ? phaseNum + 1 : phaseNum;
  return job.phases[needed] === undefined ? `property "${bucket}.phaseNum": the job has no phase ${needed}` : null;
}
