/**
 * Buckets in SQLite: a table per bucket, a column per indexed field, and indexes by access paths. One row in
 * `buckets_config` per bucket is the truth; what is held in memory is dropped whenever a transaction fails.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Bucket, Field } from '../../buckets/bucket.js';
import {
  type AccessPath,
  type BucketConfig,
  checkVersion,
  type FieldDefinition,
  isReservedBucket,
} from '../../buckets/config.js';
import { indexType } from '../../buckets/index-types.js';
import { bucketConflict, bucketNotFound, internal, invalidBucketName } from '../../errors.js';
import type { Connection } from './database.js';
import { identifier } from './sql.js';

export interface Catalog {
  /** @throws BucketNotFoundError */
  get(name: string): Bucket;
  find(name: string): Bucket | undefined;
  list(): readonly Bucket[];
  create(name: string, config: BucketConfig, nowMs: number): Bucket;
  /** @param tracked whether fields that are new stay unusable until all objects were reindexed. */
  update(name: string, config: BucketConfig, tracked: boolean): Bucket;
  /** All objects of the bucket are reindexed. */
  finishReindex(name: string): void;
  remove(name: string): void;
  /** After a failed transaction: what was remembered may not be so. */
  forget(): void;
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly index: BucketConfig['index'];
  readonly options: BucketConfig['options'];
  readonly mtime: number;
  readonly reindexActive: Readonly<Record<string, readonly string[]>> | null;
}

export function createCatalog(connection: Connection): Catalog {
  const loaded = new Map<string, Bucket>();
  const select = 'SELECT id, name, "index", options, mtime, reindex_active FROM buckets_config';

  const load = (name: string): Row | undefined => {
    const row = connection.statement(`${select} WHERE name = ?`).get(name);
    return row === undefined ? undefined : parseRow(row);
  };

  const find = (name: string): Bucket | undefined => {
    const known = loaded.get(name);
    if (known !== undefined) return known;
    const row = load(name);
    if (row === undefined) return undefined;
    const bucket = makeBucket(row);
    loaded.set(name, bucket);
    return bucket;
  };

  const get = (name: string): Bucket => {
    const bucket = find(name);
    if (bucket === undefined) throw bucketNotFound(name);
    return bucket;
  };

  return {
    get,
    find,
    list: () =>
      connection
        .statement(`${select} ORDER BY name`)
        .all()
        .map((row) => makeBucket(parseRow(row))),
    create(name, config, nowMs) {
      if (find(name) !== undefined) throw bucketConflict(name);
      refuseCollisions(Object.keys(config.index));
      connection
        .statement('INSERT INTO buckets_config (name, "index", options, mtime) VALUES (?, ?, ?, ?)')
        .run(name, JSON.stringify(config.index), JSON.stringify(config.options), nowMs);
      const bucket = get(name);
      createTable(connection, bucket);
      syncIndexes(connection, bucket);
      return bucket;
    },
    update(name, config, tracked) {
      const stored = load(name);
      if (stored === undefined) throw bucketNotFound(name);
      const version = config.options.version ?? 0;
      checkVersion(name, stored.options.version ?? 0, version);
      refuseCollisions(Object.keys(config.index));
      const added = Object.keys(config.index).filter(
        (field) => !isDeepStrictEqual(config.index[field]?.type, stored.index[field]?.type),
      );
      const removed = Object.keys(stored.index).filter(
        (field) => config.index[field] === undefined || added.includes(field),
      );
      const reindexActive =
        version === 0 || !tracked
          ? stored.reindexActive
          : {
              ...stored.reindexActive,
              [version]: [...new Set([...(stored.reindexActive?.[version] ?? []), ...added])],
            };
      connection
        .statement('UPDATE buckets_config SET "index" = ?, options = ?, reindex_active = ? WHERE name = ?')
        .run(
          JSON.stringify(config.index),
          JSON.stringify(config.options),
          reindexActive === null ? null : JSON.stringify(reindexActive),
          name,
        );
      loaded.delete(name);
      const bucket = get(name);
      if (removed.length > 0) dropIndexes(connection, bucket, () => true); // a column that is indexed cannot go
      for (const field of removed) {
        connection.exec(`ALTER TABLE ${bucket.table} DROP COLUMN ${identifier(field)}`);
      }
      for (const field of added) {
        connection.exec(`ALTER TABLE ${bucket.table} ADD COLUMN ${columnDefinition(bucket.field(field))}`);
      }
      syncIndexes(connection, bucket);
      return bucket;
    },
    finishReindex(name) {
      connection.statement('UPDATE buckets_config SET reindex_active = ? WHERE name = ?').run('{}', name);
      loaded.delete(name);
      syncIndexes(connection, get(name));
    },
    remove(name) {
      if (isReservedBucket(name)) throw invalidBucketName(name);
      const bucket = get(name);
      connection.exec(`DROP TABLE ${bucket.table}`);
      connection.statement('DELETE FROM buckets_config WHERE name = ?').run(name);
      loaded.delete(name);
    },
    forget: () => loaded.clear(),
  };
}

function parseRow(row: readonly unknown[]): Row {
  const [id, name, index, options, mtime, reindexActive] = row;
  return {
    id: Number(id),
    name: String(name),
    index: JSON.parse(String(index)),
    options: JSON.parse(String(options)),
    mtime: Number(mtime),
    reindexActive: reindexActive === null ? null : JSON.parse(String(reindexActive)),
  };
}

function makeBucket(row: Row): Bucket {
  const reindexing = new Set(Object.values(row.reindexActive ?? {}).flat());
  const fields = Object.entries(row.index).map(([name, definition]) => makeField(name, definition, reindexing));
  const byName = new Map(fields.map((field) => [field.name, field]));
  return {
    name: row.name,
    table: identifier(`${row.name}_${row.id}`),
    config: { index: row.index, options: row.options },
    options: row.options,
    version: row.options.version ?? 0,
    createdMs: row.mtime,
    reindexActive: row.reindexActive,
    fields,
    field: (name) => byName.get(name),
  };
}

function makeField(name: string, definition: FieldDefinition, reindexing: ReadonlySet<string>): Field {
  return {
    name,
    typeText: definition.type,
    type: indexType(definition.type),
    unique: definition.unique === true,
    reindexing: reindexing.has(name),
  };
}

/** Names of columns are told apart without regard to case. */
function refuseCollisions(fields: readonly string[]): void {
  const seen = new Set<string>();
  for (const field of fields.map((name) => name.toLowerCase())) {
    if (seen.has(field)) throw internal(`Invalid SQL: column "${field}" specified more than once`);
    seen.add(field);
  }
}

function createTable(connection: Connection, bucket: Bucket): void {
  const columns = [
    '_id INTEGER PRIMARY KEY AUTOINCREMENT',
    '_key TEXT NOT NULL UNIQUE',
    '_value TEXT NOT NULL',
    '_etag TEXT NOT NULL',
    '_mtime INTEGER NOT NULL',
    '_txn_snap INTEGER',
    '_rver INTEGER NOT NULL DEFAULT 0',
    ...bucket.fields.map(columnDefinition),
  ];
  connection.exec(`CREATE TABLE ${bucket.table} (${columns.join(', ')})`);
}

function columnDefinition(field: Field | undefined): string {
  if (field === undefined) throw new Error('a column is defined for a field that does not exist');
  return `${identifier(field.name)} ${field.type.isArray ? 'TEXT' : field.type.scalar.column}`;
}

/** Creates the indexes that the bucket should have and drops those that it should not. */
function syncIndexes(connection: Connection, bucket: Bucket): void {
  const wanted = new Map(indexDefinitions(bucket).map((sql) => [indexName(bucket, sql), sql]));
  const there = dropIndexes(connection, bucket, (name) => !wanted.has(name));
  for (const [name, sql] of wanted) {
    if (!there.has(name)) connection.exec(sql.replace('INDEX', `INDEX ${identifier(name)}`));
  }
}

/** @returns the names of those that stay. */
function dropIndexes(connection: Connection, bucket: Bucket, drop: (name: string) => boolean): ReadonlySet<string> {
  const names = connection
    .statement(`SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?`)
    .all(bucket.table.slice(1, -1))
    .map(([name]) => String(name));
  for (const name of names.filter(drop)) connection.exec(`DROP INDEX ${identifier(name)}`);
  return new Set(names.filter((name) => !drop(name)));
}

function indexName(bucket: Bucket, sql: string): string {
  return `${bucket.table.slice(1, -1)}_${createHash('sha256').update(sql).digest('hex').slice(0, 12)}`;
}

function indexDefinitions(bucket: Bucket): readonly string[] {
  const { table } = bucket;
  const unique = bucket.fields.filter((field) => field.unique);
  const single = bucket.fields.filter((field) => !field.unique && !field.type.isArray);
  const paths = bucket.options.accessPaths ?? single.map((field) => ({ fields: [field.name] }));
  const isReindexing = bucket.fields.some((field) => field.reindexing);
  return [
    ...unique.map((field) => `CREATE UNIQUE INDEX ON ${table} (${identifier(field.name)})`),
    ...paths.map((path) => pathDefinition(table, path)),
    ...(isReindexing ? [`CREATE INDEX ON ${table} (_rver)`] : []),
  ];
}

function pathDefinition(table: string, path: AccessPath): string {
  const conditions = [
    ...(path.present ?? []).map((field) => `${identifier(field)} IS NOT NULL`),
    ...(path.absent ?? []).map((field) => `${identifier(field)} IS NULL`),
  ];
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return `CREATE INDEX ON ${table} (${path.fields.map(identifier).join(', ')})${where}`;
}
