/**
 * What must hold when all is over: every job is done, every input has exactly one success or one visible error, what was
 * made is what a sequential run makes, nothing is left that any query would find, and no intermediate object stays.
 */

import { indexType } from '../../src/moray/server/buckets/index-types.js';
import { matches } from '../../src/moray/server/filters/match.js';
import { parseFilter } from '../../src/moray/server/filters/parse.js';
import type { ErrorRecord } from '../../src/records/error.js';
import { isTrue } from '../../src/records/flags.js';
import type { JobRecord } from '../../src/records/job.js';
import type { JobInputRecord } from '../../src/records/job-input.js';
import type { TaskRecord } from '../../src/records/task.js';
import type { TaskInputRecord } from '../../src/records/task-input.js';
import type { TaskOutputRecord } from '../../src/records/task-output.js';
import { refusalId } from '../../src/supervisor/ids.js';
import { domainQueries } from '../../src/supervisor/queries.js';
import { expectedTokens, type Tokens } from './objects.js';
import { Violation } from './rules.js';
import type { Store, Value } from './store.js';

export interface Aftermath {
  readonly store: Store;
  readonly supervisors: readonly string[];
  readonly contents: ReadonlyMap<string, Tokens>;
  /** Keys of task inputs that were made for removal only, when their reducer had ended. */
  readonly late: ReadonlySet<string>;
  /** What the program of each attempt was given, every time it ran. */
  readonly runs: ReadonlyMap<string, readonly (readonly string[])[]>;
}

interface JobRecords {
  readonly job: JobRecord;
  readonly inputs: readonly (readonly [string, JobInputRecord])[];
  readonly tasks: ReadonlyMap<string, TaskRecord>;
  readonly taskInputs: ReadonlyMap<string, TaskInputRecord>;
  readonly outputs: ReadonlyMap<string, TaskOutputRecord>;
  readonly errors: ReadonlyMap<string, ErrorRecord>;
}

export function judge(aftermath: Aftermath): void {
  const { store } = aftermath;
  nothingLeft(aftermath);
  for (const { value } of store.rows('job')) judgeJob(recordsOf(store, value as unknown as JobRecord), aftermath);
}

/** No query of any domain finds anything. */
function nothingLeft({ store, supervisors }: Aftermath): void {
  /** Inputs without a domain are looked for only while their job takes input. */
  const isBeyond = (query: object, { jobId }: Value) =>
    query === domainQueries.lateInputs && store.row('job', String(jobId))?.value['state'] === 'done';
  for (const domain of supervisors)
    for (const query of Object.values(domainQueries)) {
      const filter = parseFilter(query.filter(domain)).root;
      const types: Record<string, string> = { phaseNum: 'number', rIdx: 'number' };
      for (const { key, value } of store.rows(query.bucket))
        if (!isBeyond(query, value) && matches(filter, value, (field) => indexType(types[field] ?? 'string')))
          throw new Violation(`"${query.name}" still finds ${query.bucket}/${key}: ${JSON.stringify(value)}`);
    }
}

function recordsOf(store: Store, job: JobRecord): JobRecords {
  const of = <Value>(bucket: Parameters<Store['rows']>[0]) =>
    [...store.rows(bucket)].flatMap(({ key, value }): [string, Value][] =>
      value['jobId'] === job.jobId ? [[key, value as Value]] : [],
    );
  /** Given when the job was over. */
  const isLate = ([, input]: readonly [string, JobInputRecord]) =>
    job.timeCancelled === undefined && input.timeJobCancelled !== undefined;
  return {
    job,
    inputs: of<JobInputRecord>('jobinput').filter((input) => !isLate(input)),
    tasks: new Map(of<TaskRecord>('task')),
    taskInputs: new Map(of<TaskInputRecord>('taskinput')),
    outputs: new Map(of<TaskOutputRecord>('taskoutput')),
    errors: new Map(of<ErrorRecord>('error')),
  };
}

function judgeJob(records: JobRecords, aftermath: Aftermath): void {
  const { job, inputs, tasks, outputs, errors } = records;
  const last = job.phases.length - 1;
  const must = (rule: boolean, text: string) => {
    if (!rule) throw new Violation(`job ${job.jobId}: ${text}`);
  };
  must(job.state === 'done', 'is not done');
  statsAreTrue(records, must);
  for (const [taskId, task] of tasks) {
    must(task.timeCommitted !== undefined, `task ${taskId} was never committed`);
    if (job.timeCancelled === undefined) judgeTask(taskId, task, records, aftermath, must);
  }
  for (const [errorId, error] of errors)
    if (error.timeCommitted === undefined) must(false, `error ${errorId} was never shown or dismissed`);
  if (job.timeCancelled !== undefined) {
    for (const { intermediate, output } of outputs.values())
      must(!isTrue(intermediate) || !aftermath.contents.has(output), `intermediate object ${output} was left`);
    return;
  }
  for (const [key, input] of inputs) hasSuccessor(`input ${key}`, input, records, must);
  for (const [key, output] of outputs) {
    const ok = tasks.get(output.taskId)?.result === 'ok';
    must(output.timeCommitted !== undefined && output.timePropagated !== undefined, `output ${key} was left`);
    if (ok && output.phaseNum < last) hasSuccessor(`output ${key}`, output, records, must);
    if (output.phaseNum === last) must(isTrue(output.valid) === ok, `output ${key} is shown wrongly`);
    const stays = output.phaseNum === last || output.nextRecordType === 'error' || output.nextRecordType === 'none';
    must(stays || !aftermath.contents.has(output.output), `intermediate object ${output.output} was left`);
  }
  eachReducerRan(records, must);
  outputsAreRight(records, aftermath, must);
}

type Must = (rule: boolean, text: string) => void;

/** What was passed on went to a record that says where it came from. */
function hasSuccessor(
  what: string,
  { nextRecordType: type, nextRecordId: id = '' }: JobInputRecord | TaskOutputRecord,
  { tasks, taskInputs, errors }: JobRecords,
  must: Must,
): void {
  const successor = { task: tasks, taskinput: taskInputs, error: errors }[type as 'task'];
  must(type === 'none' || successor?.has(id) === true, `${what} went nowhere: ${type} ${id}`);
}

/** A task that failed has one error that says so, and a successor if that error is not shown. */
function judgeTask(taskId: string, task: TaskRecord, records: JobRecords, aftermath: Aftermath, must: Must): void {
  const { tasks, taskInputs, outputs, errors } = records;
  const made = [...outputs.values()].filter((output) => output.taskId === taskId);
  const successors = [...tasks.values()].filter(
    ({ prevRecordType, prevRecordId, taskId: id }) =>
      (prevRecordType === 'task' && prevRecordId === taskId) || id === task.retryTaskId,
  );
  const own = [...errors.values()].filter((error) =>
    error.taskId === undefined
      ? error.prevRecordType === 'task' && error.prevRecordId === taskId
      : error.taskId === taskId,
  );
  if (task.result === 'ok') {
    must(own.length === 0 && successors.length === 0, `task ${taskId} succeeded, and has errors or successors`);
    must(made.length === task.nOutputs, `task ${taskId} made ${task.nOutputs} outputs, there are ${made.length}`);
    const runs = aftermath.runs.get(taskId) ?? [];
    must(runs.length === 1, `task ${taskId} ran ${runs.length} times in one attempt`);
    if (task.rIdx !== undefined) {
      const given = [...taskInputs].filter(([key, input]) => input.taskId === taskId && !aftermath.late.has(key));
      const names = given.map(([, { input }]) => input).sort();
      must(task.nInputs === names.length, `reducer ${taskId} was told of ${task.nInputs} inputs of ${names.length}`);
      must(
        JSON.stringify(names) === JSON.stringify([...(runs[0] ?? [])].sort()),
        `reducer ${taskId} read something else`,
      );
    }
    return;
  }
  const shown = own.filter(({ retried }) => !isTrue(retried));
  if (isTrue(task.wantRetry)) {
    // Nobody could run it again: then the error of the dispatch is shown.
    must(
      own.length - shown.length === 1,
      `attempt ${taskId} has ${own.length - shown.length} errors that were retried`,
    );
    must(successors.length + shown.length === 1, `attempt ${taskId} has ${successors.length} successors`);
  } else must(own.length === 1 && shown.length === 1, `failed task ${taskId} has ${shown.length} visible errors`);
}

/** Also without input: one attempt that was not run again, or the error that says that nobody could run it. */
function eachReducerRan({ job, tasks, errors }: JobRecords, must: Must): void {
  for (const [phase, { type, count = 1 }] of job.phases.entries())
    for (let reducer = 0; type === 'reduce' && reducer < count; reducer++) {
      const attempts = [...tasks.values()].filter(
        ({ phaseNum, rIdx, timeRetried }) => phaseNum === phase && rIdx === reducer && timeRetried === undefined,
      );
      const isRefused = errors.has(refusalId(job.jobId, phase, reducer));
      must(
        attempts.length === (isRefused ? 0 : 1),
        `reducer ${reducer} of phase ${phase} ran ${attempts.length} times`,
      );
    }
}

/** Without visible errors all of it; with some, nothing that should not be there, and nothing twice. */
function outputsAreRight({ job, inputs, outputs, errors }: JobRecords, { contents }: Aftermath, must: Must): void {
  const read = inputs.map(([, { input }]) => contents.get(input)).filter((tokens) => tokens !== undefined);
  const expected = expectedTokens(job.phases, read);
  const names = [...outputs.values()].flatMap(({ valid, output }) => (isTrue(valid) ? [output] : []));
  const made = names.flatMap((name) => contents.get(name) ?? [`missing ${name}`]).sort();
  const unforeseen = [...errors.values()].filter(({ retried, errorCode, input, phaseNum }) => {
    if (isTrue(retried)) return false;
    const isMissing = Number(phaseNum) === 0 && input !== undefined && contents.get(input) === undefined;
    const isForeseen = errorCode === 'UserTaskError' || isMissing;
    return !isForeseen;
  });
  const left = [...expected];
  for (const token of made) {
    const at = left.indexOf(token);
    must(at >= 0, `made "${token}", which a sequential run does not, or not so often`);
    left.splice(at, 1);
  }
  must(left.length === 0 || unforeseen.length > 0, `did not make ${left.join(', ')}`);
}

function statsAreTrue({ job, inputs, tasks, outputs, errors }: JobRecords, must: Must): void {
  const { stats } = job;
  const count = (values: Iterable<boolean>) => [...values].filter(Boolean).length;
  const visible = count([...errors.values()].map(({ retried }) => !isTrue(retried)));
  must(stats?.nErrors === visible, `counts ${stats?.nErrors} errors of ${visible}`);
  if (job.timeCancelled !== undefined) return;
  must(stats?.nInputsRead === inputs.length, `counts ${stats?.nInputsRead} inputs of ${inputs.length}`);
  must(stats?.nTasksDispatched === tasks.size, `counts ${stats?.nTasksDispatched} tasks of ${tasks.size}`);
  const valid = count([...outputs.values()].map((output) => isTrue(output.valid)));
  must(stats?.nJobOutputs === valid, `counts ${stats?.nJobOutputs} outputs of ${valid}`);
}
