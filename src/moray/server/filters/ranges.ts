/** What `within` and `contains` mean, for the database and in memory alike. */
import { type Encoded, encodedNaN, indexType, type ScalarTypeName, subnetRange } from '../buckets/index-types.js';

export interface Bound {
  readonly value: Encoded;
  readonly inclusive: boolean;
}

export interface Range {
  readonly low: Bound | null;
  readonly high: Bound | null;
}

/** @returns null when `text` is no range of the kind that values of this type lie within. */
export function withinRange(type: ScalarTypeName, text: string): Range | null {
  if (type === 'ip') return addressRange(text);
  if (type !== 'number' && type !== 'date') return null;
  const match = /^([[(])([^,]*),([^,]*)([\])])$/.exec(text);
  if (match === null) return null;
  const [, opening, lowText = '', highText = '', closing] = match;
  const low = boundOf(type, lowText, opening === '[');
  const high = boundOf(type, highText, closing === ']');
  return low === undefined || high === undefined ? null : { low, high };
}

export function isWithin(value: Encoded, range: Range): boolean {
  const { low, high } = range;
  const above = low === null || value > low.value || (low.inclusive && value === low.value);
  const below = high === null || value < high.value || (high.inclusive && value === high.value);
  return above && below;
}

/** Whether the encoded subnet strictly contains the encoded address. */
export function subnetContains(subnet: string, address: string): boolean {
  const range = subnetRange(subnet);
  return range !== null && address.startsWith(subnet.slice(0, 1)) && address >= range.first && address <= range.last;
}

function addressRange(text: string): Range | null {
  const subnet = indexType('subnet').scalar.encode(text);
  if (typeof subnet !== 'string') return null;
  const range = subnetRange(subnet);
  if (range === null) return { low: { value: '~', inclusive: false }, high: null }; // contains nothing
  return { low: { value: range.first, inclusive: true }, high: { value: range.last, inclusive: true } };
}

/** @returns null for no bound, undefined for a bad one. */
function boundOf(type: 'number' | 'date', text: string, inclusive: boolean): Bound | null | undefined {
  if (text === '') return null;
  if (type === 'number' && !/^-?(\d+(\.\d*)?|\.\d+)$/.test(text)) return undefined;
  const value = indexType(type).scalar.encode(text);
  return value === undefined || value === encodedNaN ? undefined : { value, inclusive };
}
