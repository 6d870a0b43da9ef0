/** The stages of mrereport as filters of their own. */
import VError from 'verror';
import { programOf, usageError } from '../command.js';
import type { CliContext } from '../context.js';
import { linesOf } from '../lines.js';
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

type Counter = (activity: Activity, record: never, span: Span) => void;
const counters: Readonly<Record<string, Counter>> = {
  marlin_jobs_v2: countJob,
  marlin_tasks_v2: countTask,
  marlin_errors_v2: countError,
};

interface Row {
  readonly __table: string;
  readonly _value: object | string;
  readonly timecommitted?: string;
}

export const mrereportCount = programOf<CliContext>({
  name: 'mrereport-count.js',
  args: 'start end',
  argCount: { least: 0, most: Number.POSITIVE_INFINITY },
  help: 'counts rows of database dumps, one JSON object per line',
  options: [],
  async run({ args, context, print, complain }) {
    const [start, end] = args.map((text) => new Date(text));
    if (args.length !== 2 || start === undefined || end === undefined) throw usageError(null);
    const span = { start: start.toISOString(), end: end.toISOString() };
    const activity = newActivity();
    let number = 0;
    for await (const line of linesOf(context.stdin)) {
      number++;
      const problem = countRow(activity, line, span);
      if (problem === null) continue;
      activity.warnings++;
      complain(`mrereport-count.js: line ${number}: ${problem}`);
    }
    const { warnings: nwarnings, ...counted } = activity;
    print(JSON.stringify({ ...counted, nwarnings }));
    return 0;
  },
});

/** @returns what is wrong with it. Columns win over the value, since some fields are set in them alone. */
function countRow(activity: Activity, line: string, span: Span): string | null {
  try {
    const { __table: table, _value: value, timecommitted, ...columns }: Row = JSON.parse(line);
    const count = counters[table];
    if (count === undefined) return `unexpected table: "${table}"`;
    const record = typeof value === 'string' ? JSON.parse(value) : value;
    const committed = record.timeCommitted ?? timecommitted;
    const retried = record.retried ?? (columns as { readonly retried?: unknown }).retried;
    count(activity, { ...record, timeCommitted: committed, retried } as never, span);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

export const mrereportSum = programOf<CliContext>({
  name: 'mrereport-sum.js',
  args: '',
  argCount: { least: 0, most: 0 },
  help: 'adds up what several mrereport-count.js have counted',
  options: [],
  async run({ context, print }) {
    const sum = newActivity();
    for await (const line of linesOf(context.stdin)) if (line.trim() !== '') merge(sum, parsed(line));
    print(JSON.stringify(sum));
    return 0;
  },
});

export const mrereportReport = programOf<CliContext>({
  name: 'mrereport-report.js',
  args: '',
  argCount: { least: 0, most: 0 },
  help: 'prints what mrereport-sum.js has added up',
  options: [
    { names: ['j', 'json'], type: 'bool', help: 'As it came.' },
    { names: ['u'], type: 'bool', help: 'Also the errors of each user.' },
  ],
  async run({ has, context, print, complain }) {
    const sum = newActivity();
    let text = '';
    for await (const line of linesOf(context.stdin)) text += `${line}\n`;
    merge(sum, parsed(text));
    if (has('j')) print(JSON.stringify(sum));
    else for (const line of reportLines(sum, { byUser: has('u'), warn: complain })) print(line);
    return 0;
  },
});

function parsed(text: string): Counted {
  try {
    return JSON.parse(text) as Counted;
  } catch (error) {
    throw new VError({ name: 'InputError', cause: error as Error }, 'input is not what the stage before prints');
  }
}
