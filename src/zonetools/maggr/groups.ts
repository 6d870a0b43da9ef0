/**
 * The groups of rows that have the same key, and what is known of each. Rows are not kept: memory grows with the number
 * of groups (and of values where a variance in two passes is asked for), not with the input.
 */
import { formatNumber } from './format.js';
import { type Accumulator, accumulators } from './operations.js';
import type { ColumnUse, MaggrOptions } from './options.js';

interface Group {
  /** By column: the last text of a key column, or what is computed of it; nothing for `nop`. */
  readonly columns: (string | readonly Accumulator[] | undefined)[];
}

export interface Groups {
  /** @returns the 1-based column that holds no number: the row does not count. */
  addRow(line: string): number | undefined;
  lines(): Generator<string>;
}

export function createGroups(options: MaggrOptions): Groups {
  const groups = new Map<string, Group>();
  const useOf = (column: number): ColumnUse => options.columns.get(column) ?? options.others;

  function addRow(line: string): number | undefined {
    const texts = line.split(options.inputSeparator);
    const numbers: number[] = [];
    let key = '';
    for (const [column, text] of texts.entries()) {
      const use = useOf(column);
      if (use === 'key') key += text;
      if (use === 'key' || use === 'nop') continue;
      const number = Number.parseFloat(text);
      if (Number.isNaN(number)) return column + 1;
      numbers[column] = number;
    }
    const group = groups.get(key) ?? { columns: [] };
    groups.set(key, group);
    for (const [column, text] of texts.entries()) addValue(group, column, text, numbers[column]);
    return undefined;
  }

  function addValue(group: Group, column: number, text: string, number: number | undefined): void {
    const use = useOf(column);
    if (use === 'key') group.columns[column] = text;
    if (number === undefined || typeof use === 'string') return;
    const known = group.columns[column];
    const computed = typeof known === 'object' ? known : use.map((name) => accumulators[name]());
    for (const accumulator of computed) accumulator.add(number);
    group.columns[column] = computed;
  }

  function print({ columns }: Group): string {
    const texts: string[] = [];
    for (const [column, content] of columns.entries()) {
      if (content === undefined) continue;
      texts.push(typeof content === 'string' ? content : printResults(column, content));
    }
    return texts.join(options.outputSeparator);
  }

  function printResults(column: number, computed: readonly Accumulator[]): string {
    const own = options.formats.get(column) ?? [];
    const { defaultFormats: defaults, resultSeparator } = options;
    const patternOf = (position: number) =>
      own[position] || defaults[position] || (defaults.length === 1 ? defaults[0] : undefined) || undefined;
    return computed.map((one, position) => formatNumber(one.result(), patternOf(position))).join(resultSeparator);
  }

  return {
    addRow,
    *lines() {
      const keys = [...groups.keys()];
      const whole = keys.filter(isWholeNumber).sort((a, b) => Number(a) - Number(b));
      for (const key of [...whole, ...keys.filter((one) => !isWholeNumber(one))]) {
        const group = groups.get(key);
        if (group !== undefined) yield print(group);
      }
    },
  };
}

/** As JavaScript tells indexes from names; groups of such a key come first, in their order. */
function isWholeNumber(key: string): boolean {
  return /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < 2 ** 32 - 1;
}
