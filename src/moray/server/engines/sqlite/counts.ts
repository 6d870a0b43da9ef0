/**
 * Counts kept with the objects they count (bucket option `countBy`): a directory's size is asked at every listing, and
 * counting a million entries each time would not do. A count is an object of its own in another bucket, `{ entries }`
 * under the counted value; it is made with the first object and goes with the last.
 */
import type { Bucket } from '../../buckets/bucket.js';
import type { Catalog } from './catalog.js';
import { identifier } from './sql.js';
import { etagOf, type Store } from './store.js';

/** @param counted the encoded value of the attribute; an object without one is in no count. */
export function addToCount(store: Store, bucket: Bucket, counted: unknown, by: 1 | -1): void {
  const countBy = bucket.options.countBy;
  if (countBy === undefined || typeof counted !== 'string') return;
  const counts = countsBucket(store.catalog, countBy.bucket, store.nowMs());
  const row = store.connection.statement(`SELECT entries FROM ${counts.table} WHERE _key = ?`).get(counted);
  const entries = Number(row?.[0] ?? 0) + by;
  if (entries > 0) writeCount(store, counts, counted, entries);
  else store.connection.statement(`DELETE FROM ${counts.table} WHERE _key = ?`).run(counted);
}

/** Counts what is there already, when a bucket gets the option. */
export function startCounting(store: Store, bucket: Bucket): void {
  const countBy = bucket.options.countBy;
  if (countBy === undefined) return;
  const counts = countsBucket(store.catalog, countBy.bucket, store.nowMs());
  store.connection.exec(`DELETE FROM ${counts.table}`);
  const column = identifier(countBy.attribute);
  const groups = store.connection
    .statement(`SELECT ${column}, count(*) FROM ${bucket.table} WHERE ${column} IS NOT NULL GROUP BY 1`)
    .all();
  for (const [counted, entries] of groups) {
    writeCount(store, counts, String(counted), Number(entries));
  }
}

function writeCount(store: Store, counts: Bucket, counted: string, entries: number): void {
  const json = JSON.stringify({ entries });
  const sql = `INSERT INTO ${counts.table} (_key, _value, _etag, _mtime, _rver, entries) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (_key) DO UPDATE SET _value = excluded._value, _etag = excluded._etag, _mtime = excluded._mtime,
    entries = excluded.entries`;
  store.connection.statement(sql).run(counted, json, etagOf(json), store.nowMs(), counts.version, entries);
}

function countsBucket(catalog: Catalog, name: string, nowMs: number): Bucket {
  const there = catalog.find(name);
  if (there !== undefined) return there;
  return catalog.create(name, { index: { entries: { type: 'number' } }, options: { version: 1 } }, nowMs);
}
