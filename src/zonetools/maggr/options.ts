/** What maggr is asked to do. Source: spec 06 §5.6. */
import { wholeNumber } from '../../common/whole-number.js';
import { parseShortOptions } from '../objects/short-options.js';
import { type Computation, isOperation } from './operations.js';

export const usage = `USAGE:\tmaggr\t[-c#=<op list> -c#=<op list> ...]
\t[-d <input separator>] [-o <output separator>] [-i <separator of the results of a column>]
\t[-t#=<format list> ...] [-T <format list>] [-f <file>] [-l] [<op list>]

\t-c, -t\tfor the column of that number, from 1; the operand and -T: for all others
\t-l\tlist the operations
`;

/** What a column is for: part of the group's key, nothing, or the operations whose results are printed. */
export type ColumnUse = 'key' | 'nop' | readonly Computation[];

export interface MaggrOptions {
  /** By 0-based column. */
  readonly columns: ReadonlyMap<number, ColumnUse>;
  readonly others: ColumnUse;
  readonly inputSeparator: string;
  readonly outputSeparator: string;
  readonly resultSeparator: string;
  readonly formats: ReadonlyMap<number, readonly string[]>;
  readonly defaultFormats: readonly string[];
  /** Absent: stdin. */
  readonly file: string | undefined;
}

/** The user's arguments are at fault. */
export class UsageError extends Error {}

/** @returns `list` when the operations are to be listed. @throws UsageError */
export function readOptions(args: readonly string[]): MaggrOptions | 'list' {
  const { options, operands } = parseShortOptions('c:d:f:i:lo:t:T:', args, 'lenient');
  const value = (letter: string) => options.filter((option) => option.letter === letter).at(-1)?.value;
  const columns = new Map<number, ColumnUse>();
  const formats = new Map<number, readonly string[]>();
  for (const { letter, value } of options) {
    if (letter === 'l') return 'list';
    if (letter === 'c') {
      const [number = '', list, ...more] = value.split('=');
      if (list === undefined || more.length > 0) throw new UsageError(`invalid column format: ${value}`);
      columns.set(columnOf(number, `invalid column number: ${number}`), readUse(list));
    }
    if (letter === 't') {
      const [number = '', list = ''] = value.split('=');
      formats.set(columnOf(number, 'invalid column number'), list.split(','));
    }
  }
  const [others] = operands;
  if (others === undefined && columns.size === 0) throw new UsageError('no operations specified');
  const inputSeparator = value('d') || ' ';
  return {
    columns,
    others: others === undefined ? 'nop' : readUse(others),
    inputSeparator,
    outputSeparator: value('o') ?? inputSeparator,
    resultSeparator: value('i') ?? ',',
    formats,
    defaultFormats: value('T')?.split(',') ?? [],
    file: value('f'),
  };
}

function columnOf(text: string, complaint: string): number {
  const number = wholeNumber(text);
  if (!(number >= 1)) throw new UsageError(complaint);
  return number - 1;
}

function readUse(list: string): ColumnUse {
  const names = list.split(',');
  const computations: Computation[] = [];
  for (const name of new Set(names)) {
    if (!isOperation(name)) throw new UsageError(`unsupported operation: ${name}`);
    if (name !== 'key' && name !== 'nop') computations.push(name);
    else if (new Set(names).size === 1) return name;
    else if (name === 'key') throw new UsageError('no other operations can be specified for a column marked as a key');
    else throw new UsageError('no other operations can be specified for a column marked nop');
  }
  return computations;
}
