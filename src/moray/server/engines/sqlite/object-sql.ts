/** The statements about one object, made once for each configuration of a bucket: their texts are long. */
import type { Bucket } from '../../buckets/bucket.js';
import { type OverlayField, rowColumns } from './rows.js';
import { identifier } from './sql.js';

export interface ObjectSql {
  /** Fields whose columns decide when an object is read. */
  readonly readable: readonly OverlayField[];
  /** By key: the columns of `rowColumns(readable)`. */
  readonly read: string;
  /** By key: `_id`, `_etag` and the columns of all fields. */
  readonly previous: string;
  /** The columns of `ownColumns` and of all fields. */
  readonly insert: string;
  /** By `_id`: the columns of `ownColumns` but the key, and of the fields at these positions. */
  update(positions: readonly number[]): string;
  readonly remove: string;
}

const ownColumns: readonly string[] = ['_key', '_value', '_etag', '_mtime', '_txn_snap', '_rver'];
/** Of how many sets of changed fields the statement is remembered. */
const maxUpdates = 64;

const known = new WeakMap<Bucket, ObjectSql>();

export function objectSql(bucket: Bucket): ObjectSql {
  const there = known.get(bucket);
  if (there !== undefined) return there;
  const made = makeObjectSql(bucket);
  known.set(bucket, made);
  return made;
}

function makeObjectSql({ table, fields }: Bucket): ObjectSql {
  const readable = fields.filter((field) => !field.reindexing);
  const names = fields.map(({ name }) => identifier(name));
  const columns = [...ownColumns, ...names];
  const updates = new Map<string, string>();
  return {
    readable,
    read: `SELECT ${rowColumns(readable)} FROM ${table} WHERE _key = ?`,
    previous: `SELECT ${['_id', '_etag', ...names].join(', ')} FROM ${table} WHERE _key = ?`,
    insert: `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    update(positions) {
      const which = positions.join();
      const sql = updates.get(which);
      if (sql !== undefined) return sql;
      const assigned = [...ownColumns.slice(1), ...positions.map((position) => names[position])];
      const made = `UPDATE ${table} SET ${assigned.map((column) => `${column} = ?`).join(', ')} WHERE _id = ?`;
      if (updates.size < maxUpdates) updates.set(which, made);
      return made;
    },
    remove: `DELETE FROM ${table} WHERE _id = ?`,
  };
}
