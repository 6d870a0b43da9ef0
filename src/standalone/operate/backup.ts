/**
 * Backup of a one-box, also while it runs: theory of operation. The metadata is copied first, by SQLite's own online
 * backup, which gives one moment of the database; then the bytes. An object file never changes once it has its name,
 * and is removed 15 minutes after its last entry at the earliest, so whatever the copy of the metadata names is there
 * afterwards, unless somebody deleted it since and the copy takes longer. Logs, zones and run-time files are left out:
 * they are made anew. The archive holds private keys and the key of tokens: it is its owner's alone from the first byte.
 * Until it is whole, everything is in `FILE.incomplete`, below a lock that dies with its holder: a nightly backup that
 * was killed once must not stand in the way of the next.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import VError from 'verror';
import { loadBox } from '../box.js';
import { layoutOf } from '../layout.js';
import { lockHolder, tryLock } from '../lock.js';

const databaseFile = 'moray/moray.db';
/** What a directory is made of, beside the database. */
const parts = ['box.json', 'accounts.json', 'etc', 'storage'];

/** @param file of the archive, which must not be there yet. */
export async function backUpBox(dataDirectory: string, file: string): Promise<void> {
  const { data, box } = layoutOf(dataDirectory);
  if (!fs.existsSync(box)) throw new VError({ name: 'NoBoxError' }, 'there is no Marlin in "%s"', data);
  const incomplete = `${file}.incomplete`;
  const release = lockAlone(`${incomplete}.lock`, file);
  try {
    // Only now: whoever else wrote it is done.
    if (fs.existsSync(file)) throw new VError({ name: 'BackupError' }, '"%s" is there already', file);
    // Of a backup that was killed. Its tar may live on: it writes to what has no name any more.
    fs.rmSync(incomplete, { recursive: true, force: true });
    fs.mkdirSync(incomplete, { mode: 0o700 });
    const archive = path.join(incomplete, 'archive.tar');
    fs.closeSync(fs.openSync(archive, 'wx', 0o600));
    await copyDatabase(path.join(data, databaseFile), path.join(incomplete, databaseFile));
    const there = parts.filter((name) => fs.existsSync(path.join(data, name)));
    const create = ['--create', '--sparse', '--file', path.resolve(archive), '--exclude=storage/*/.tmp/*'];
    tar([...create, '-C', path.resolve(incomplete), 'moray', '-C', data, ...there]);
    fs.renameSync(archive, file);
  } finally {
    fs.rmSync(incomplete, { recursive: true, force: true });
    release();
  }
}

/** @returns the release. @throws VError when another backup of the same file lives. */
function lockAlone(lock: string, file: string): () => void {
  const taken = tryLock(lock);
  if (typeof taken === 'function') return taken;
  throw new VError({ name: 'BackupError' }, 'another backup is writing "%s" (process %d)', file, taken);
}

async function copyDatabase(from: string, to: string): Promise<void> {
  fs.mkdirSync(path.dirname(to), { recursive: true, mode: 0o700 });
  const source = new Database(from, { readonly: true, fileMustExist: true });
  try {
    await source.backup(to);
  } finally {
    source.close();
  }
}

/** @param dataDirectory must be empty or absent. */
export function restoreBox(dataDirectory: string, file: string): void {
  const layout = layoutOf(dataDirectory);
  if (!fs.existsSync(file)) throw new VError({ name: 'RestoreError' }, 'there is no file "%s"', file);
  if (lockHolder(layout.lock) !== undefined || (fs.existsSync(layout.data) && fs.readdirSync(layout.data).length > 0)) {
    throw new VError({ name: 'RestoreError' }, '"%s" is not empty: restore into a new directory', layout.data);
  }
  fs.mkdirSync(layout.data, { recursive: true, mode: 0o700 });
  try {
    tar(['--extract', '--file', path.resolve(file), '-C', layout.data, '--preserve-permissions']);
    if (!fs.existsSync(layout.box)) throw new VError({ name: 'RestoreError' }, '"%s" is no backup of a Marlin', file);
    loadBox(layout, undefined); // refuses a newer format
    checkDatabase(path.join(layout.data, databaseFile));
  } catch (error) {
    fs.rmSync(layout.data, { recursive: true, force: true });
    throw error;
  }
}

function checkDatabase(file: string): void {
  const database = new Database(file, { readonly: true, fileMustExist: true });
  try {
    const answer = database.pragma('quick_check', { simple: true });
    if (answer !== 'ok') throw new VError({ name: 'RestoreError' }, 'the database is damaged: %s', String(answer));
  } finally {
    database.close();
  }
}

/** Status 1: a file changed or vanished while it was read, which concerns uploads under way only. */
function tar(args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('tar', [...args], { encoding: 'utf8' });
  if (error !== undefined) throw new VError({ name: 'TarError', cause: error }, 'cannot run tar');
  if (status !== 0 && status !== 1) throw new VError({ name: 'TarError' }, 'tar failed: %s', stderr.trim());
}
