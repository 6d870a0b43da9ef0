/** `mrmeter`: what jobs used, from the metering records in the log of an agent. */
import fs from 'node:fs';
import VError from 'verror';
import { type Invocation, programOf, usageError } from '../command.js';
import type { CliContext } from '../context.js';
import { linesOf } from '../lines.js';
import { addMetrics, isResource, keys, leaves, type MeteringRecord, metricsOf, type Sums } from './aggregate.js';

interface Settings {
  readonly isCumulative: boolean;
  readonly keys: readonly string[];
  readonly resources: readonly string[];
  readonly start: string;
  readonly end: string;
}

/** Values of the keys, and the sums of the records that have them. */
interface Group {
  readonly values: readonly string[];
  readonly sums: Sums;
}

interface Counts {
  lines: number;
  other: number;
  malformed: number;
  metering: number;
  starts: number;
}

export const mrmeter = programOf<CliContext>(
  {
    name: 'mrmeter',
    args: '[logfile]',
    argCount: { least: 0, most: 1 },
    help: 'adds up the metering records in the log of an agent',
    options: [
      { names: ['C'], type: 'bool', help: 'Only what finished tasks used in all, without checkpoints.' },
      { names: ['d'], type: 'bool', help: 'Say on standard error what was read.' },
      { names: ['j', 'json'], type: 'bool', help: 'As nested JSON, on one line.' },
      { names: ['s'], type: 'string', helpArg: 'start', help: 'Only records from this time on.' },
      { names: ['e'], type: 'string', helpArg: 'end', help: 'Only records until this time.' },
      {
        names: ['k'],
        type: 'arrayOfString',
        helpArg: 'field[,...]',
        help: `Keys (jobid): ${Object.keys(keys).join(', ')}.`,
      },
      {
        names: ['r'],
        type: 'arrayOfString',
        helpArg: 'resource[,...]',
        help: 'What to add up (time): time, nrecords, cpu, memory, vfs, zfs, vnic0, config_disk, or a member: vfs.reads.',
      },
    ],
    async run(invocation) {
      const { args, has, context, print, complain } = invocation;
      const settings = settingsOf(invocation);
      const [file] = args;
      const input = file === undefined ? context.stdin : await opened(file);
      const { groups, counts } = await aggregated(linesOf(input), settings, complain);
      if (has('j')) print(JSON.stringify(nested(groups)));
      else for (const line of table(groups, settings)) print(line);
      if (has('d')) for (const line of debugLines(counts)) complain(line);
      return 0;
    },
  },
  [],
);

function settingsOf({ given, has, value }: Invocation<CliContext>): Settings {
  const list = (option: string) =>
    given.filter(({ name }) => name === option).flatMap(({ value: text }) => text.split(/[,+\s]+/).filter(Boolean));
  const [chosen, resources] = [list('k'), list('r')];
  const unknown = chosen.find((name) => !Object.hasOwn(keys, name));
  if (unknown !== undefined) throw usageError(`invalid argument for -k: "${unknown}"`);
  const odd = resources.find((name) => !isResource(name));
  if (odd !== undefined) throw usageError(`invalid argument for -r: "${odd}"`);
  return {
    isCumulative: has('C'),
    keys: chosen.length > 0 ? chosen : ['jobid'],
    resources: resources.length > 0 ? resources : ['time'],
    start: bound('s', value('s'), ''),
    end: bound('e', value('e'), '~'),
  };
}

/** As ISO text, which compares as time does. */
function bound(option: string, text: string | undefined, absent: string): string {
  if (text === undefined) return absent;
  const ms = /^\d{5,}$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isNaN(ms)) throw usageError(`invalid time for -${option}: "${text}"`);
  return new Date(ms).toISOString();
}

async function opened(file: string): Promise<AsyncIterable<Buffer | string>> {
  try {
    return (await fs.promises.open(file)).createReadStream();
  } catch (error) {
    throw new VError({ name: 'OpenError', cause: error as Error }, 'open "%s"', file);
  }
}

async function aggregated(lines: AsyncIterable<string>, settings: Settings, complain: (line: string) => void) {
  const counts: Counts = { lines: 0, other: 0, malformed: 0, metering: 0, starts: 0 };
  const groups = new Map<string, Group>();
  const wanted = settings.isCumulative ? ['TaskDone'] : ['TaskDone', 'TaskCheckpoint'];
  for await (const line of lines) {
    counts.lines++;
    const record = recordOf(line, counts, complain);
    if (record === null || record.time < settings.start || record.time > settings.end) continue;
    counts.metering++;
    if (record.event === 'AgentStart') counts.starts++;
    if (!wanted.includes(record.event)) continue;
    const metrics = metricsOf(record, settings.isCumulative);
    if (metrics === null) {
      complain(`mrmeter: warning: no metrics in the record at line ${counts.lines}`);
      continue;
    }
    const values = settings.keys.map((name) => keys[name]?.of(record) ?? '-');
    const id = values.join('\n');
    const group = groups.get(id) ?? { values, sums: {} };
    groups.set(id, group);
    addMetrics(group.sums, metrics, settings.resources);
  }
  return { groups: [...groups.values()], counts };
}

function recordOf(line: string, counts: Counts, complain: (line: string) => void): MeteringRecord | null {
  if (!line.startsWith('{')) {
    counts.other++;
    return null;
  }
  try {
    const record: MeteringRecord & { readonly computeAudit?: boolean } = JSON.parse(line);
    return record.computeAudit === true ? record : null;
  } catch (error) {
    counts.malformed++;
    complain(`mrmeter: malformed record at line ${counts.lines}: ${(error as Error).message}`);
    return null;
  }
}

function* table(groups: readonly Group[], settings: Settings): Generator<string> {
  const rows = groups.map(({ values, sums }) => ({ values, figures: leaves(sums) }));
  const names = [...new Set(rows.flatMap(({ figures }) => [...figures.keys()]))].sort();
  const keyWidth = (name: string) => keys[name]?.width ?? 0;
  const width = (name: string) => (name === 'time' ? 9 : name.length);
  const cells = rows.map(({ values, figures }) => [...values, ...names.map((name) => figures.get(name) ?? 0)]);
  cells.sort(byColumns);
  if (cells.length === 0) return;
  yield [
    ...settings.keys.map((name) => name.toUpperCase().padEnd(keyWidth(name))),
    ...names.map((name) => name.toUpperCase().padStart(width(name))),
  ].join(' ');
  const count = settings.keys.length;
  for (const row of cells) {
    const keyCells = row
      .slice(0, count)
      .map((cell, index) => String(cell).padEnd(keyWidth(settings.keys[index] ?? '')));
    const figureCells = row.slice(count).map((cell, index) => String(cell).padStart(width(names[index] ?? '')));
    yield [...keyCells, ...figureCells].join(' ');
  }
}

function byColumns(left: readonly (string | number)[], right: readonly (string | number)[]): number {
  for (const [index, a] of left.entries()) {
    const b = right[index] ?? a;
    if (a !== b) return a < b ? -1 : 1;
  }
  return 0;
}

type Tree = { [value: string]: Tree | Sums };

/** Objects within objects by the values of the keys; the innermost hold the sums. */
function nested(groups: readonly Group[]): Tree {
  const root: Tree = {};
  for (const { values, sums } of groups) {
    let node = root;
    for (const value of values.slice(0, -1)) {
      node[value] ??= {};
      node = node[value] as Tree;
    }
    node[values.at(-1) ?? ''] = sums;
  }
  return root;
}

function debugLines({ lines, other, malformed, metering, starts }: Counts): readonly string[] {
  const rows = [
    ['log records:', lines - other],
    ['non-JSON records:', other],
    ['malformed records:', malformed],
    ['metering records:', metering],
    ['agent (re)starts:', starts],
  ] as const;
  return rows.map(([name, value]) => `${name.padEnd(19)} ${value}`);
}
