/**
 * What must hold at every step: looked at with each commit, whoever made it. Numbers are those of the invariants in the
 * theory of the supervisor (docs/simulation.md lists them).
 */
import { type BucketName, defaultBuckets } from '../../src/records/buckets.js';
import { isTrue } from '../../src/records/flags.js';
import type { JobRecord } from '../../src/records/job.js';
import type { TaskRecord } from '../../src/records/task.js';
import type { TaskInputRecord } from '../../src/records/task-input.js';
import type { TaskOutputRecord } from '../../src/records/task-output.js';
import type { Change, Store, Value } from './store.js';

export class Violation extends Error {
  override readonly name = 'Violation';
}

export interface RulesOptions {
  readonly store: () => Store;
  /** Names of processes that are supervisors. */
  readonly isSupervisor: (writer: string) => boolean;
  readonly maxTaskRetries: number;
}

const logical = new Map(Object.entries(defaultBuckets).map(([name, bucket]) => [bucket, name as BucketName]));

/** Marks of supervisors that are set once and for all. */
const lasting: Partial<Record<BucketName, readonly string[]>> = {
  job: ['worker', 'timeAssigned', 'timeInputDoneRead', 'timeDone'],
  jobinput: ['domain', 'timePropagated', 'nextRecordType', 'nextRecordId'],
  task: [
    'timeCommitted',
    'timeRetried',
    'retryTaskId',
    'nInputs',
    'wantRetry',
    'timeOutputsMarkDone',
    'timeInputRemoved',
  ],
  taskinput: ['taskId', 'timeRetried', 'retryTaskId'],
  taskoutput: ['timeCommitted', 'timePropagated', 'nextRecordId', 'valid'],
  error: ['retried', 'timeCommitted'],
};

export function createRules({ store, isSupervisor, maxTaskRetries }: RulesOptions) {
  /** Origin to its successor: `bucket/id`. */
  const successors = new Map<string, string>();

  return (changes: readonly Change[], writer: string): void => {
    for (const change of changes) {
      const name = logical.get(change.bucket);
      if (name === undefined || name === 'storage') continue;
      const before = change.before?.value ?? null;
      const after = change.after?.value ?? null;
      const must = (rule: boolean, text: string) => {
        if (!rule) throw new Violation(`${text}: ${name}/${change.key}, by ${writer}, ${difference(before, after)}`);
      };
      must(after !== null, 'a record was deleted');
      if (after === null) continue;
      marksStay(name, before, after, must);
      if (isSupervisor(writer) && name !== 'health' && name !== 'domain') ownsDomain(name, before, after, writer, must);
      if (before === null) isOnlySuccessor(name, change.key, after, must);
    }
    for (const { bucket, before, after } of changes) {
      if (after === null) continue;
      const name = logical.get(bucket);
      const must = (rule: boolean, text: string) => {
        if (!rule) throw new Violation(`${text}: ${name}/${after.key}, by ${writer}`);
      };
      if (name === 'task') taskHolds(before?.value as TaskRecord | undefined, after.value as TaskRecord, must);
      if (name === 'taskoutput') outputHolds(after.value as TaskOutputRecord, must);
      if (name === 'taskinput' && before === null) inputMayCome(after.value as TaskInputRecord, must);
      if (name === 'jobinput') markHolds(before?.value, after.value, must);
      if (name === 'job') jobHolds(before?.value as JobRecord | undefined, after.value as JobRecord, writer, must);
    }
  };

  /** 3: what was marked stays marked, and as it was. */
  function marksStay(name: BucketName, before: Value | null, after: Value, must: Must): void {
    if (before === null) return;
    for (const field of Object.keys(before))
      if (field.startsWith('time')) must(after[field] !== undefined, `mark "${field}" was taken away`);
    for (const field of lasting[name] ?? [])
      must(before[field] === undefined || before[field] === after[field], `"${field}" was changed`);
  }

  /** 2: only the operator of a domain writes as a supervisor. */
  function ownsDomain(name: BucketName, before: Value | null, after: Value, writer: string, must: Must): void {
    const job = store().row('job', String(after['jobId']))?.value;
    const domain = name === 'job' ? (after['worker'] ?? before?.['worker']) : (after['domain'] ?? job?.['worker']);
    const operator = store().row('domain', String(domain))?.value['operatedBy'];
    must(operator === writer, `written by somebody who does not operate domain "${domain}" (${operator} does)`);
  }

  /** 4: at most one successor per origin. */
  function isOnlySuccessor(name: BucketName, key: string, after: Value, must: Must): void {
    const { prevRecordType: type, prevRecordId: id } = after;
    if (type === undefined || (name === 'error' && type === 'task')) return;
    const known = successors.get(`${type}/${id}`);
    must(known === undefined, `second successor of ${type}/${id}, which has ${known}`);
    successors.set(`${type}/${id}`, `${name}/${key}`);
  }

  function taskHolds(before: TaskRecord | undefined, task: TaskRecord, must: Must): void {
    const { nattempts = 1, timeCommitted, nInputs } = task;
    must(nattempts <= maxTaskRetries + 1, 'too many attempts'); // 7
    if (before === undefined && task.prevRecordType === 'task') attemptCounts(task, must);
    if (before?.timeCommitted === undefined && timeCommitted !== undefined)
      must(task.state === 'done', 'committed early');
    must(before === undefined || before.state !== 'done' || task.state === 'done', 'a done task is not done any more');
    const isFirstTold = nInputs !== undefined && before?.nInputs === undefined && before !== undefined;
    if (isFirstTold) endIsKnown(task, nInputs, must);
    if (before?.timeOutputsMarkDone === undefined && task.timeOutputsMarkDone !== undefined)
      for (const { value } of store().rows('taskoutput'))
        must(value['taskId'] !== task.taskId || value['timeCommitted'] !== undefined, 'an output is not marked');
  }

  /** 7: what no agent ever began costs no attempt. */
  function attemptCounts({ prevRecordId, nattempts }: TaskRecord, must: Must): void {
    const failed = store().row('task', prevRecordId ?? '')?.value as TaskRecord | undefined;
    const expected = (failed?.nattempts ?? 1) + (failed?.timeAccepted === undefined ? 0 : 1);
    must(nattempts === expected, `attempt ${nattempts}, should be ${expected}`);
  }

  /** 6: a reducer is told how many inputs there are only when there can be no more. */
  function endIsKnown(task: TaskRecord, nInputs: number, must: Must): void {
    const { jobId, phaseNum, taskId } = task;
    for (const { key, value } of store().rows('jobinput'))
      if (value['jobId'] === jobId)
        must(value['timePropagated'] !== undefined, `told before input ${key} was passed on`);
    for (const { key, value } of store().rows('task')) {
      if (value['jobId'] === jobId && Number(value['phaseNum']) < phaseNum)
        must(isThrough(value as unknown as TaskRecord), `told before task ${key} was through`);
      const hasGiven = value['retryTaskId'] !== taskId || value['timeInputsMarkRetryDone'] !== undefined;
      must(hasGiven, `told before the attempt before it, ${key}, had given it all its inputs`);
    }
    for (const { key, value } of store().rows('taskoutput'))
      if (value['jobId'] === jobId && Number(value['phaseNum']) < phaseNum && value['timeCommitted'] !== undefined)
        must(value['timePropagated'] !== undefined, `told before output ${key} was passed on`);
    let count = 0;
    for (const { value } of store().rows('taskinput')) {
      if (value['taskId'] === taskId && value['timeRetried'] === undefined) count++;
      must(value['retryTaskId'] !== taskId || value['timeRetried'] !== undefined, 'told while inputs were on the move');
    }
    must(count === nInputs, `told of ${nInputs} inputs, there are ${count}`);
  }

  /** 5: outputs become visible with their task, and are valid only if it succeeded in the last phase. */
  function outputHolds(output: TaskOutputRecord, must: Must): void {
    if (output.timeCommitted === undefined) return;
    const task = store().row('task', output.taskId)?.value as TaskRecord | undefined;
    must(task?.timeCommitted !== undefined, 'an output is visible, and its task is not committed');
    must(!isTrue(output.valid) || task?.result === 'ok', 'an output of a failed task is valid');
    must(output.nextRecordId === undefined || task?.result === 'ok', 'an output of a failed task was passed on');
  }

  /** 6, the other way round: whoever was told the number of its inputs gets no more. */
  function inputMayCome(input: TaskInputRecord, must: Must): void {
    const task = store().row('task', input.taskId)?.value as TaskRecord | undefined;
    must(task !== undefined, 'an input for nobody');
    if (task?.nInputs !== undefined && input.prevRecordType !== 'taskinput' && input.timeRead === undefined)
      must(false, 'an input for a reducer that was told its number');
  }

  /** Inputs are given up only when their job is cancelled, or over. */
  function markHolds(before: Value | undefined, { jobId, timeJobCancelled }: Value, must: Must): void {
    if (timeJobCancelled === undefined || before?.['timeJobCancelled'] !== undefined) return;
    const job = store().row('job', String(jobId))?.value;
    must(job?.['state'] === 'done' || job?.['timeCancelled'] !== undefined, 'an input of a live job was given up');
  }

  /** 1 and 10. */
  function jobHolds(before: JobRecord | undefined, job: JobRecord, writer: string, must: Must): void {
    if (before?.state === 'done' && isSupervisor(writer))
      must(JSON.stringify(before) === JSON.stringify(job), 'a job that is done was changed');
    must(before?.state !== 'running' || job.state !== 'queued', 'a running job is queued again');
    if (job.state !== 'done' || before?.state === 'done') return;
    for (const { key, value } of store().rows('task')) {
      if (value['jobId'] !== job.jobId) continue;
      must(value['timeCommitted'] !== undefined, `done before task ${key} was committed`);
      if (job.timeCancelled === undefined)
        must(isThrough(value as unknown as TaskRecord), `done before task ${key} was through`);
    }
    if (job.timeCancelled !== undefined) return;
    must(job.timeInputDoneRead !== undefined, 'done before its input had ended');
    for (const name of ['jobinput', 'taskoutput'] as const)
      for (const { key, value } of store().rows(name)) {
        if (value['jobId'] !== job.jobId || (name === 'taskoutput' && value['timeCommitted'] === undefined)) continue;
        must(value['timePropagated'] !== undefined, `done before ${name} ${key} was passed on`);
      }
  }
}

type Must = (rule: boolean, text: string) => void;

function isThrough(task: TaskRecord): boolean {
  if (task.timeCommitted === undefined || task.timeOutputsMarkDone === undefined) return false;
  if (task.timeInputsMarkCleanupStart !== undefined && task.timeInputsMarkCleanupDone === undefined) return false;
  if (task.timeInputsMarkRetryStart !== undefined && task.timeInputsMarkRetryDone === undefined) return false;
  return !isTrue(task.wantRetry) || task.timeRetried !== undefined;
}

/** Fields that a commit changed. */
export function difference(before: Value | null, after: Value | null): string {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  const changed = [...names].filter((name) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]));
  return changed
    .map((name) => `${name}: ${JSON.stringify(before?.[name])} -> ${JSON.stringify(after?.[name])}`)
    .join(', ');
}
