/** The SQLite engine: puts writer, readers and catalog together behind the interface that the RPCs use. */

import type { Bucket } from '../../buckets/bucket.js';
import { checkBucketConfig } from '../../buckets/config.js';
import { database, databaseAway, MorayError, objectNotFound, queryTimeout } from '../../errors.js';
import { parseFilter } from '../../filters/parse.js';
import { demandIndexes } from '../../query.js';
import type { BatchItem, BucketRow, Engine, Notification } from '../engine.js';
import { createCatalog } from './catalog.js';
import { startCounting } from './counts.js';
import { openWriter, type Synchronous } from './database.js';
import { describePlan, planFind } from './find.js';
import { createGroupCommit } from './group-commit.js';
import { objectSql } from './object-sql.js';
import { deleteMany, delObject, putObject, reindexObjects, updateObjects } from './objects.js';
import { startReaders } from './readers.js';
import { objectJson, readRow } from './rows.js';
import type { Store } from './store.js';

interface SqliteOptions {
  readonly file: string;
  readonly synchronous: Synchronous;
  readonly readerCount: number;
  readonly nowMs: () => number;
  readonly onNotifications: (notifications: readonly Notification[]) => void;
  readonly onGroup?: (writes: number, seconds: number) => void;
}

export function openSqliteEngine(options: SqliteOptions): Engine {
  const { file, nowMs, onNotifications, onGroup } = options;
  const connection = openWriter({ file, synchronous: options.synchronous });
  const catalog = createCatalog(connection);
  const store: Store = { connection, catalog, nowMs };
  const translate = (error: unknown) => translateError(error, file);
  const commits = createGroupCommit({
    connection,
    translate,
    onRollback: () => catalog.forget(),
    ...(onGroup === undefined ? {} : { onGroup }),
  });
  const readers = startReaders(file, options.readerCount, translate);
  const { write } = commits;

  return {
    createBucket: (name, given) =>
      write(() => {
        const config = checkBucketConfig(name, given);
        startCounting(store, catalog.create(name, config, nowMs()));
      }),
    updateBucket: (name, given, { tracked }) =>
      write(() => {
        const config = checkBucketConfig(name, given);
        const before = catalog.find(name)?.options.countBy;
        const bucket = catalog.update(name, config, tracked);
        const after = bucket.options.countBy;
        const same = before?.bucket === after?.bucket && before?.attribute === after?.attribute;
        if (!same) startCounting(store, bucket);
      }),
    async getBucket(name) {
      return bucketRow(catalog.get(name));
    },
    async listBuckets() {
      return catalog.list().map(bucketRow);
    },
    delBucket: (name) => write(() => catalog.remove(name)),
    putObject: (bucket, key, value, requestOptions) =>
      write(() => putObject(store, bucket, key, value, requestOptions)),
    async getObject(bucketName, key) {
      const { read, readable } = objectSql(catalog.get(bucketName));
      const row = connection.statement(read).get(key);
      if (row === undefined) throw objectNotFound(bucketName, key);
      return objectJson(bucketName, readRow(row, readable), null);
    },
    delObject: (bucket, key, etag) => write(() => delObject(store, bucket, key, etag)),
    async findObjects(bucketName, filterText, requestOptions, onAccepted) {
      const filter = parseFilter(filterText);
      const bucket = catalog.get(bucketName);
      const demanded = requestOptions['requireIndexes'] === true || requestOptions['requireOnlineReindexing'] === true;
      if (demanded) demandIndexes(filter, bucket);
      onAccepted();
      const plan = planFind(bucket, filter, requestOptions);
      if (requestOptions['sql_only'] === true) return [JSON.stringify(describePlan(plan))];
      return withTimeout(readers.find(plan), Number(requestOptions['timeout'] ?? 0), plan.sql);
    },
    updateObjects: (bucket, fields, filter, requestOptions) =>
      write(() => updateObjects(store, bucket, fields, filter, requestOptions, true)),
    deleteMany: (bucket, filter, requestOptions) => write(() => deleteMany(store, bucket, filter, requestOptions)),
    reindexObjects: (bucket, count, requestOptions) =>
      write(() => reindexObjects(store, bucket, count, requestOptions)),
    async batch(items, notifications) {
      const etags = await write(() => items.map((item) => runItem(store, item)));
      onNotifications(notifications);
      return etags;
    },
    async notify(notification) {
      await write(() => {}); // in the order of commits
      onNotifications([notification]);
    },
    async ping() {
      connection.statement('SELECT count(*) FROM buckets_config').get();
    },
    async close() {
      await commits.stop();
      await readers.stop();
      connection.close();
    },
  };
}

function runItem(store: Store, item: BatchItem): object {
  const { bucket, options } = item;
  switch (item.operation) {
    case 'put':
      return { bucket, key: item.key, ...putObject(store, bucket, item.key, item.value, options) };
    case 'delete':
      delObject(store, bucket, item.key, item.etag);
      return { bucket, key: item.key };
    case 'update': {
      const updated = updateObjects(store, bucket, item.fields, item.filter, options, false);
      return { bucket, filter: item.filter, ...updated };
    }
    case 'deleteMany':
      return { bucket, filter: item.filter, ...deleteMany(store, bucket, item.filter, options) };
  }
}

/** Members are texts of JSON, as every client expects. */
function bucketRow(bucket: Bucket): BucketRow {
  return {
    name: bucket.name,
    index: JSON.stringify(bucket.config.index),
    pre: '[]',
    post: '[]',
    options: JSON.stringify(bucket.config.options),
    mtime: new Date(bucket.createdMs).toISOString(),
    reindex_active: bucket.reindexActive === null ? null : JSON.stringify(bucket.reindexActive),
  };
}

/** The search goes on; its answer is thrown away. */
async function withTimeout<Result>(work: Promise<Result>, timeoutMs: number, sql: string): Promise<Result> {
  if (timeoutMs === 0) return work;
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(queryTimeout(sql)), timeoutMs);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}

function translateError(error: unknown, file: string): Error {
  if (error instanceof MorayError) return error;
  const { code = '', message = String(error) } = error as { readonly code?: unknown; readonly message?: string };
  if (code === 'SQLITE_FULL') return databaseAway(`no space left on device: the database "${file}" cannot be written`);
  // Which is also what a full disk is called when it is the log or its index that cannot grow.
  if (String(code).startsWith('SQLITE_IOERR')) return databaseAway(`the database "${file}": ${message} (${code})`);
  return database(String(code).startsWith('SQLITE_') || code === '' ? message : `${message} (${code})`);
}
