/**
 * The page of `mrjobreport --html`: one file that needs nothing else. Tasks are written column by column as the store
 * gives them, so that neither this program nor the browser holds an object per task: 100,000 tasks are 5 MB of text and
 * a dozen arrays. The browser draws them on a canvas, and only the rows of the table that are in sight exist.
 */
import { once } from 'node:events';
import fs from 'node:fs';
import { addError, type ErrorKinds, newErrorSummary } from '../../jobs/error-summary.js';
import type { TaskTimes } from '../../jobs/task-times.js';
import type { JobError } from '../../jobs/types.js';
import type { JobRecord } from '../../records/job.js';

interface PageParts {
  readonly job: JobRecord;
  readonly tasks: AsyncIterable<TaskTimes>;
  readonly errors: AsyncIterable<JobError & { readonly retried: boolean }>;
}

const asset = (name: string) => fs.readFileSync(new URL(`page/${name}`, import.meta.url), 'utf8');

export async function writePage(file: string, { job, tasks, errors }: PageParts): Promise<void> {
  const output = fs.createWriteStream(file);
  const opened = once(output, 'open');
  await opened; // or throws: the directory may not be there
  const write = async (text: string) => {
    if (!output.write(text)) await once(output, 'drain');
  };
  const title = `Job ${job.name === '' ? job.jobId : job.name}`;
  await write(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<link rel="icon" href="data:,">
<style>
${asset('page.css')}</style>
</head>
<body>
${asset('page.html')}
<script type="application/json" id="data">
{"job":${inScript(jobParts(job))},
"errors":${inScript(await errorKinds(errors))},
"tasks":[`);
  const names = new Map<string, number>();
  let separator = '';
  for await (const task of tasks) {
    await write(`${separator}${inScript(columns(task, names, Date.parse(job.timeCreated)))}`);
    separator = ',\n';
  }
  await write(`],
"names":${inScript([...names.keys()])}}
</script>
<script>
${asset('page.js')}</script>
</body>
</html>
`);
  output.end();
  await once(output, 'finish');
}

function jobParts({
  jobId,
  name,
  auth,
  state,
  phases,
  timeCreated,
  timeDone,
  timeCancelled,
  stats,
}: JobRecord): object {
  return { jobId, name, login: auth?.login, state, phases, timeCreated, timeDone, timeCancelled, stats };
}

/** Times as ms since the job was created, -1 for what has not happened; names as numbers in a table. */
function columns(task: TaskTimes, names: Map<string, number>, startMs: number): readonly unknown[] {
  const number = (name: string | null) => {
    if (name === null) return -1;
    const known = names.get(name) ?? names.size;
    names.set(name, known);
    return known;
  };
  const since = (ms: number) => (ms === 0 ? -1 : ms - startMs);
  const { taskId, phaseNum, nattempts, input, result } = task;
  const times = [task.dispatched, task.accepted, task.started, task.done, task.committed].map(since);
  const outcome = result === null ? 0 : result === 'ok' ? 1 : 2;
  return [
    taskId,
    number(task.mantaComputeId),
    number(task.machine),
    phaseNum,
    outcome,
    nattempts,
    ...times,
    input ?? '',
  ];
}

async function errorKinds(errors: PageParts['errors']): Promise<object> {
  const summary = newErrorSummary();
  for await (const { code, message, input, retried } of errors) {
    addError(summary, { errorCode: code, errorMessage: message, retried, ...(input === undefined ? {} : { input }) });
  }
  const rows = (kinds: ErrorKinds) =>
    [...kinds].flatMap(([code, messages]) => [...messages].map(([message, count]) => ({ code, message, count })));
  return { final: rows(summary.final), retried: rows(summary.retried) };
}

/** Nothing in it can end the script element. */
function inScript(value: unknown): string {
  return JSON.stringify(value).replace(/</g, '\\u003c');
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
