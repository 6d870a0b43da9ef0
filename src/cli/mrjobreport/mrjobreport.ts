/** `mrjobreport`: where the tasks of a job spent their time, as distributions or as a page to look at. */
import fs from 'node:fs';
import path from 'node:path';
import { isJobDone } from '../../jobs/store.js';
import {
  type Histogram,
  type LatencyReport,
  latencyReport,
  lowerBound,
  type TaskTimes,
  taskTimes,
} from '../../jobs/task-times.js';
import type { JobError, Jobs } from '../../jobs/types.js';
import { cacheDirectory, fetchInto, isPlainId, objectsIn } from '../cache.js';
import { programOf, usageError } from '../command.js';
import type { CliContext } from '../context.js';
import { writePage } from './page.js';

export const mrjobreport = programOf<CliContext>({
  name: 'mrjobreport',
  args: 'jobid',
  argCount: { least: 1, most: Number.POSITIVE_INFINITY },
  help: 'summarises how long the tasks of a job waited and ran',
  options: [
    { names: ['f'], type: 'bool', help: 'Ask Moray anew instead of using what was fetched before.' },
    { names: ['m'], type: 'string', helpArg: 'host', help: 'Where Moray is, instead of MORAY_URL.' },
    { names: ['html'], type: 'string', helpArg: 'file', help: 'Also write a page with a timeline of all tasks.' },
    { names: ['json'], type: 'bool', help: 'As one JSON object; progress goes to standard error.' },
  ],
  async run({ args: [jobId = ''], has, value, context, print, complain }) {
    if (!isPlainId(jobId)) throw usageError(`"${jobId}" is no job id`);
    const kept = path.join(cacheDirectory(context.env, 'jobreport_data'), `${jobId}_tasks.json`);
    const say = has('json') ? complain : print;
    const html = value('html');
    // The page also needs the job and its errors, which are not kept.
    let file = kept;
    if (has('f') || html !== undefined || !fs.existsSync(kept)) {
      const store = await context.store(value('m'));
      const isFinal = await isJobDone(store, jobId);
      file = await fetchInto(kept, { isForced: true, isFinal }, () => taskTimes(store, jobId));
      say(`Fetching tasks for job ${jobId} ... done.`);
    }
    const report = await latencyReport(objectsIn<TaskTimes>(file));
    say(`Processing task times for job ${jobId} ... done.`);
    if (has('json')) print(JSON.stringify(report));
    else for (const line of reportLines(jobId, report)) print(line);
    const negatives = histograms.reduce((total, { member }) => total + report[member].negatives, 0);
    if (negatives > 0) complain(`mrjobreport: warning: ${negatives} negative times left out (clocks differ)`);
    if (html !== undefined) {
      const jobs = await context.jobs();
      const { value: job } = await jobs.fetch(jobId);
      await writePage(html, { job, tasks: objectsIn<TaskTimes>(file), errors: allErrors(jobs, jobId) });
      say(`Wrote ${html}`);
    }
    return 0;
  },
});

async function* allErrors(jobs: Jobs, jobId: string): AsyncGenerator<JobError & { readonly retried: boolean }> {
  for await (const error of jobs.errors(jobId)) yield { ...error, retried: false };
  for await (const error of jobs.retries(jobId)) yield { ...error, retried: true };
}

type HistogramMember = 'dispatchTime' | 'queueTime' | 'executionTime' | 'commitTime';

// biome-ignore format: table
const histograms: readonly { readonly member: HistogramMember; readonly title: string }[] = [
  { member: 'dispatchTime',  title: 'Task dispatch time (milliseconds, dispatched to accepted)' },
  { member: 'queueTime',     title: 'Task queue time (milliseconds, accepted to started)' },
  { member: 'executionTime', title: 'Task execution time (milliseconds, start to finish)' },
  { member: 'commitTime',    title: 'Task commit time (milliseconds, done to commit)' },
];

function reportLines(jobId: string, report: LatencyReport): readonly string[] {
  const fewer = (['accepted', 'started', 'done', 'committed'] as const)
    .filter((step) => report[step] < report.dispatched)
    .map((step) => `    only ${report[step]} tasks ${step}`);
  return [
    `${jobId}: ${report.dispatched} tasks dispatched`,
    ...fewer,
    '',
    ...histograms.flatMap(({ member, title }) => [title, ...histogramLines(report[member]), '']),
    '10 slowest tasks (by execution time)',
    `        ${'TASKID'.padEnd(36)} ${'SERVER'.padEnd(14)} EXECUTION TIME`,
    ...report.slowest.map(slowLine),
  ];
}

function slowLine({ taskId, mantaComputeId, done, started }: TaskTimes): string {
  return `        ${taskId.padEnd(36)} ${mantaComputeId.padStart(14)} ${String(done - started).padStart(11)} ms`;
}

const barWidth = 40;

/** One empty row is shown before and one after the values. */
function histogramLines({ counts }: Histogram): readonly string[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const header = '           value  ------------- Distribution ------------- count';
  const first = counts.findIndex((count) => count > 0);
  if (first === -1) return [header];
  const rows = Array.from({ length: counts.length - first + 2 }, (_, index) => first - 1 + index);
  const line = (bucket: number) => {
    const count = counts[bucket] ?? 0;
    const bar = '@'.repeat(Math.round((barWidth * count) / total)).padEnd(barWidth);
    return `${String(lowerBound(bucket)).padStart(16)} |${bar} ${count}`;
  };
  return [header, ...rows.map(line)];
}
