/** `mrjob get`: what an operator wants to know of one job, as lines of label and text. */

import VError from 'verror';
import { wholeNumber } from '../../common/whole-number.js';
import type { JobDetails } from '../../jobs/types.js';
import { isTrue } from '../../records/flags.js';
import type { JobRecord } from '../../records/job.js';
import { usageError } from '../command.js';
import type { CliCommand } from '../context.js';
import { duration } from '../duration.js';
import { printTasks } from './get-tasks.js';
import { type Labelled, labelledPrinter, more } from './labels.js';
import { jsonOption, oneJob } from './one-job.js';

const defaultLimit = 20;

export const get: CliCommand = {
  ...oneJob,
  name: 'get',
  help: 'Shows a job.',
  options: [
    { names: ['i'], type: 'bool', help: 'Also its inputs.' },
    { names: ['p'], type: 'bool', help: 'Also what its phases run.' },
    { names: ['t'], type: 'bool', help: 'Also its tasks.' },
    jsonOption,
    { names: ['l'], type: 'arrayOfString', helpArg: 'limit', help: `Records per kind, ${defaultLimit} by default.` },
  ],
  async run({ args: [jobId = ''], has, value, context, print, complain }) {
    const limit = limitOf(value('l'));
    const jobs = await context.jobs();
    const details = await fetched(jobs.details(jobId, { all: has('i') || has('p') || has('t') || has('json'), limit }));
    if (details.problems.length > 0) complain(`mrjob: ${VError.errorFromList([...details.problems])?.message}`);
    if (has('json')) {
      const { problems: _problems, ...records } = details;
      print(JSON.stringify(records));
      return 0;
    }
    const view: View = { details, limit, nowMs: context.clock.nowMs(), label: labelledPrinter(print), print };
    printJob(view);
    printCounts(view);
    printPhases(view, has('p'));
    if (has('i')) printInputs(view);
    printWarnings(view);
    printJobErrors(view);
    printNote(view);
    if (has('t')) printTasks(view);
    return 0;
  },
};

export interface View {
  readonly details: JobDetails;
  /** Records fetched per kind: as many may mean that there are more. */
  readonly limit: number;
  readonly nowMs: number;
  readonly label: Labelled;
  readonly print: (line: string) => void;
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return defaultLimit;
  const limit = wholeNumber(text);
  if (!(limit >= 1)) throw usageError(`value "${text}" for -l is not a positive integer`);
  return limit;
}

async function fetched(details: Promise<JobDetails>): Promise<JobDetails> {
  try {
    return await details;
  } catch (error) {
    throw new VError({ name: 'JobGetError', cause: error as Error }, 'failed to fetch job');
  }
}

function printJob({ details, nowMs, label }: View): void {
  const job = details.job.value;
  label('Job', job.jobId);
  if (job.name) label('Job name', job.name);
  label('User', `${job.auth?.login ?? '-'} (${job.owner})`);
  label('State', job.state);
  label('Supervisor', job.worker ?? '-');
  label('Created', `${job.timeCreated} (${sinceThen(job.timeCreated, nowMs)} ago)`);
  if (job.timeDone === undefined) return;
  label('Done', `${job.timeDone} (${duration(Date.parse(job.timeDone) - Date.parse(job.timeCreated))} total)`);
  label('Archived', archival(job, nowMs));
}

function archival({ timeArchiveDone, timeArchiveStarted }: JobRecord, nowMs: number): string {
  if (timeArchiveDone !== undefined) return `${timeArchiveDone} (${sinceThen(timeArchiveDone, nowMs)} ago)`;
  return timeArchiveStarted === undefined ? 'no' : 'started';
}

function sinceThen(time: string, nowMs: number): string {
  return duration(nowMs - Date.parse(time));
}

function printCounts({ details, limit, label }: View): void {
  const { stats = {}, phases } = details.job.value;
  const committed = (stats.nTasksCommittedOk ?? 0) + (stats.nTasksCommittedFail ?? 0);
  const dispatched = stats.nTasksDispatched ?? 0;
  label(
    'Progress',
    `${stats.nInputsRead ?? 0} inputs read, ${dispatched} tasks dispatched, ${committed} tasks committed`,
  );
  const { nJobOutputs = 0, nErrors = 0, nRetries = 0 } = stats;
  label('Results', `${nJobOutputs} outputs, ${nErrors} errors, ${nRetries} retries`);
  if (details.task.length >= limit) return;
  const tasks = details.task.map(({ value }) => value);
  const uncommitted = tasks.filter(({ state, timeCommitted }) => state === 'done' && timeCommitted === undefined);
  const passedOn = tasks.filter((task) => task.timeCommitted !== undefined && task.phaseNum < phases.length - 1);
  label('Pending', `${uncommitted.length} uncommitted done, ${sum(passedOn)} intermediate objects`);
}

function sum(tasks: readonly { readonly nOutputs?: number }[]): number {
  return tasks.reduce((total, { nOutputs = 0 }) => total + nOutputs, 0);
}

function printPhases({ details, label }: View, withPrograms: boolean): void {
  for (const [index, { type = 'map', count = 1, assets = [], init, exec }] of details.job.value.phases.entries()) {
    label(`Phase ${index}`, type === 'reduce' ? `${type} (${count})` : type);
    if (!withPrograms) continue;
    for (const asset of assets) label('asset', asset);
    if (init !== undefined) label('init', JSON.stringify(init));
    label('exec', JSON.stringify(exec));
  }
}

function printInputs({ details, limit, label, print }: View): void {
  const names = details.jobinput.map(({ value }) => value.input).sort();
  label('Inputs', names[0] ?? '');
  for (const name of names.slice(1)) label('', name);
  if (names.length >= limit) print(more);
}

function printWarnings({ details, limit, print }: View): void {
  const { stats = {}, phases } = details.job.value;
  const check = (found: number, reported: number, what: string) => {
    if (found !== reported) print(`WARN: found ${found} ${what}, but job reports ${reported} ${what}`);
  };
  if (details.error.length < limit) {
    const retried = details.error.filter(({ value }) => isTrue(value.retried)).length;
    check(details.error.length - retried, stats.nErrors ?? 0, 'errors');
    check(retried, stats.nRetries ?? 0, 'retries');
  }
  if (details.taskoutput.length >= limit || details.task.length >= limit) return;
  const last = details.task.filter(({ value }) => value.phaseNum === phases.length - 1);
  const good = last.filter(({ value }) => value.timeCommitted !== undefined && value.result === 'ok');
  check(sum(good.map(({ value }) => value)), stats.nJobOutputs ?? 0, 'outputs');
}

function printJobErrors({ details, limit, label, print }: View): void {
  const untied = details.error.filter(({ value }) => value.taskId === undefined && !isTrue(value.retried));
  for (const { value } of untied) {
    label('Error', `phase ${value.phaseNum}: ${value.errorMessage}`);
    if (value.errorMessageInternal !== undefined) print(`${' '.repeat(15)}(internal: ${value.errorMessageInternal})`);
  }
  if (details.error.length >= limit) print(more);
  if (untied.length > 0) print('');
}

function printNote({ details, print }: View): void {
  const { timeCancelled, timeInputDone } = details.job.value;
  if (timeCancelled !== undefined) print(`NOTE: Cancelled at ${timeCancelled}`);
  else if (timeInputDone === undefined) print('NOTE: Job is waiting for user input');
}
