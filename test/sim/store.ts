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
import { createIndexes, type Indexes, type SearchPlan } from './indexes.js';

export type Value = Readonly<Record<string, unknown>>;

export interface Row {
  readonly id: number;
  readonly key: string;
  readonly etag: string;
  readonly mtimeMs: number;
  /** As it was put. */
  readonly put: Put;
  readonly columns: Columns;
  /** As readers see it. */
  readonly value: Value;
  /** The same, for somebody who may change it. */
  copy(): Value;
}

type Columns = Readonly<Record<string, Encoded | null>>;

/** Heartbeats and fences put the same again and again: it is looked at once. */
interface Put {
  readonly text: string;
  readonly etag: string;
  readonly columns: Columns;
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
  /** Counts what was changed. */
  version: number;
}

/** What is known of a text that the store was searched with: most searches are repeated, and find the same nothing. */
interface Search {
  readonly filter: Filter;
  readonly plan: SearchPlan<Row>;
  /** All that it finds, if that is little, and how many rows were looked at for it; as of this version of the bucket. */
  found: { readonly rows: readonly Row[]; readonly lookedAt: number; readonly version: number } | null;
}

const searchLimit = 2_000;
const foundLimit = 10;

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
  const searches = new Map<string, Search>();
  let updates = 0;
  let lookedAt = 0;
  for (const [name, { index, options }] of Object.entries(bucketConfigs))
    addBucket(defaultBuckets[name as BucketName], index, options.accessPaths);
  addBucket(defaultBuckets.storage, { manta_storage_id: { type: 'string' }, manta_compute_id: { type: 'string' } });
  addBucket('manta', {});

  function addBucket(
    name: string,
    index: Readonly<Record<string, { readonly type: string; readonly unique?: boolean }>>,
    paths: readonly AccessPath[] = [],
  ): void {
    const unique = Object.keys(index).filter((field) => index[field]?.unique === true);
    const fields = Object.entries(index).map(([field, { type }]) => ({ name: field, type: indexType(type) }));
    const types = new Map(fields.map((field) => [field.name, field.type]));
    const typeOf = (attribute: string) => types.get(attribute) ?? internalTypes[attribute];
    const rows = new Map<string, Row>();
    const indexes = createIndexes<Row>([...paths, ...unique.map((field) => ({ fields: [field] }))], () =>
      rows.values(),
    );
    buckets.set(name, { name, fields, typeOf, rows, indexes, nextId: 1, version: 0 });
  }

  function bucketOf(name: string): Bucket {
    const bucket = buckets.get(name);
    if (bucket === undefined) throw new Error(`there is no bucket "${name}"`);
    return bucket;
  }

  function set(bucket: Bucket, key: string, row: Row | null): void {
    bucket.version++;
    bucket.indexes.changed(bucket.rows.get(key), row);
    if (row === null) bucket.rows.delete(key);
    else bucket.rows.set(key, row);
  }

  function rowOf(bucket: Bucket, row: Omit<Row, 'value' | 'mtimeMs' | 'copy'>): Row {
    const { id, key, etag, put, columns } = row;
    const made = new LargeRow(bucket, id, key, etag, nowMs(), put, columns);
    return isLarge ? made : new SmallRow(made);
  }

  function put(bucket: Bucket, key: string, value: object, expected: string | null | undefined): Row {
    const before = bucket.rows.get(key);
    const actual = before?.etag ?? null;
    if (expected !== undefined && expected !== actual)
      throw etagConflict({ bucket: bucket.name, key, expected, actual });
    const text = JSON.stringify(value);
    const put = before?.put.text === text ? before.put : encoded(bucket, text);
    return rowOf(bucket, { id: before?.id ?? bucket.nextId++, key, etag: put.etag, put, columns: put.columns });
  }

  function update(bucket: Bucket, row: Row, fields: Value, etag: string): Row {
    const columns = { ...row.columns };
    for (const [name, value] of Object.entries(fields)) {
      const field = bucket.fields.find((one) => one.name === name);
      if (field === undefined) throw new Error(`${bucket.name} has no index "${name}"`);
      columns[name] = encodeValue(field.type, value) ?? columns[name] ?? null;
    }
    return rowOf(bucket, { id: row.id, key: row.key, etag, put: row.put, columns });
  }

  function searchFor(bucket: Bucket, text: string): Search {
    const name = `${bucket.name} ${text}`;
    const known = searches.get(name);
    if (known !== undefined) return known;
    const filter = parseFilter(text).root;
    const search: Search = { filter, plan: bucket.indexes.plan(filter), found: null };
    const [oldest] = searches.keys();
    if (searches.size >= searchLimit && oldest !== undefined) searches.delete(oldest);
    searches.set(name, search);
    return search;
  }

  function select(bucket: Bucket, text: string, limit: number): readonly Row[] {
    const search = searchFor(bucket, text);
    if (search.found?.version === bucket.version) {
      lookedAt += search.found.lookedAt;
      return search.found.rows.slice(0, limit);
    }
    const rows: Row[] = [];
    const before = lookedAt;
    for (const row of candidates(bucket, search)) {
      lookedAt++;
      if (!isMatch(search.filter, row, bucket)) continue;
      rows.push(row);
      if (rows.length >= limit) return rows;
    }
    if (rows.length <= foundLimit) search.found = { rows, lookedAt: lookedAt - before, version: bucket.version };
    return rows;
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
        const rows = select(bucket, request.filter, request.options?.limit ?? 1000);
        for (const row of rows) set(bucket, row.key, update(bucket, row, request.fields, etag));
        return { bucket: bucket.name, count: rows.length, etag };
      }
      case 'deleteMany': {
        const rows = select(bucket, request.filter, request.options?.limit ?? 1000);
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
      const rows = select(bucket, text, no_count ? limit : Number.POSITIVE_INFINITY);
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
function candidates(bucket: Bucket, { filter, plan }: Search): Iterable<Row> {
  const keys = keysIn(filter);
  if (keys === null) return plan.candidates();
  return keys.flatMap((key) => bucket.rows.get(key) ?? []);
}

function encoded(bucket: Bucket, text: string): Put {
  const value = JSON.parse(text) as Value;
  const columns: Record<string, Encoded | null> = {};
  for (const { name, type } of bucket.fields) {
    const column = encodeValue(type, value[name]);
    if (column === undefined) throw new Error(`field "${name}" of ${bucket.name} cannot be ${value[name]}`);
    columns[name] = column;
  }
  return { text, etag: etagOf(value), columns };
}

/** Without its value, which is made for each reader. */
class LargeRow implements Row {
  constructor(
    private readonly bucket: Bucket,
    readonly id: number,
    readonly key: string,
    readonly etag: string,
    readonly mtimeMs: number,
    readonly put: Put,
    readonly columns: Columns,
  ) {}

  get value(): Value {
    return overlaid(this.bucket, JSON.parse(this.put.text) as Value, this.columns);
  }

  copy(): Value {
    return this.value;
  }
}

/** Its value is made once. */
class SmallRow implements Row {
  readonly id: number;
  readonly key: string;
  readonly etag: string;
  readonly mtimeMs: number;
  readonly put: Put;
  readonly columns: Columns;
  private made: Value | null = null;
  private text: string | null = null;

  constructor(private readonly row: LargeRow) {
    ({
      id: this.id,
      key: this.key,
      etag: this.etag,
      mtimeMs: this.mtimeMs,
      put: this.put,
      columns: this.columns,
    } = row);
  }

  get value(): Value {
    this.made ??= this.row.value;
    return this.made;
  }

  copy(): Value {
    this.text ??= JSON.stringify(this.value);
    return JSON.parse(this.text) as Value;
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
  return {
    bucket: bucket.name,
    key: row.key,
    value: row.copy() as never,
    _id: row.id,
    _etag: row.etag,
    _mtime: row.mtimeMs,
    _txn_snap: null,
  };
}
