/** Composition of the job library: one function per member of `Jobs`, each in the file that its concern names. */
import type { Stored } from '../bus/types.js';
import { and, eq, not, present } from '../moray/client/filter.js';
import type { JobInputRecord } from '../records/job-input.js';
import type { TaskRecord } from '../records/task.js';
import type { TaskOutputRecord } from '../records/task-output.js';
import { archiveStatus, missingArchiveIndexes, resetArchive, scanArchiveStatus } from './archive.js';
import { createJob } from './create.js';
import { jobDetails } from './details.js';
import { jobErrors } from './errors.js';
import { followJob } from './follow.js';
import { taskHistory } from './history.js';
import { addJobInput, addJobInputs } from './inputs.js';
import { countLiveJobs, listJobs } from './list.js';
import { jobLog } from './log.js';
import { deleteJob } from './removal.js';
import { checkJob, type JobStore, search } from './store.js';
import { endTask } from './task-done.js';
import type { Jobs, Page, PendingTask } from './types.js';
import { cancelJob, endJobInput, fetchJob } from './updates.js';
import { validateJob } from './validation.js';

export interface JobsOptions extends JobStore {
  /** Versions of images that phases may ask for. */
  readonly images: readonly string[];
}

export function createJobs({ images, ...store }: JobsOptions): Jobs {
  return {
    create: (job) => createJob(store, job),
    validate: (definition, { isPrivileged }) => validateJob(definition, { isPrivileged, images }),
    fetch: (jobId) => fetchJob(store, jobId),
    check: (jobId) => checkJob(store, jobId),
    cancel: (jobId, options) => cancelJob(store, jobId, options),
    endInput: (jobId, options) => endJobInput(store, jobId, options),
    addInput: (jobId, name, options) => addJobInput(store, jobId, name, options),
    addInputs: (jobId, names, options) => addJobInputs(store, jobId, names, options),
    inputs: (jobId, page) =>
      search<JobInputRecord>(store, 'jobinput', (...more) => and(eq('jobId', jobId), ...more), page),
    outputs: (jobId, phaseNum, page) => committedOutputs(store, { jobId, phaseNum, ...page }),
    errors: (jobId, page) => jobErrors(store, jobId, false, page),
    retries: (jobId, page) => jobErrors(store, jobId, true, page),
    failedInputs: (jobId, page) => failedInputs(store, jobId, page),
    pendingTasks: (jobId, page) => pendingTasks(store, jobId, page),
    list: (filter) => listJobs(store, filter),
    countLive: (owner) => countLiveJobs(store, owner),
    details: (jobId, options) => jobDetails(store, jobId, options),
    log: (jobId) => jobLog(store, jobId),
    resetArchive: (jobId, options) => resetArchive(store, jobId, options),
    missingArchiveIndexes: () => missingArchiveIndexes(store),
    archiveStatus: (scan) => (scan === undefined ? archiveStatus(store) : scanArchiveStatus(store, scan.onStart)),
    endTask: (taskId, outcome) => endTask(store, taskId, outcome),
    taskHistory: (taskId) => taskHistory(store, taskId),
    follow: (jobId, signal) => followJob(store, jobId, signal),
    delete: (jobId) => deleteJob(store, jobId),
  };
}

function committedOutputs(
  store: JobStore,
  { jobId, phaseNum, ...page }: Page & { readonly jobId: string; readonly phaseNum: number },
): AsyncIterable<Stored<TaskOutputRecord>> {
  const isOutput = [eq('jobId', jobId), eq('phaseNum', phaseNum), present('timeCommitted'), eq('valid', 'true')];
  return search<TaskOutputRecord>(store, 'taskoutput', (...more) => and(...isOutput, ...more), page);
}

async function* failedInputs(store: JobStore, jobId: string, page?: Page): AsyncGenerator<string> {
  for await (const { p0input } of jobErrors(store, jobId, false, page)) if (p0input !== undefined) yield p0input;
}

async function* pendingTasks(store: JobStore, jobId: string, page?: Page): AsyncGenerator<PendingTask> {
  const where = (...more: readonly string[]) => and(eq('jobId', jobId), not(eq('state', 'done')), ...more);
  for await (const { id, value } of search<TaskRecord>(store, 'task', where, page)) {
    const { taskId, phaseNum, state, timeDispatched, mantaComputeId } = value;
    yield { id, taskId, phaseNum, state, timeDispatched, mantaComputeId, ...optionalMembers(value) };
  }
}

function optionalMembers(task: TaskRecord): Partial<PendingTask> {
  const { timeAccepted, rIdx, nattempts, input, nInputs } = task;
  return {
    ...(timeAccepted === undefined ? {} : { timeAccepted }),
    ...(rIdx === undefined ? {} : { rIdx }),
    ...(nattempts === undefined ? {} : { nattempts }),
    ...(input === undefined ? {} : { input }),
    ...(nInputs === undefined ? {} : { nInputs }),
  };
}
