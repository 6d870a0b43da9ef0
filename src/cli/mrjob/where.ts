import type { PendingTask } from '../../jobs/types.js';
import type { CliCommand } from '../context.js';
import { type Column, tablePrinter } from '../table.js';
import { jobFailure, jsonOption, ofJob, oneJob } from './one-job.js';

// biome-ignore format: table
const columns: readonly Column<PendingTask>[] = [
  { header: 'TASKID', width: 36, align: 'left',  value: ({ taskId }) => taskId },
  { header: 'PH',     width: 2,  align: 'right', value: ({ phaseNum }) => String(phaseNum) },
  { header: 'NIN',    width: 9,  align: 'right', value: inputCount },
  { header: 'SERVER', width: 30, align: 'left',  value: ({ mantaComputeId }) => mantaComputeId },
];

export const where: CliCommand = {
  ...oneJob,
  name: 'where',
  help: 'Shows where the tasks of a job are that are not done.',
  options: [jsonOption],
  async run({ args: [jobId = ''], has, context, print }) {
    const jobs = await context.jobs();
    const tasks: PendingTask[] = [];
    try {
      for await (const task of ofJob(jobs, jobId, jobs.pendingTasks(jobId))) tasks.push(task);
    } catch (error) {
      throw jobFailure(jobId, 'list pending tasks', error);
    }
    if (has('json')) for (const { id: _id, ...task } of tasks) print(JSON.stringify(task));
    if (has('json')) return 0;
    tasks.sort((a, b) => a.phaseNum - b.phaseNum || (a.taskId < b.taskId ? -1 : 1));
    const printRow = tablePrinter(columns, print);
    for (const task of tasks) {
      printRow(task);
      if (isMap(task)) print(`     map: ${task.input}`);
    }
    return 0;
  },
};

function isMap({ rIdx, input }: PendingTask): boolean {
  return rIdx === undefined && input !== undefined;
}

function inputCount(task: PendingTask): string {
  return isMap(task) ? '-' : String(task.nInputs ?? '?');
}
