/** Objects: what each write does inside its transaction. */
import { randomUUID } from 'node:crypto';
import type { Bucket, Field } from '../../buckets/bucket.js';
import { type Encoded, encodeValue } from '../../buckets/index-types.js';
import {
  database,
  etagConflict,
  fieldUpdate,
  invalidIndexType,
  notIndexed,
  notNullable,
  objectNotFound,
  uniqueAttribute,
} from '../../errors.js';
import { parseFilter } from '../../filters/parse.js';
import { demandIndexes, type RequestOptions, selectionOf } from '../../query.js';
import { compileFilter } from './compile.js';
import { addToCount } from './counts.js';
import type { Parameter } from './database.js';
import { objectSql } from './object-sql.js';
import { readRow, rowColumns } from './rows.js';
import { selectStatement } from './select.js';
import { identifier } from './sql.js';
import { etagOf, type Store } from './store.js';

type Value = Readonly<Record<string, unknown>>;

/**
 * Of an object that is there, only what changed is written: SQLite renews every index that an assigned column is part
 * of, whether its value is another or not, and each is a page more to write and to sync.
 * @returns the new etag.
 */
export function putObject(
  store: Store,
  bucketName: string,
  key: string,
  value: Value,
  options: RequestOptions,
): { readonly etag: string } {
  const bucket = store.catalog.get(bucketName);
  refuseNul(key);
  const sql = objectSql(bucket);
  const previous = store.connection.statement(sql.previous).get(key);
  const actual = previous === undefined ? null : String(previous[1]);
  checkEtag({ bucket: bucketName, key, expected: options['etag'], actual });
  const encoded = bucket.fields.map((field) => encodeField(field, value[field.name]));
  const json = JSON.stringify(value);
  const etag = etagOf(json);
  const own = [json, etag, store.nowMs(), nextSerial(store, bucket), bucket.version];
  translateUnique(value, key, () => {
    if (previous === undefined) {
      store.connection.statement(sql.insert).run(key, ...own, ...encoded);
    } else {
      const changed = [...encoded.keys()].filter((position) => encoded[position] !== previous[2 + position]);
      const values = changed.map((position) => encoded[position] ?? null);
      store.connection.statement(sql.update(changed)).run(...own, ...values, Number(previous[0]));
    }
  });
  const counted = countedPosition(bucket);
  if (counted !== -1) moveCount(store, bucket, previous?.[2 + counted], encoded[counted]);
  return { etag };
}

/** A missing object is reported before the etag is looked at; without a truthy etag there is no condition. */
export function delObject(store: Store, bucketName: string, key: string, etag: unknown): void {
  const bucket = store.catalog.get(bucketName);
  const sql = objectSql(bucket);
  const previous = store.connection.statement(sql.previous).get(key);
  if (previous === undefined) throw objectNotFound(bucketName, key);
  if (etag) checkEtag({ bucket: bucketName, key, expected: etag, actual: String(previous[1]) });
  store.connection.statement(sql.remove).run(Number(previous[0]));
  const counted = countedPosition(bucket);
  if (counted !== -1) addToCount(store, bucket, previous[2 + counted], -1);
}

/** Which field is counted; -1: none. */
function countedPosition({ options: { countBy }, fields }: Bucket): number {
  return countBy === undefined ? -1 : fields.findIndex(({ name }) => name === countBy.attribute);
}

function moveCount(store: Store, bucket: Bucket, before: unknown, after: unknown): void {
  if (before === after) return;
  addToCount(store, bucket, before, -1);
  addToCount(store, bucket, after, 1);
}

/** @param isTopLevel where an update of nothing is refused; in a batch it refreshes etag and time. */
export function updateObjects(
  store: Store,
  bucketName: string,
  fields: Value,
  filterText: string,
  options: RequestOptions,
  isTopLevel: boolean,
): { readonly count: number; readonly etag: string } {
  if (isTopLevel && Object.keys(fields).length === 0) throw fieldUpdate(fields);
  const filter = parseFilter(filterText);
  const bucket = store.catalog.get(bucketName);
  demandIndexes(filter, bucket);
  const condition = compileFilter(filter, bucket);
  const updates = encodeUpdates(bucket, fields);
  const etag = `u${randomUUID().slice(0, 7)}`;
  const select = selectStatement('_id', bucket, condition, selectionOf(options));
  const countBy = bucket.options.countBy;
  if (countBy !== undefined && Object.hasOwn(fields, countBy.attribute)) {
    return updateCounted(store, bucket, updates, etag, select);
  }
  const assignments = ['_etag', '_mtime', ...updates.map(({ column }) => column)].map((column) => `${column} = ?`);
  const sql = `UPDATE ${bucket.table} SET ${assignments.join(', ')} WHERE _id IN (${select.sql})`;
  const values = updates.map(({ value }) => value);
  let count = 0;
  translateUnique(fields, '', () => {
    count = store.connection.statement(sql).run(etag, store.nowMs(), ...values, ...select.parameters);
  });
  return { count, etag };
}

interface Update {
  readonly column: string;
  readonly name: string;
  readonly value: Encoded;
}

function encodeUpdates(bucket: Bucket, fields: Value): readonly Update[] {
  const updates: Update[] = [];
  for (const [name, value] of Object.entries(fields)) {
    const field = bucket.field(name);
    if (field === undefined) throw notIndexed(bucket.name, JSON.stringify(fields));
    if (field.reindexing) {
      throw notIndexed(bucket.name, JSON.stringify(fields), { reindexing: [name], unindexed: [] });
    }
    if (value === null) throw notNullable(name, field.typeText);
    const encoded = encodeField(field, value);
    if (encoded !== null) updates.push({ column: identifier(name), name, value: encoded });
  }
  return updates;
}

/** Moves objects from one count to another, which takes a look at each. */
function updateCounted(
  store: Store,
  bucket: Bucket,
  updates: readonly Update[],
  etag: string,
  select: { readonly sql: string; readonly parameters: readonly Encoded[] },
): { readonly count: number; readonly etag: string } {
  const attribute = bucket.options.countBy?.attribute ?? '';
  const after = updates.find(({ name }) => name === attribute)?.value;
  const rows = store.connection
    .statement(`SELECT _id, ${identifier(attribute)} FROM ${bucket.table} WHERE _id IN (${select.sql})`)
    .all(...select.parameters);
  const assignments = ['_etag', '_mtime', ...updates.map(({ column }) => column)].map((column) => `${column} = ?`);
  const sql = `UPDATE ${bucket.table} SET ${assignments.join(', ')} WHERE _id = ?`;
  for (const [id, before] of rows) {
    store.connection.statement(sql).run(etag, store.nowMs(), ...updates.map(({ value }) => value), Number(id));
    moveCount(store, bucket, before, after);
  }
  return { count: rows.length, etag };
}

export function deleteMany(
  store: Store,
  bucketName: string,
  filterText: string,
  options: RequestOptions,
): { readonly count: number } {
  const filter = parseFilter(filterText);
  const bucket = store.catalog.get(bucketName);
  demandIndexes(filter, bucket);
  const condition = compileFilter(filter, bucket);
  const select = selectStatement('_id', bucket, condition, selectionOf(options));
  const countBy = bucket.options.countBy;
  if (countBy === undefined) {
    const sql = `DELETE FROM ${bucket.table} WHERE _id IN (${select.sql})`;
    return { count: store.connection.statement(sql).run(...select.parameters) };
  }
  const rows = store.connection
    .statement(`SELECT _id, ${identifier(countBy.attribute)} FROM ${bucket.table} WHERE _id IN (${select.sql})`)
    .all(...select.parameters);
  for (const [id, counted] of rows) {
    store.connection.statement(objectSql(bucket).remove).run(Number(id));
    addToCount(store, bucket, counted, -1);
  }
  return { count: rows.length };
}

/** Brings up to `count` objects that were put under an older version up to date. */
export function reindexObjects(
  store: Store,
  bucketName: string,
  count: number,
  options: RequestOptions,
): { readonly processed: number; readonly remaining?: number } {
  const bucket = store.catalog.get(bucketName);
  if (Object.keys(bucket.reindexActive ?? {}).length === 0) return { processed: 0 };
  const readable = bucket.fields.filter((field) => !field.reindexing);
  const rows = store.connection
    .statement(`SELECT ${rowColumns(readable)} FROM ${bucket.table} WHERE _rver < ? LIMIT ?`)
    .all(bucket.version, count);
  const columns = ['_value', '_rver', ...bucket.fields.map(({ name }) => identifier(name))];
  const sql = `UPDATE ${bucket.table} SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE _id = ?`;
  for (const row of rows) {
    const { id, key, value } = readRow(row, readable);
    const encoded = bucket.fields.map((field) => encodeField(field, value[field.name]));
    translateUnique(value, key, () => {
      store.connection.statement(sql).run(JSON.stringify(value), bucket.version, ...encoded, id);
    });
  }
  if (rows.length === 0) store.catalog.finishReindex(bucketName);
  if (options['no_count'] === true) return { processed: rows.length };
  const left = store.connection.statement(`SELECT count(*) FROM ${bucket.table} WHERE _rver < ?`).get(bucket.version);
  return { processed: rows.length, remaining: Number(left?.[0] ?? 0) };
}

function checkEtag(given: {
  readonly bucket: string;
  readonly key: string;
  readonly expected: unknown;
  readonly actual: string | null;
}): void {
  const { bucket, key, expected, actual } = given;
  if (expected === undefined || expected === actual) return;
  throw etagConflict({ bucket, key, expected: expected === null ? null : String(expected), actual });
}

function encodeField(field: Field, value: unknown): Encoded | null {
  const encoded = encodeValue(field.type, value);
  if (encoded === undefined) throw invalidIndexType(field.name, field.type.name);
  if (typeof encoded === 'string') refuseNul(encoded);
  return encoded;
}

/** PostgreSQL stores no NUL in text, and SQLite's own functions stop at one. */
function refuseNul(text: string): void {
  if (text.includes('\0')) throw database('invalid byte sequence for encoding "UTF8": 0x00');
}

/** With `guaranteeOrder` every put takes the next number of its bucket. */
function nextSerial(store: Store, bucket: Bucket): Parameter {
  if (bucket.options.guaranteeOrder !== true) return null;
  const row = store.connection
    .statement('UPDATE buckets_config SET serial = serial + 1 WHERE name = ? RETURNING serial')
    .get(bucket.name);
  return Number(row?.[0]);
}

function translateUnique(value: Value, key: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message: string };
    if (code !== 'SQLITE_CONSTRAINT_UNIQUE') throw error;
    const attribute = message.slice(message.lastIndexOf('.') + 1);
    throw uniqueAttribute(attribute, attribute === '_key' ? key : value[attribute]);
  }
}
