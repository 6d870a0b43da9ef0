/** The command line of maggr. Source: 06 §5.6. */
import { operationNames } from './operations.js';

export const usage = `USAGE:\tmaggr\t[-c#=<op list> -c#=<op list> ...]
\t\t[-d <delimiter>] [-o <output delimiter>] [-i <delimiter of several results of a column>]
\t\t[-t#=<format list>] [-T <format list>] [-f <file>] [-l] [<op list>]

Operations: ${operationNames.join(' ')}
`;

export interface MaggrOptions {
  /** By column, from 0. */
  readonly columns: ReadonlyMap<number, readonly string[]>;
  /** Of all other columns. */
  readonly others: readonly string[];
  readonly formats: ReadonlyMap<number, readonly string[]>;
  readonly defaultFormats: readonly string[];
  readonly separator: string;
  readonly outputSeparator: string;
  readonly resultSeparator: string;
  readonly file: string | undefined;
}

/** Nothing but to list the operations. */
export class ListAsked extends Error {}
export class UsageError extends Error {}

/** @throws UsageError, ListAsked. */
export function readOptions(args: readonly string[]): MaggrOptions {
  const columns = new Map<number, readonly string[]>();
  const formats = new Map<number, readonly string[]>();
  const values = new Map<string, string>();
  let index = 0;
  for (; index < args.length; index++) {
    const arg = args[index] ?? '';
    if (!arg.startsWith('-') || arg === '-') break;
    const letter = arg[1] ?? '';
    if (letter === 'l') throw new ListAsked();
    if (!'cdoitTf'.includes(letter)) continue; // ignored, as ever
    const value = arg.length > 2 ? arg.slice(2) : args[++index];
    if (value === undefined) break;
    if (letter === 'c') columns.set(...readColumn(value));
    else if (letter === 't') formats.set(...readFormats(value));
    else values.set(letter, value);
  }
  const list = args[index];
  if (list === undefined && columns.size === 0) throw new UsageError('no operations specified');
  const separator = values.get('d') || ' ';
  return {
    columns,
    others: list === undefined ? ['nop'] : readOperations(list),
    formats,
    defaultFormats: values.get('T')?.split(',') ?? [],
    separator,
    outputSeparator: values.get('o') ?? separator,
    resultSeparator: values.get('i') ?? ',',
    file: values.get('f'),
  };
}

function readColumn(spec: string): [number, readonly string[]] {
  const [column = '', list, ...more] = spec.split('=');
  if (list === undefined || more.length > 0) throw new UsageError('invalid column number');
  return [readColumnNumber(column), readOperations(list)];
}

function readFormats(spec: string): [number, readonly string[]] {
  const [column = '', list] = spec.split('=');
  if (list === undefined) throw new UsageError(`invalid column format: ${spec}`);
  return [readColumnNumber(column), list.split(',')];
}

function readColumnNumber(text: string): number {
  const number = Number.parseInt(text, 10);
  if (!(number >= 1)) throw new UsageError(`invalid column number: ${text}`);
  return number - 1;
}

function readOperations(list: string): readonly string[] {
  const names = [...new Set(list.split(','))];
  for (const name of names) if (!operationNames.includes(name)) throw new UsageError(`unsupported operation: ${name}`);
  if (names.length > 1 && names.includes('key')) {
    throw new UsageError('no other operations can be specified for a column marked as a key');
  }
  if (names.length > 1 && names.includes('nop')) {
    throw new UsageError('no other operations can be specified for a column marked nop');
  }
  return names;
}
