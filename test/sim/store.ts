/**
 * Moray in memory: the rules of chapter and verse (conditional puts, batches that are done whole or not at all, updates
 * of indexed fields only, which read back over the value as it was put), by the code of the real server as far as it
 * does not need a database. Everybody who wants to know is told of each commit.
 */
import { etagOf } from '../../src/bus/etag.js';
import type { BatchEntry, BatchRequest, FindOptions, MorayObject } from '../../src/moray/client/types.js';
import {
  decodeValue,
  type Encoded,
  encodeValue,
  type IndexType,
  indexType,
} from '../../src/moray/server/buckets/index-types.js';
import { etagConflict, objectNotFound } from '../../src/moray/server/errors.js';
import { matches } from '../../src/moray/server/filters/match.js';
import { type Filter, parseFilter } from '../../src/moray/server/filters/parse.js';
import type { AccessPath } from '../../src/records/bucket-config.js';
import { bucketConfigs } from '../../src/records/bucket-configs.js';
import { type BucketName, defaultBuckets } from '../../src/records/buckets.js';
import { createIndexes, type Indexes } from './indexes.js';

export type Value = Readonly<Record<string, unknown>>;

export interface Row {
  readonly id: number;
  readonly key: string;
  readonly etag: string;
  readonly mtimeMs: number;
  /** As it was put. */
  readonly base: string;
  readonly columns: Readonly<Record<string, Encoded | null>>;
  /** As readers see it. */
  readonly value: Value;
}

export interface StoreOptions {
  /** Values are made anew for each reader: for many rows, of which few are read at a time. */
  readonly isLarge?: boolean;
}

export interface Change {
  readonly bucket: string;
  readonly key: string;
  readonly before: Row | null;
  readonly after: Row | null;
}

interface Bucket {
  readonly name: string;
  readonly fields: readonly { readonly name: string; readonly type: IndexType }[];
  readonly typeOf: (attribute: string) => IndexType | undefined;
  /** In the order of `_id`. */
  readonly rows: Map<string, Row>;
  readonly indexes: Indexes<Row>;
  nextId: number;
}

export interface Store {
  batch(requests: readonly BatchRequest[], writer: string): { readonly etags: readonly BatchEntry[] };
  find(bucket: string, filter: string, options?: FindOptions): MorayObject<never>[];
  get(bucket: string, key: string): MorayObject<never>;
  /** Of a record bucket, in the order of creation. */
  rows(bucket: BucketName): IterableIterator<Row>;
  row(bucket: BucketName, key: string): Row | undefined;
  /** Rows that searches and updates have looked at. */
  readonly lookedAt: number;
}

export type OnCommit = (changes: readonly Change[], writer: string) => void;

const internalTypes: Readonly<Record<string, IndexType | undefined>> = {
  _id: indexType('number'),
  _mtime: indexType('number'),
  _etag: indexType('string'),
  _key: indexType('string'),
};

export function createStore(nowMs: () => number, onCommit: OnCommit, { isLarge = false }: StoreOptions = {}): Store {
  const buckets = new Map<string, Bucket>();
  let updates = 0;
  let lookedAt = 0;
  for (const [name, { index, options }] of Object.entries(bucketConfigs))
    addBucket(defaultBuckets[name as BucketName], index, options.accessPaths);
  addBucket(defaultBuckets.storage, { manta_storage_id: { type: 'string' }, manta_compute_id: { type: 'string' } });
  addBucket('manta', {});

  function addBucket(
    name: string,
    index: Readonly<Record<string, { readonly type: string }>>,
    paths: readonly AccessPath[] = [],
  ): void {
    const fields = Object.entries(index).map(([field, { type }]) => ({ name: field, type: indexType(type) }));
    const types = new Map(fields.map((field) => [field.name, field.type]));
    const typeOf = (attribute: string) => types.get(attribute) ?? internalTypes[attribute];
    const rows = new Map<string, Row>();
    buckets.set(name, { name, fields, typeOf, rows, indexes: createIndexes(paths, () => rows.values()), nextId: 1 });
  }

  function bucketOf(name: string): Bucket {
    const bucket = buckets.get(name);
    if (bucket === undefined) throw new Error(`there is no bucket "${name}"`);
    return bucket;
  }

  function set(bucket: Bucket, key: string, row: Row | null): void {
    bucket.indexes.changed(bucket.rows.get(key), row);
    if (row === null) bucket.rows.delete(key);
    else bucket.rows.set(key, row);
  }

  function rowOf(bucket: Bucket, row: Omit<Row, 'value' | 'mtimeMs'>, parsed?: Value): Row {
    const { id, key, etag, base, columns } = row;
    if (isLarge) return new LargeRow(bucket, id, key, etag, nowMs(), base, columns);
    return {
      id,
      key,
      etag,
      base,
      columns,
      mtimeMs: nowMs(),
      value: overlaid(bucket, parsed ?? JSON.parse(base), columns),
    };
  }

  function put(bucket: Bucket, key: string, value: object, expected: string | null | undefined): Row {
    const before = bucket.rows.get(key);
    const actual = before?.etag ?? null;
    if (expected !== undefined && expected !== actual)
      throw etagConflict({ bucket: bucket.name, key, expected, actual });
    const base = JSON.stringify(value);
    const parsed = JSON.parse(base) as Value;
    const columns: Record<string, Encoded | null> = {};
    for (const { name, type } of bucket.fields) {
      const encoded = encodeValue(type, parsed[name]);
      if (encoded === undefined) throw new Error(`field "${name}" of ${bucket.name} cannot be ${parsed[name]}`);
      columns[name] = encoded;
    }
    const id = before?.id ?? bucket.nextId++;
    return rowOf(bucket, { id, key, etag: etagOf(parsed), base, columns }, parsed);
  }

  function update(bucket: Bucket, row: Row, fields: Value, etag: string): Row {
    const columns = { ...row.columns };
    for (const [name, value] of Object.entries(fields)) {
      const field = bucket.fields.find((one) => one.name === name);
      if (field === undefined) throw new Error(`${bucket.name} has no index "${name}"`);
      columns[name] = encodeValue(field.type, value) ?? columns[name] ?? null;
    }
    return rowOf(bucket, { id: row.id, key: row.key, etag, base: row.base, columns });
  }

  function select(bucket: Bucket, filter: Filter, limit: number): Row[] {
    const found: Row[] = [];
    for (const row of candidates(bucket, filter)) {
      lookedAt++;
      if (!isMatch(filter, row, bucket)) continue;
      found.push(row);
      if (found.length >= limit) break;
    }
    return found;
  }

  function apply(request: BatchRequest, set: (bucket: Bucket, key: string, row: Row | null) => void): BatchEntry {
    const bucket = bucketOf(request.bucket);
    switch (request.operation) {
      case 'delete': {
        if (!bucket.rows.has(request.key)) throw objectNotFound(bucket.name, request.key);
        set(bucket, request.key, null);
        return { bucket: bucket.name, key: request.key };
      }
      case 'update': {
        const etag = `u${(++updates).toString(16).padStart(7, '0')}`;
        const rows = select(bucket, parseFilter(request.filter).root, request.options?.limit ?? 1000);
        for (const row of rows) set(bucket, row.key, update(bucket, row, request.fields, etag));
        return { bucket: bucket.name, count: rows.length, etag };
      }
      case 'deleteMany': {
        const rows = select(bucket, parseFilter(request.filter).root, request.options?.limit ?? 1000);
        for (const row of rows) set(bucket, row.key, null);
        return { bucket: bucket.name, count: rows.length };
      }
      default: {
        const row = put(bucket, request.key, request.value, request.options?.etag);
        set(bucket, request.key, row);
        return { bucket: bucket.name, key: request.key, etag: row.etag };
      }
    }
  }

  return {
    batch(requests, writer) {
      const changes: Change[] = [];
      const noted = (bucket: Bucket, key: string, after: Row | null) => {
        changes.push({ bucket: bucket.name, key, before: bucket.rows.get(key) ?? null, after });
        set(bucket, key, after);
      };
      try {
        const etags = requests.map((request) => apply(request, noted));
        onCommit(changes, writer);
        return { etags };
      } catch (error) {
        for (const { bucket, key, before } of changes.reverse()) set(bucketOf(bucket), key, before);
        throw error;
      }
    },
    find(name, text, { limit = 1000, no_count = false } = {}) {
      const bucket = bucketOf(name);
      const rows = select(bucket, parseFilter(text).root, no_count ? limit : Number.POSITIVE_INFINITY);
      const count = no_count ? {} : { _count: rows.length };
      return rows.slice(0, limit).map((row) => ({ ...asObject(bucket, row), ...count }));
    },
    get(name, key) {
      const bucket = bucketOf(name);
      const row = bucket.rows.get(key);
      if (row === undefined) throw objectNotFound(name, key);
      return asObject(bucket, row);
    },
    rows: (name) => bucketOf(defaultBuckets[name]).rows.values(),
    row: (name, key) => bucketOf(defaultBuckets[name]).rows.get(key),
    get lookedAt() {
      return lookedAt;
    },
  };
}

/** The kinds of filter that records are searched with, quickly; what is rarer is left to the real server's code. */
function isMatch(filter: Filter, row: Row, bucket: Bucket): boolean {
  switch (filter.op) {
    case 'and':
      return filter.filters.every((child) => isMatch(child, row, bucket));
    case 'or':
      return filter.filters.some((child) => isMatch(child, row, bucket));
    case 'not':
      return !isMatch(filter.filter, row, bucket);
    case 'present':
      if (filter.attribute in row.columns) return row.columns[filter.attribute] !== null;
      break;
    case 'eq': {
      if (filter.attribute === '_key') return row.key === filter.value;
      const encoded = row.columns[filter.attribute];
      if (encoded === null) return false;
      if (typeof encoded === 'string') return encoded === filter.value;
      if (typeof encoded === 'number') return encoded === Number(filter.value);
      break;
    }
    case 'ge':
      if (filter.attribute === '_id') return row.id >= Number(filter.value);
  }
  return matches(filter, { ...row.value, ...internals(row) }, bucket.typeOf);
}

/** Objects of the index are asked for by key, hundreds at a time. */
function candidates(bucket: Bucket, filter: Filter): Iterable<Row> {
  const keys = keysIn(filter);
  if (keys === null) return bucket.indexes.candidates(filter);
  return keys.flatMap((key) => bucket.rows.get(key) ?? []);
}

/** Without its value, which is made for each reader. */
class LargeRow implements Row {
  constructor(
    private readonly bucket: Bucket,
    readonly id: number,
    readonly key: string,
    readonly etag: string,
    readonly mtimeMs: number,
    readonly base: string,
    readonly columns: Row['columns'],
  ) {}

  get value(): Value {
    return overlaid(this.bucket, JSON.parse(this.base) as Value, this.columns);
  }
}

function keysIn(filter: Filter): string[] | null {
  if (filter.op === 'eq') return filter.attribute === '_key' ? [filter.value] : null;
  if (filter.op !== 'or') return null;
  const keys = filter.filters.map(keysIn);
  return keys.includes(null) ? null : keys.flatMap((key) => key ?? []);
}

function internals({ id, key, etag, mtimeMs }: Row) {
  return { _id: id, _key: key, _etag: etag, _mtime: mtimeMs };
}

function overlaid(bucket: Bucket, base: Value, columns: Readonly<Record<string, Encoded | null>>): Value {
  const value: Record<string, unknown> = { ...base };
  for (const { name, type } of bucket.fields) {
    const encoded = columns[name] ?? null;
    if (encoded !== null) value[name] = decodeValue(type, encoded);
    else if (value[name] !== null) delete value[name];
  }
  return value;
}

function asObject(bucket: Bucket, row: Row): MorayObject<never> {
  const value = JSON.parse(JSON.stringify(row.value)) as never;
  return {
    bucket: bucket.name,
    key: row.key,
    value,
    _id: row.id,
    _etag: row.etag,
    _mtime: row.mtimeMs,
    _txn_snap: null,
  };
}
