/**
 * The second stage of a search: the whole filter, evaluated in memory on rows that the database selected by the part
 * that it can index. Indexed attributes compare as their columns do, so that both stages agree; others as text.
 */
import { type Encoded, encodedNaN, encodeValue, type IndexType, indexType } from '../buckets/index-types.js';
import type { Filter, Pattern } from './parse.js';
import { isWithin, subnetContains, withinRange } from './ranges.js';

/** Types of the attributes that have one. */
export type TypeOf = (attribute: string) => IndexType | undefined;

/** @param object the value as readers see it, with the internal fields as members. */
export function matches(filter: Filter, object: Readonly<Record<string, unknown>>, typeOf: TypeOf): boolean {
  if (filter.op === 'and') return filter.filters.every((child) => matches(child, object, typeOf));
  if (filter.op === 'or') return filter.filters.some((child) => matches(child, object, typeOf));
  if ('filter' in filter) return !matches(filter.filter, object, typeOf);
  if (!('attribute' in filter)) return false;
  const value = lookUp(object, filter.attribute);
  if (value === undefined || value === null) return false;
  if (filter.op === 'present') return true;
  const type = typeOf(filter.attribute);
  return (Array.isArray(value) ? value : [value]).some((element) =>
    type === undefined ? matchesPlain(filter, element) : matchesTyped(filter, element, type),
  );
}

type Leaf = Exclude<Filter, { op: 'and' | 'or' | 'not' | 'present' }>;

function lookUp(object: Readonly<Record<string, unknown>>, attribute: string): unknown {
  if (Object.hasOwn(object, attribute)) return object[attribute];
  const lower = attribute.toLowerCase();
  const name = Object.keys(object).find((key) => key.toLowerCase() === lower);
  return name === undefined ? undefined : object[name];
}

/** As the original compares attributes without index: equality is of text only. */
function matchesPlain(leaf: Leaf, value: unknown): boolean {
  switch (leaf.op) {
    case 'eq':
      return value === leaf.value;
    case 'ge':
      return (value as string) >= leaf.value; // numbers against numeric text compare as numbers
    case 'le':
      return (value as string) <= leaf.value;
    case 'substring':
      return matchesPattern(leaf.pattern, String(value));
    case 'ext':
      return typeof value === 'string' && matchesIgnoringCase(leaf, value);
    case 'approx':
      return false;
  }
}

function matchesTyped(leaf: Leaf, value: unknown, type: IndexType): boolean {
  const scalar: IndexType = { ...type, isArray: false };
  const encoded = encodeValue(scalar, value);
  if (encoded === undefined || encoded === null) return false;
  if (leaf.op === 'substring') return matchesPattern(leaf.pattern, String(encoded));
  if (leaf.op === 'ext') return matchesExtended(leaf, encoded, scalar);
  const wanted = encodeValue(scalar, leaf.value);
  if (wanted === undefined || wanted === null || wanted === encodedNaN) return false;
  return compare(leaf.op, encoded, wanted);
}

function compare(op: 'eq' | 'ge' | 'le' | 'approx', value: Encoded, wanted: Encoded): boolean {
  if (op === 'eq') return value === wanted;
  const order =
    typeof value === 'string' && typeof wanted === 'string'
      ? Buffer.compare(Buffer.from(value), Buffer.from(wanted))
      : Number(value) - Number(wanted);
  return op === 'ge' ? order >= 0 : op === 'le' && order <= 0;
}

function matchesExtended(leaf: Leaf & { op: 'ext' }, encoded: Encoded, type: IndexType): boolean {
  if (leaf.rule === 'within') {
    const range = withinRange(type.name, leaf.value);
    return range !== null && isWithin(encoded, range);
  }
  if (leaf.rule === 'contains') {
    const address = indexType('ip').scalar.encode(leaf.value);
    return typeof address === 'string' && subnetContains(String(encoded), address);
  }
  return matchesIgnoringCase(leaf, String(encoded));
}

function matchesIgnoringCase(leaf: Leaf & { op: 'ext' }, text: string): boolean {
  const lower = text.toLowerCase();
  if (leaf.rule !== 'caseIgnoreSubstringsMatch' || leaf.pattern === null) return lower === leaf.value.toLowerCase();
  return matchesPattern(lowerPattern(leaf.pattern), lower);
}

export function lowerPattern({ initial, any, final }: Pattern): Pattern {
  const lower = (text: string) => text.toLowerCase();
  return { initial: lower(initial), any: any.map(lower), final: lower(final) };
}

/** Anchored at both ends, the parts between in order and not overlapping. */
export function matchesPattern({ initial, any, final }: Pattern, text: string): boolean {
  if (!text.startsWith(initial)) return false;
  let from = initial.length;
  for (const part of any) {
    const at = text.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return text.length - from >= final.length && text.endsWith(final);
}
