/**
 * maggr: aggregates columns of its input, per group of rows with equal keys. A row with something else than a number
 * where one is due is left out as a whole, said so, and remembered in the exit status. Source: 06 §5.6.
 */
import fs from 'node:fs';
import { readLines } from '../objects/lines.js';
import { formatNumber } from './format.js';
import { type Aggregate, operationNames, operations } from './operations.js';
import { ListAsked, type MaggrOptions, readOptions, UsageError, usage } from './options.js';

/** A column of a group: the text of a key, or an aggregate per operation. */
type Cell = { readonly key: string } | { readonly aggregates: readonly Aggregate[] };

const nop = ['nop'];
const key = ['key'];

async function aggregate(input: AsyncIterable<Buffer>, options: MaggrOptions): Promise<number> {
  // An object, not a Map: its keys that look like whole numbers come first and in order, as users of old expect.
  const groups: Record<string, Map<number, Cell>> = Object.create(null);
  let status = 0;
  for await (const line of readLines(input)) {
    const row = line.split(options.separator);
    const wrong = addRow(row, groups, options);
    if (wrong === undefined) continue;
    process.stderr.write(`Non-number in non-key column ${wrong + 1}. line: ${line}\n`);
    status = 1;
  }
  for (const cells of Object.values(groups)) process.stdout.write(`${printGroup(cells, options)}\n`);
  return status;
}

function operationsOf(column: number, { columns, others }: MaggrOptions): readonly string[] {
  return columns.get(column) ?? others;
}

/** @returns the column, from 0, that should be a number and is none; nothing of the row was added then. */
function addRow(
  row: readonly string[],
  groups: Record<string, Map<number, Cell>>,
  options: MaggrOptions,
): number | undefined {
  const numbers = new Map<number, number>();
  let name = '';
  for (const [column, text] of row.entries()) {
    const [operation] = operationsOf(column, options);
    if (operation === 'nop') continue;
    if (operation === 'key') {
      name += text;
      continue;
    }
    const value = Number.parseFloat(text);
    if (Number.isNaN(value)) return column;
    numbers.set(column, value);
  }
  groups[name] ??= new Map();
  const cells = groups[name];
  for (const [column, text] of row.entries()) {
    const names = operationsOf(column, options);
    if (names[0] === nop[0]) continue;
    if (names[0] === key[0]) {
      cells?.set(column, { key: text });
      continue;
    }
    const known = cells?.get(column);
    const cell = known !== undefined && 'aggregates' in known ? known : { aggregates: names.flatMap(create) };
    for (const one of cell.aggregates) one.add(numbers.get(column) ?? 0);
    cells?.set(column, cell);
  }
  return undefined;
}

function create(name: string): Aggregate[] {
  const make = operations[name];
  return make === undefined ? [] : [make()];
}

function printGroup(cells: ReadonlyMap<number, Cell>, options: MaggrOptions): string {
  const inOrder = [...cells].sort(([a], [b]) => a - b);
  return inOrder
    .map(([column, cell]) => {
      if ('key' in cell) return cell.key;
      return cell.aggregates
        .map((one, position) => print(one.result(), formatOf(column, position, options)))
        .join(options.resultSeparator);
    })
    .join(options.outputSeparator);
}

function print(value: number, format: string | undefined): string {
  return format === undefined ? String(value) : formatNumber(format, value);
}

function formatOf(column: number, position: number, { formats, defaultFormats }: MaggrOptions): string | undefined {
  const own = formats.get(column)?.[position];
  if (own) return own;
  return (defaultFormats.length === 1 ? defaultFormats[0] : defaultFormats[position]) || undefined;
}

async function main(): Promise<number> {
  try {
    const options = readOptions(process.argv.slice(2));
    return await aggregate(options.file === undefined ? process.stdin : fs.createReadStream(options.file), options);
  } catch (error) {
    if (error instanceof ListAsked) {
      process.stderr.write(`${operationNames.join(' ')}\n`);
      return 0;
    }
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`Error: ${error.message}\n${usage}`);
    return 2;
  }
}

process.exitCode = await main();
