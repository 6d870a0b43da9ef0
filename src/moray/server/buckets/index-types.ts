/**
 * Types of indexes. A value is *encoded* to what is stored and compared in its column (text by bytes, numbers by value:
 * so an encoding must sort as its type does), and *decoded* to what readers see in its place.
 */
import net from 'node:net';

export type Encoded = string | number;

interface ScalarType {
  /** @returns undefined when the value cannot be of this type. */
  encode(value: unknown): Encoded | undefined;
  decode(encoded: Encoded): unknown;
  /** SQL type of the column. */
  readonly column: 'TEXT' | 'REAL' | 'INTEGER';
  /** Addresses and dates have no parts to match. */
  readonly hasSubstrings: boolean;
}

/** Numbers that are none sort above all others, as in PostgreSQL; readers see null. */
export const encodedNaN = 'NaN';

const scalarTypes = {
  string: { column: 'TEXT', hasSubstrings: true, encode: (value) => String(value), decode: (text) => text },
  number: {
    column: 'REAL',
    hasSubstrings: false,
    encode(value) {
      const number = typeof value === 'number' ? value : Number.parseFloat(String(value));
      return Number.isNaN(number) ? encodedNaN : number;
    },
    decode: (number) => (number === encodedNaN ? null : number),
  },
  boolean: {
    column: 'INTEGER',
    hasSubstrings: false,
    encode: (value) => ({ true: 1, false: 0 })[String(value).toLowerCase()],
    decode: (bit) => bit === 1,
  },
  date: {
    column: 'INTEGER',
    hasSubstrings: false,
    encode(value) {
      if (typeof value !== 'string' || !datePattern.test(value)) return undefined;
      const ms = Date.parse(value.replace(/^[+-]00/, ''));
      return Number.isNaN(ms) ? undefined : ms;
    },
    decode: (ms) => new Date(Number(ms)).toISOString(),
  },
  uuid: {
    column: 'TEXT',
    hasSubstrings: false,
    encode: (value) => (typeof value === 'string' && uuidPattern.test(value) ? value : undefined),
    decode: (text) => text,
  },
  mac: { column: 'TEXT', hasSubstrings: false, encode: encodeMac, decode: (text) => text },
  ip: { column: 'TEXT', hasSubstrings: false, encode: encodeIp, decode: (text) => decodeIp(String(text)) },
  subnet: {
    column: 'TEXT',
    hasSubstrings: false,
    encode: encodeSubnet,
    decode(text) {
      const [address = '', length = ''] = String(text).split('/');
      return `${decodeIp(address)}/${Number(length)}`;
    },
  },
} as const satisfies Record<string, ScalarType>;

export type ScalarTypeName = keyof typeof scalarTypes;

const arrayTypes = ['string', 'number', 'boolean', 'date', 'ip', 'mac', 'subnet'] as const;

/** Valid in a bucket, and not supported by this server: said, rather than ignored. */
export const unsupportedTypes: readonly string[] = ['numrange', 'daterange'];

export const indexTypeNames: readonly string[] = [
  ...Object.keys(scalarTypes),
  ...arrayTypes.map((name) => `[${name}]`),
  ...unsupportedTypes,
];

export interface IndexType {
  readonly name: ScalarTypeName;
  readonly isArray: boolean;
  readonly scalar: ScalarType;
}

/** @param text such as `string` or `[string]`; one of `indexTypeNames`. */
export function indexType(text: string): IndexType {
  const isArray = text.startsWith('[');
  const name = (isArray ? text.slice(1, -1) : text) as ScalarTypeName;
  return { name, isArray, scalar: scalarTypes[name] };
}

/** null stays null; an array type takes a scalar as an array of one. @returns undefined when it does not fit. */
export function encodeValue(type: IndexType, value: unknown): Encoded | null | undefined {
  if (value === null || value === undefined) return null;
  if (!type.isArray) return type.scalar.encode(value);
  const encoded = (Array.isArray(value) ? value : [value]).map((element) => type.scalar.encode(element));
  return encoded.includes(undefined) ? undefined : JSON.stringify(encoded);
}

export function decodeValue(type: IndexType, encoded: Encoded): unknown {
  if (!type.isArray) return type.scalar.decode(encoded);
  const elements: Encoded[] = JSON.parse(String(encoded));
  return elements.map((element) => type.scalar.decode(element));
}

const datePattern = /^([+-]00)?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function encodeMac(value: unknown): string | undefined {
  const hex =
    typeof value === 'number' && Number.isInteger(value) && value >= 0
      ? value.toString(16).padStart(12, '0')
      : String(value).toLowerCase().replaceAll(/[:-]/g, '');
  return /^[0-9a-f]{12}$/.test(hex) ? (hex.match(/../g) ?? []).join(':') : undefined;
}

/** Family and hexadecimal address: sorts IPv4 before IPv6 and each by value. */
function encodeIp(value: unknown): string | undefined {
  const text = typeof value === 'number' ? integerToIpv4(value) : String(value);
  const family = net.isIP(text);
  if (family === 0 || text.includes('%')) return undefined;
  const groups = family === 4 ? text.split('.').map((part) => hex(Number(part), 2)) : ipv6Groups(text);
  return family + groups.join('');
}

function integerToIpv4(value: number): string {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) return '';
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}

function ipv6Groups(text: string): string[] {
  const compressed = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const [head = '', tail] = compressed.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map((group) => hex(Number.parseInt(group, 16), 4));
}

function decodeIp(encoded: string): string {
  const digits = encoded.slice(1);
  if (encoded.startsWith('4')) return (digits.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.');
  return new URL(`http://[${(digits.match(/..../g) ?? []).join(':')}]`).hostname.slice(1, -1);
}

function encodeSubnet(value: unknown): string | undefined {
  const [, address, lengthText] = /^([^/]+)\/(\d{1,3})$/.exec(String(value)) ?? [];
  const encoded = encodeIp(address ?? '');
  if (encoded === undefined || lengthText === undefined) return undefined;
  const bits = encoded.startsWith('4') ? 32 : 128;
  const length = Number(lengthText);
  if (length > bits) return undefined;
  const masked = (BigInt(`0x${encoded.slice(1)}`) >> BigInt(bits - length)) << BigInt(bits - length);
  return `${encoded[0]}${masked.toString(16).padStart(bits / 4, '0')}/${String(length).padStart(3, '0')}`;
}

/**
 * The addresses of a subnet, as encoded; null for a single address, which contains nothing but itself and so nothing
 * strictly.
 */
export function subnetRange(encodedSubnet: string): { readonly first: string; readonly last: string } | null {
  const [first = '', length = ''] = encodedSubnet.split('/');
  const bits = first.startsWith('4') ? 32 : 128;
  const hostBits = BigInt(bits - Number(length));
  if (hostBits === 0n) return null;
  const last = BigInt(`0x${first.slice(1)}`) | ((1n << hostBits) - 1n);
  return { first, last: first[0] + last.toString(16).padStart(bits / 4, '0') };
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
