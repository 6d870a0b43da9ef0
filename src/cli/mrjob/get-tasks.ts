/** The tasks of a job, for `mrjob get -t`. */
import type { ErrorRecord } from '../../records/error.js';
import type { TaskRecord } from '../../records/task.js';
import { type Column, tablePrinter } from '../table.js';
import type { View } from './get.js';
import { more } from './labels.js';

const stateWords: Readonly<Record<string, string>> = { dispatched: 'disp', accepted: 'acc', done: 'done' };

// biome-ignore format: table
const columns: readonly Column<TaskRecord>[] = [
  { header: 'TASKID', width: 36, align: 'left',  value: ({ taskId }) => taskId },
  { header: 'PH',     width: 3,  align: 'right', value: ({ phaseNum }) => String(phaseNum) },
  { header: 'S',      width: 4,  align: 'right', value: ({ state }) => stateWords[state] ?? '????' },
  { header: 'RSLT',   width: 4,  align: 'right', value: ({ result }) => result ?? '-' },
  { header: 'NOUT',   width: 4,  align: 'right', value: ({ nOutputs }) => String(nOutputs ?? 0) },
];

export function printTasks(view: View): void {
  const { details, limit, print } = view;
  const printRow = tablePrinter(columns, print);
  for (const task of details.task.map(({ value }) => value).sort(byPhaseAndInput)) {
    print('');
    printRow(task);
    printTaskInputs(view, task);
    printTaskOutputs(view, task);
    printTaskError(view, task);
  }
  if (details.task.length >= limit) print(more);
}

function byPhaseAndInput(a: TaskRecord, b: TaskRecord): number {
  const [left, right] = [a.input ?? '', b.input ?? ''];
  return a.phaseNum - b.phaseNum || (left < right ? -1 : left > right ? 1 : 0);
}

function printTaskInputs({ details, limit, label }: View, task: TaskRecord): void {
  if (task.input !== undefined) {
    label('Input', task.input);
    return;
  }
  const inputs = details.taskinput.filter(({ value }) => value.taskId === task.taskId);
  const found = details.taskinput.length < limit ? [`${inputs.length} found`] : [];
  const total = task.nInputs === undefined ? [] : [`${task.nInputs} total inputs`];
  label('Inputs', [...found, ...total].join(', ') || 'not yet known');
  for (const { value } of inputs) label('Input', value.input);
}

function printTaskOutputs({ details, label }: View, { taskId, nOutputs = 0 }: TaskRecord): void {
  const outputs = details.taskoutput.filter(({ value }) => value.taskId === taskId);
  for (const { value } of outputs) label('Output', value.output);
  if (nOutputs > outputs.length) label('Outputs', `${nOutputs} total outputs`);
}

function printTaskError({ details, label, print }: View, task: TaskRecord): void {
  if (task.result !== 'fail') return;
  const errors = details.error.map(({ value }) => value);
  const error = errors.find(({ taskId }) => taskId === task.taskId) ?? errors.find((value) => isAbout(value, task));
  label('Error', error?.errorMessage ?? '(no error specified)');
  if (error?.errorMessageInternal !== undefined) {
    print(`${' '.repeat(15)}internal error: ${error.errorMessageInternal}`);
  }
  if (error?.stderr !== undefined) label('stderr', error.stderr);
}

/** The error about a task that was given up with its agent has no `taskId`: only its link names the task. */
function isAbout({ prevRecordType, prevRecordId }: ErrorRecord, { taskId }: TaskRecord): boolean {
  return prevRecordType === 'task' && prevRecordId === taskId;
}
