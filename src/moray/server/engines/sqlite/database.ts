/**
 * The database file: opened by one server at a time, in the write-ahead mode that lets readers read while one writes.
 * SQLite's own exclusive mode would keep our reader threads out as well, so a file beside it holds the lock: it goes
 * with the process, however that ends.
 */
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import VError from 'verror';
import { subnetContains } from '../../filters/ranges.js';

/** Told apart from other SQLite files, and from what a later release writes. */
const applicationId = 0x4d6f7261; // "Mora"
const formatVersion = 1;
const maxStatements = 1000;
/**
 * Pages in the log before they are copied into the database (32 MiB): small transactions write the same pages again and
 * again, and copying each once is enough.
 */
const checkpointPages = 8192;
/** The log is cut back to this after it was copied. */
const journalLimitBytes = 64 * 1024 * 1024;
const cacheKib = 65_536;

const syncFile = promisify(fs.fdatasync);

export type Parameter = string | number | null;

export interface Statement {
  /** @returns how many rows changed. */
  run(...parameters: readonly Parameter[]): number;
  get(...parameters: readonly Parameter[]): readonly unknown[] | undefined;
  all(...parameters: readonly Parameter[]): readonly (readonly unknown[])[];
}

/** A connection that keeps its prepared statements. Rows are arrays, in the order of the columns. */
export interface Connection {
  statement(sql: string): Statement;
  exec(sql: string): void;
  readonly inTransaction: () => boolean;
  close(): void;
}

export type Synchronous = 'full' | 'normal' | 'off';

interface WriterOptions {
  readonly file: string;
  /** `full`: what was acknowledged survives the loss of power; `normal`: the death of the process. */
  readonly synchronous: Synchronous;
}

export interface Writer extends Connection {
  /** Resolves when all that is committed now would survive the loss of power. Absent: nobody asked for that. */
  readonly makeDurable?: () => Promise<void>;
}

/** @throws VError `DatabaseInUseError`, `DatabaseFormatError`, `DatabaseOpenError` */
export function openWriter({ file, synchronous }: WriterOptions): Writer {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const lock = openLock(file);
  try {
    const database = new Database(file);
    checkFormat(database, file);
    database.pragma('journal_mode = WAL');
    // With FULL, SQLite would wait for the disk in every COMMIT, and the whole server with it. NORMAL keeps the order of
    // what reaches the disk, and the log is synced by `makeDurable`, on another thread.
    database.pragma(`synchronous = ${synchronous === 'off' ? 'OFF' : 'NORMAL'}`);
    database.pragma(`wal_autocheckpoint = ${checkpointPages}`);
    database.pragma(`cache_size = -${cacheKib}`);
    database.pragma(`journal_size_limit = ${journalLimitBytes}`);
    if (database.pragma('user_version', { simple: true }) === 0) createFormat(database);
    const connection = wrap(database);
    const log = synchronous === 'full' ? openLog(file) : undefined;
    return {
      ...connection,
      ...(log === undefined ? {} : { makeDurable: () => syncFile(log) }),
      close() {
        connection.close();
        if (log !== undefined) fs.closeSync(log);
        lock.close();
      },
    };
  } catch (error) {
    lock.close();
    if (error instanceof VError) throw error;
    throw new VError({ name: 'DatabaseOpenError', cause: error as Error }, 'cannot open the database "%s"', file);
  }
}

/**
 * SQLite keeps the same log file as long as the database is open. Its name must reach the disk as well: it is new at
 * most starts, and a log that nobody finds is lost with all that is in it. @returns its descriptor.
 */
function openLog(file: string): number {
  const log = fs.openSync(`${file}-wal`, 'a'); // made by us when the first transaction is yet to come
  const directory = fs.openSync(path.dirname(file), 'r');
  fs.fsyncSync(directory);
  fs.closeSync(directory);
  return log;
}

export function openReader(file: string): Connection {
  const database = new Database(file, { readonly: true, fileMustExist: true });
  database.pragma('query_only = ON');
  return wrap(database);
}

function openLock(file: string): Database.Database {
  const lockFile = `${file}.lock`;
  try {
    const lock = new Database(lockFile, { timeout: 0 });
    lock.pragma('journal_mode = MEMORY'); // leaves no file behind
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    const busy = (error as { code?: unknown }).code === 'SQLITE_BUSY';
    const name = busy ? 'DatabaseInUseError' : 'DatabaseOpenError';
    const text = busy ? 'the database "%s" is in use by another server' : 'cannot lock the database "%s"';
    throw new VError({ name, cause: error as Error }, text, file);
  }
}

function checkFormat(database: Database.Database, file: string): void {
  const version = Number(database.pragma('user_version', { simple: true }));
  const id = Number(database.pragma('application_id', { simple: true }));
  if (version === 0 && id === 0) return; // new
  if (id !== applicationId) {
    throw new VError({ name: 'DatabaseFormatError' }, '"%s" is not a database of this server', file);
  }
  if (version > formatVersion) {
    const text = 'the database "%s" has format %d, this release knows up to %d: start a newer release';
    throw new VError({ name: 'DatabaseFormatError' }, text, file, version, formatVersion);
  }
}

function createFormat(database: Database.Database): void {
  database.exec(`
    BEGIN IMMEDIATE;
    CREATE TABLE buckets_config (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      name TEXT NOT NULL UNIQUE,
      "index" TEXT NOT NULL,
      options TEXT NOT NULL,
      mtime INTEGER NOT NULL,
      reindex_active TEXT,
      serial INTEGER NOT NULL DEFAULT 1
    );
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${formatVersion};
    COMMIT;
  `);
}

function wrap(database: Database.Database): Connection {
  database.function('moray_lower', { deterministic: true }, (text) =>
    typeof text === 'string' ? text.toLowerCase() : null,
  );
  database.function('moray_subnet_contains', { deterministic: true }, (subnet, address) =>
    typeof subnet === 'string' ? Number(subnetContains(subnet, String(address))) : null,
  );
  const statements = new Map<string, Statement>();
  return {
    statement(sql) {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      const made = prepare(database, sql);
      if (statements.size >= maxStatements) {
        const [oldest] = statements.keys();
        if (oldest !== undefined) statements.delete(oldest);
      }
      statements.set(sql, made);
      return made;
    },
    exec: (sql) => {
      database.exec(sql);
    },
    inTransaction: () => database.inTransaction,
    close: () => {
      database.close();
    },
  };
}

function prepare(database: Database.Database, sql: string): Statement {
  const statement = database.prepare(sql);
  if (statement.reader) statement.raw();
  return {
    run: (...parameters) => statement.run(...parameters).changes,
    get: (...parameters) => statement.get(...parameters) as readonly unknown[] | undefined,
    all: (...parameters) => statement.all(...parameters) as readonly (readonly unknown[])[],
  };
}
