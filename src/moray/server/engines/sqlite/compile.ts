/**
 * Filters to SQL: theory of operation. The database can test what is indexed; the rest is tested in memory afterwards.
 * So the condition must select at least what matches, and `exact` says whether it selects nothing else.
 *
 * Negation is pushed down to the leaves first (not (a and b) = not a or not b). That makes "lacks the attribute" the
 * plain `IS NULL` that a partial index is built on; it settles what a missing value means leaf by leaf (for scalars a
 * negated comparison includes it); and a part that was left out is never negated, which would lose matches.
 */
import { type Bucket, internalFields } from '../../buckets/bucket.js';
import { type Encoded, encodedNaN, type IndexType, indexType } from '../../buckets/index-types.js';
import { invalidQuery, notIndexed, plain } from '../../errors.js';
import { lowerPattern } from '../../filters/match.js';
import type { Filter, ParsedFilter, Pattern } from '../../filters/parse.js';
import { type Bound, withinRange } from '../../filters/ranges.js';
import { identifier } from './sql.js';

export interface Condition {
  readonly sql: string;
  readonly parameters: readonly Encoded[];
  readonly exact: boolean;
}

/** @throws InvalidQueryError, NotIndexedError, Error as the original for what it does not know. */
export function compileFilter(filter: ParsedFilter, bucket: Bucket): Condition {
  const condition = compileNode(filter.root, false, { filter, bucket });
  if (condition === null) throw invalidQuery(filter.text);
  return condition;
}

interface Context {
  readonly filter: ParsedFilter;
  readonly bucket: Bucket;
}

interface Column {
  readonly sql: string;
  readonly type: IndexType;
  readonly internal: boolean;
}

/** null: nothing of it can be tested by the database. */
function compileNode(node: Filter, negated: boolean, context: Context): Condition | null {
  if ('filter' in node) return compileNode(node.filter, !negated, context);
  if ('filters' in node) return compileGroup(node.op, node.filters, negated, context);
  if (node.op === 'approx') throw plain('approx filters not allowed');
  const column = columnOf(node.attribute, context.bucket);
  if (column === null) return unindexed(node, context);
  if (column.type.isArray) return compileArrayLeaf(node, column, negated, context);
  return compileScalarLeaf(node, column, negated, context);
}

function compileGroup(
  op: 'and' | 'or',
  children: readonly Filter[],
  negated: boolean,
  context: Context,
): Condition | null {
  const compiled = children.map((child) => compileNode(child, negated, context));
  const kept = compiled.filter((condition) => condition !== null);
  const someLeftOut = kept.length < compiled.length;
  if (kept.length === 0 || (op === 'or' && someLeftOut)) throw notIndexed(context.bucket.name, context.filter.text);
  const asAnd = (op === 'and') !== negated;
  if (!asAnd && someLeftOut) return { sql: '1', parameters: [], exact: false };
  return {
    sql: balanced(
      kept.map(({ sql }) => sql),
      asAnd ? ' AND ' : ' OR ',
    ),
    parameters: kept.flatMap(({ parameters }) => parameters),
    exact: !someLeftOut && kept.every(({ exact }) => exact),
  };
}

/** SQLite limits the depth of an expression: a list of thousands is joined as a tree. */
function balanced(parts: readonly string[], operator: string): string {
  if (parts.length <= 1) return parts[0] ?? '1';
  const middle = parts.length >> 1;
  return `(${balanced(parts.slice(0, middle), operator)}${operator}${balanced(parts.slice(middle), operator)})`;
}

function columnOf(attribute: string, bucket: Bucket): Column | null {
  if (attribute === '_idx') throw plain('filtering on "_idx" is not allowed');
  const internal = Object.hasOwn(internalFields, attribute) ? internalFields[attribute] : undefined;
  if (internal !== undefined) return { sql: identifier(attribute), type: indexType(internal), internal: true };
  const field = bucket.field(attribute);
  if (field === undefined || field.reindexing) return null;
  return { sql: identifier(attribute), type: field.type, internal: false };
}

type Leaf = Exclude<Filter, { op: 'and' | 'or' | 'not' | 'approx' }>;

const substringRules: readonly string[] = ['caseIgnoreMatch', 'caseIgnoreSubstringsMatch'];
const rangeRules: readonly string[] = ['within', 'contains', 'overlaps'];

function unindexed(leaf: Leaf, context: Context): null {
  if (leaf.op === 'ext' && !substringRules.includes(leaf.rule)) throw unsupportedRule(leaf.rule, context);
  return null;
}

function unsupportedRule(rule: string, { bucket, filter }: Context): Error {
  if (rangeRules.includes(rule) || /^2\.5\.13\.[24]$/.test(rule)) return notIndexed(bucket.name, filter.text);
  return plain('unsupported ext filter');
}

function exactly(sql: string, parameters: readonly Encoded[] = []): Condition {
  return { sql, parameters, exact: true };
}

function compileScalarLeaf(leaf: Leaf, column: Column, negated: boolean, context: Context): Condition {
  const { sql } = column;
  if (leaf.op === 'present') return exactly(`${sql} IS ${negated ? '' : 'NOT '}NULL`);
  if (leaf.op === 'ext' && rangeRules.includes(leaf.rule)) return compileRange(leaf, column, negated, context);
  const test = compileTest(leaf, column, context);
  if (!negated) return test;
  // A missing value satisfies the negation of any comparison.
  return exactly(`(${sql} IS NULL OR NOT ${test.sql})`, test.parameters);
}

/** True, false, or NULL where the column is NULL. */
function compileTest(leaf: Exclude<Leaf, { op: 'present' }>, column: Column, context: Context): Condition {
  const { sql, type } = column;
  if (leaf.op === 'substring') {
    if (!type.scalar.hasSubstrings) throw invalidQuery(context.filter.text);
    return exactly(`(${sql} GLOB ?)`, [globOf(leaf.pattern)]);
  }
  if (leaf.op === 'ext') return compileIgnoringCase(leaf, column, context);
  const value = type.scalar.encode(leaf.value);
  if (value === undefined) throw invalidQuery(context.filter.text);
  if (value === encodedNaN && type.name === 'number') return exactly('0');
  if (leaf.op === 'eq') return exactly(`(${sql} = ?)`, [value]);
  if (leaf.op === 'le') return exactly(`(${sql} <= ?)`, [value]);
  // Numbers that are none are stored as text, which sorts above infinity.
  if (type.name === 'number' && !column.internal) return exactly(`(${sql} BETWEEN ? AND 9e999)`, [value]);
  return exactly(`(${sql} >= ?)`, [value]);
}

function compileIgnoringCase(leaf: Leaf & { op: 'ext' }, { sql, type }: Column, context: Context): Condition {
  if (!substringRules.includes(leaf.rule)) throw unsupportedRule(leaf.rule, context);
  if (!type.scalar.hasSubstrings) throw invalidQuery(context.filter.text);
  if (leaf.rule === 'caseIgnoreMatch' || leaf.pattern === null) {
    return exactly(`(moray_lower(${sql}) = ?)`, [leaf.value.toLowerCase()]);
  }
  return exactly(`(moray_lower(${sql}) GLOB ?)`, [globOf(lowerPattern(leaf.pattern))]);
}

/** Unknown where the column is NULL, negated or not. */
function compileRange(
  leaf: Leaf & { op: 'ext' },
  { sql, type }: Column,
  negated: boolean,
  context: Context,
): Condition {
  const test = rangeTest(leaf, sql, type, context);
  return exactly(negated ? `(${sql} IS NOT NULL AND NOT ${test.sql})` : test.sql, test.parameters);
}

function rangeTest(leaf: Leaf & { op: 'ext' }, sql: string, type: IndexType, context: Context): Condition {
  if (leaf.rule === 'contains' && type.name === 'subnet') {
    const address = indexType('ip').scalar.encode(leaf.value);
    if (address === undefined) throw invalidQuery(context.filter.text);
    return exactly(`moray_subnet_contains(${sql}, ?)`, [address]);
  }
  const range = leaf.rule === 'within' ? withinRange(type.name, leaf.value) : null;
  if (range === null) throw invalidQuery(context.filter.text);
  const parts: string[] = [];
  const parameters: Encoded[] = [];
  const add = (operator: '<' | '>', bound: Bound | null) => {
    if (bound === null) return;
    parts.push(`${sql} ${operator}${bound.inclusive ? '=' : ''} ?`);
    parameters.push(bound.value);
  };
  add('>', range.low);
  add('<', range.high ?? (type.name === 'number' ? { value: Number.POSITIVE_INFINITY, inclusive: true } : null));
  return exactly(parts.length === 0 ? `(${sql} IS NOT NULL)` : `(${parts.join(' AND ')})`, parameters);
}

/** An array matches when any of its elements does; a missing one is unknown, negated or not. */
function compileArrayLeaf(leaf: Leaf, column: Column, negated: boolean, context: Context): Condition {
  if (leaf.op === 'present') return compileScalarLeaf(leaf, column, negated, context);
  const refused = leaf.op === 'substring' || (leaf.op === 'ext' && leaf.rule === 'caseIgnoreSubstringsMatch');
  if (refused) throw notIndexed(context.bucket.name, context.filter.text);
  const element: Column = { sql: 'element.value', type: { ...column.type, isArray: false }, internal: false };
  const isRange = leaf.op === 'ext' && rangeRules.includes(leaf.rule);
  const test = isRange ? rangeTest(leaf, element.sql, element.type, context) : compileTest(leaf, element, context);
  const exists = `EXISTS (SELECT 1 FROM json_each(${column.sql}) AS element WHERE ${test.sql})`;
  return exactly(negated ? `(${column.sql} IS NOT NULL AND NOT ${exists})` : exists, test.parameters);
}

/** GLOB is anchored and case-sensitive; a bracket takes the meaning from its special characters. */
function globOf({ initial, any, final }: Pattern): string {
  return [initial, ...any, final].map((part) => part.replace(/[*?[]/g, '[$&]')).join('*');
}
