/** `mrerrors`: what went wrong in a job, in all jobs, or in a span of time. */
import fs from 'node:fs';
import path from 'node:path';
import VError from 'verror';
import { isoTime } from '../../common/iso-time.js';
import { addError, type ErrorLike, type ErrorSummary, newErrorSummary } from '../../jobs/error-summary.js';
import { isJobDone, type JobStore, search } from '../../jobs/store.js';
import { and, eq, ge, le, present } from '../../moray/client/filter.js';
import { cacheDirectory, fetchInto, isPlainId, objectsIn } from '../cache.js';
import { type Invocation, programOf, usageError } from '../command.js';
import type { CliContext } from '../context.js';
import { summaryJson, summaryLines } from './summary.js';

interface Scope {
  readonly title: string;
  /** Of the cache files. */
  readonly base: string;
  readonly terms: readonly string[];
  /** Where it is one job. */
  readonly jobId?: string;
  /** Whether there will be more in it at a later time. */
  readonly isOpen?: boolean;
}

export const mrerrors = programOf<CliContext>({
  name: 'mrerrors',
  args: '[start end]',
  argCount: { least: 0, most: 2 },
  help: 'summarises the errors of a job (-j), of all jobs (-a), or of a span of time',
  options: [
    { names: ['a'], type: 'bool', help: 'All jobs.' },
    { names: ['j'], type: 'string', helpArg: 'jobid', help: 'One job.' },
    { names: ['f'], type: 'bool', help: 'Ask Moray anew instead of using what was fetched before.' },
    { names: ['m'], type: 'string', helpArg: 'host', help: 'Where Moray is, instead of MORAY_URL.' },
    { names: ['json'], type: 'bool', help: 'As one JSON object; progress goes to standard error.' },
  ],
  async run(invocation) {
    const { has, value, context, print, complain } = invocation;
    const scope = scopeOf(invocation, context.clock.nowMs());
    const directory = cacheDirectory(context.env, 'mrerrors_data');
    const say = has('json') ? complain : print;
    const store = await context.store(value('m'));
    const file = (suffix: string) => path.join(directory, `${scope.base}-${suffix}.json`);
    // What is kept is of a job that was done, and serves when its records are gone.
    const isForced = has('f') || scope.isOpen === true;
    const isKept = !isForced && fs.existsSync(file('errors'));
    const isFinal = scope.jobId === undefined ? scope.isOpen !== true : isKept || (await isJobDone(store, scope.jobId));
    const fetching = { isForced, isFinal };
    const counted = async (suffix: string, what: string, filter: string): Promise<number> => {
      const search = () => store.moray.findObjects(store.buckets.task, filter, { limit: 1 });
      const fetched = await fetchInto(file(suffix), fetching, search);
      let count = 0;
      for await (const { _count } of objectsIn<{ readonly _count: number }>(fetched)) count = Number(_count);
      say(`Fetching count of ${what} tasks ... ${count}`);
      return count;
    };
    const ok = await counted('oktasks', 'successful', and(...scope.terms, eq('result', 'ok')));
    const failed = await counted('failedtasks', 'failed', and(...scope.terms, eq('result', 'fail')));
    const errors = await fetchInto(file('errors'), fetching, () => errorsOf(store, scope));
    const { summary, count } = await summarised(errors);
    say(`Fetching errors ... ${count}`);
    if (has('json')) print(JSON.stringify({ title: scope.title, tasks: { ok, failed }, ...summaryJson(summary) }));
    else for (const line of report({ title: scope.title, ok, failed, summary })) print(line);
    return 0;
  },
});

async function* errorsOf(store: JobStore, { terms }: Scope): AsyncGenerator<object> {
  const where = (...more: readonly string[]) => and(...terms, ...more);
  for await (const { key, value, mtimeMs } of search<ErrorLike & object>(store, 'error', where)) {
    yield { bucket: store.buckets.error, key, value, _mtime: mtimeMs };
  }
}

async function summarised(file: string): Promise<{ readonly summary: ErrorSummary; readonly count: number }> {
  const summary = newErrorSummary();
  let count = 0;
  for await (const { value } of objectsIn<{ readonly value: ErrorLike }>(file)) {
    addError(summary, value);
    count++;
  }
  return { summary, count };
}

interface Report {
  readonly title: string;
  readonly ok: number;
  readonly failed: number;
  readonly summary: ErrorSummary;
}

function report({ title, ok, failed, summary }: Report): readonly string[] {
  return [
    `Marlin error report: ${title}`,
    `${String(ok).padStart(9)} tasks ok`,
    `${String(failed).padStart(9)} tasks failed`,
    '',
    ...summaryLines(summary),
  ];
}

function scopeOf({ args, has, value }: Pick<Invocation<CliContext>, 'args' | 'has' | 'value'>, nowMs: number): Scope {
  const jobId = value('j');
  if (has('a') && jobId !== undefined) throw usageError('only one of -j or -a may be used');
  if (jobId !== undefined) {
    if (args.length > 0) throw usageError('-j is not compatible with time arguments');
    if (!isPlainId(jobId)) throw usageError(`"${jobId}" is no job id`);
    return { title: `job ${jobId}`, base: `job_${jobId}`, terms: [eq('jobId', jobId)], jobId };
  }
  if (has('a')) {
    if (args.length > 0) throw usageError('-a is not compatible with time arguments');
    return { title: 'all jobs', base: 'all', terms: [present('jobId')], isOpen: true };
  }
  const [start, end] = args;
  if (start === undefined || end === undefined) throw usageError(null);
  return spanOf(Date.parse(start), Date.parse(end), nowMs);
}

function spanOf(startMs: number, endMs: number, nowMs: number): Scope {
  const failure = (message: string) => new VError({ name: 'SpanError' }, message);
  if (Number.isNaN(startMs)) throw failure('start time not valid');
  if (Number.isNaN(endMs)) throw failure('end time not valid');
  if (startMs > endMs) throw failure('start time is after end time');
  const minutes = Math.floor((endMs - startMs) / 60_000);
  const hours = Math.floor(minutes / 60);
  const length = hours > 0 ? `${hours}h${String(minutes % 60).padStart(2, '0')}m` : `${minutes}m`;
  return {
    title: `${isoTime(startMs)} to ${isoTime(endMs)} (${length})`,
    base: `all_${startMs}-${endMs}`,
    terms: [ge('_mtime', startMs), le('_mtime', endMs)],
    isOpen: endMs >= nowMs,
  };
}
