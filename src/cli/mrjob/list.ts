import VError from 'verror';
import { isoTime } from '../../common/iso-time.js';
import { wholeNumber } from '../../common/whole-number.js';
import type { JobFilter } from '../../jobs/types.js';
import { jobStates } from '../../records/limits.js';
import { type GivenOption, usageError } from '../command.js';
import type { CliCommand } from '../context.js';
import { tablePrinter } from '../table.js';
import { columnOf, defaultColumns } from './columns.js';
import { jsonOption } from './one-job.js';

type Writable<Value> = { -readonly [Member in keyof Value]: Value[Member] };

export const list: CliCommand = {
  name: 'list',
  args: '',
  argCount: { least: 0, most: 0 },
  help: 'Lists jobs.',
  options: [
    { names: ['H'], type: 'bool', help: 'No header.' },
    { names: ['o'], type: 'arrayOfString', helpArg: 'f1[,f2...]', help: 'Columns to show; implies -H.' },
    { names: ['c'], type: 'bool', help: 'Only cancelled jobs.' },
    {
      names: ['s'],
      type: 'arrayOfString',
      helpArg: 'state',
      help: 'Only jobs in this state (default running), or "all".',
    },
    {
      names: ['t'],
      type: 'arrayOfString',
      helpArg: 'sec',
      help: 'Only jobs done within so many seconds, in any state.',
    },
    { names: ['u'], type: 'arrayOfString', helpArg: 'user', help: 'Only jobs of the account with this UUID.' },
    { names: ['T'], type: 'bool', help: 'No transient jobs.' },
    jsonOption,
    { names: ['w'], type: 'arrayOfString', helpArg: 'supervisor', help: 'Only jobs of this supervisor domain.' },
  ],
  async run({ given, has, context, print }) {
    const names = given.filter(({ name }) => name === 'o').flatMap(({ value }) => value.split(','));
    const filter = filterOf(given, context.clock.nowMs());
    const jobs = await context.jobs();
    const unknown = names.filter((name) => columnOf(name) === undefined);
    if (unknown.length > 0) throw usageError(`invalid fields specified with -o: ${unknown.join(', ')}`);
    const columns = (names.length > 0 ? names : defaultColumns).flatMap((name) => columnOf(name) ?? []);
    const printRow = tablePrinter(columns, print, { hasHeader: !has('H') && names.length === 0 });
    try {
      for await (const job of jobs.list(filter)) {
        if (has('json')) print(JSON.stringify(job.value));
        else printRow(job);
      }
    } catch (error) {
      throw new VError({ name: 'JobListError', cause: error as Error }, 'failed to list jobs');
    }
    return 0;
  },
};

/** Options count in the order in which they are given: `-t` takes back the state set so far. */
function filterOf(given: readonly GivenOption[], nowMs: number): JobFilter {
  const filter: Writable<JobFilter> = { state: 'running' };
  for (const { name, value } of given) {
    if (name === 's') filter.state = stateOf(value);
    if (name === 'c') filter.cancelled = true;
    if (name === 'u') filter.owner = value;
    if (name === 'w') filter.worker = value;
    if (name === 'T') filter.transient = false;
    if (name === 't') {
      const seconds = wholeNumber(value);
      if (!(seconds > 0)) throw usageError('argument for "-t" must be a non-negative integer');
      filter.doneSince = isoTime(nowMs - seconds * 1000);
      filter.state = 'all';
    }
  }
  return filter;
}

function stateOf(text: string): string {
  const states: readonly string[] = [...jobStates, 'all'];
  if (!states.includes(text)) throw usageError(`invalid state for -s: "${text}" (one of ${states.join(', ')})`);
  return text;
}
