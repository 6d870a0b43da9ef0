/**
 * `mrereport`: what all users did in a span of time. It reads the records themselves, not dumps of the database, and so
 * sees what bulk updates wrote; jobs that were archived and removed meanwhile are no longer in it.
 */
import fs from 'node:fs';
import path from 'node:path';
import VError from 'verror';
import type { ErrorLike } from '../../jobs/error-summary.js';
import { type JobStore, search } from '../../jobs/store.js';
import { absent, and, ge, le, or } from '../../moray/client/filter.js';
import type { JobRecord } from '../../records/job.js';
import type { TaskRecord } from '../../records/task.js';
import { cacheDirectory } from '../cache.js';
import { programOf, usageError } from '../command.js';
import type { CliContext } from '../context.js';
import {
  type Activity,
  type Counted,
  countError,
  countJob,
  countTask,
  merge,
  newActivity,
  type Span,
} from './activity.js';
import { reportLines } from './report.js';

const hourMs = 3_600_000;
const unitsMs: Readonly<Record<string, number>> = { m: 60_000, h: hourMs, d: 24 * hourMs };

export const mrereport = programOf<CliContext>({
  name: 'mrereport',
  args: 'start end | interval',
  argCount: { least: 1, most: 2 },
  help: 'reports tasks and errors of all users: "yesterday", "12h", or from one time to another, 24 h at most',
  options: [
    { names: ['f'], type: 'bool', help: 'Ask Moray anew instead of using what was counted before.' },
    { names: ['json'], type: 'bool', help: 'As one JSON object.' },
    { names: ['u'], type: 'bool', help: 'Also the errors of each user.' },
  ],
  async run({ args, has, context, print, complain }) {
    const span = spanOf(args, context.clock.nowMs(), complain);
    const file = path.join(cacheDirectory(context.env, 'mrereport_data'), `mrereport-${span.start}-${span.end}`);
    const isKept = !has('f') && fs.existsSync(file);
    if (isKept) complain('using cached results');
    const activity = isKept ? readActivity(file) : await countAll(await context.store(), span);
    if (!isKept) fs.writeFileSync(file, JSON.stringify(activity), { mode: 0o600 });
    if (has('json')) print(JSON.stringify(activity));
    else for (const line of reportLines(activity, { byUser: has('u'), warn: complain })) print(line);
    return 0;
  },
});

function readActivity(file: string): Activity {
  const activity = newActivity();
  merge(activity, JSON.parse(fs.readFileSync(file, 'utf8')) as Counted);
  return activity;
}

async function countAll(store: JobStore, span: Span): Promise<Activity> {
  const activity = newActivity();
  const { start, end } = span;
  const living = (...more: readonly string[]) => and(or(absent('timeDone'), ge('timeDone', start)), ...more);
  for await (const { value } of search<JobRecord>(store, 'job', living)) countJob(activity, value, span);
  const committed = (...more: readonly string[]) => and(ge('timeCommitted', start), le('timeCommitted', end), ...more);
  for await (const { value } of search<TaskRecord>(store, 'task', committed)) countTask(activity, value, span);
  for await (const { value } of search<ErrorLike & { readonly jobId: string }>(store, 'error', committed)) {
    countError(activity, value, span);
  }
  return activity;
}

/** Rounded outward to hours. */
function spanOf(args: readonly string[], nowMs: number, complain: (line: string) => void): Span {
  const [first = '', second] = args;
  const [startMs, endMs] = second === undefined ? interval(first, nowMs) : [Date.parse(first), Date.parse(second)];
  const failure = (text: string) => new VError({ name: 'IntervalError' }, text);
  if (!(endMs - startMs >= 60_000)) throw failure('interval invalid or too short');
  const [fromMs, toMs] = [Math.floor(startMs / hourMs) * hourMs, Math.ceil(endMs / hourMs) * hourMs];
  if (endMs - startMs > 24 * hourMs) throw failure('interval too long (max: 24h period)');
  const iso = (ms: number) => new Date(ms).toISOString();
  complain(`requested interval: ${iso(startMs)} to ${iso(endMs)}`);
  complain(`(will scan activity between ${iso(fromMs)} and ${iso(toMs)})`);
  return { start: iso(fromMs), end: iso(toMs) };
}

function interval(text: string, nowMs: number): readonly [startMs: number, endMs: number] {
  if (text === 'yesterday') {
    const today = Math.floor(nowMs / (24 * hourMs)) * 24 * hourMs;
    return [today - 24 * hourMs, today];
  }
  const [, number, unit = ''] = /^(\d+)(\w*)$/.exec(text) ?? [];
  if (number === undefined) throw usageError(`unsupported interval: "${text}"`);
  const unitMs = unitsMs[unit];
  if (unitMs === undefined) throw usageError(`unsupported interval unit: "${unit}"`);
  const endMs = Math.floor(nowMs / hourMs) * hourMs;
  return [endMs - Number(number) * unitMs, endMs];
}
