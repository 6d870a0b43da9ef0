/**
 * Backup of a one-box, also while it runs: theory of operation. The metadata is copied first, by SQLite's own online
 * backup, which gives one moment of the database; then the bytes. An object file never changes once it has its name,
 * and is removed 15 minutes after its last entry at the earliest, so whatever the copy of the metadata names is there
 * afterwards, unless somebody deleted it since and the copy takes longer. Logs, zones and run-time files are left out:
 * they are made anew. The archive holds private keys and the key of tokens: it is its owner's alone from the first byte.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import VError from 'verror';
import { loadBox } from '../box.js';
import { layoutOf } from '../layout.js';
import { lockHolder } from '../lock.js';

const databaseFile = 'moray/moray.db';
/** What a directory is made of, beside the database. */
const parts = ['box.json', 'accounts.json', 'etc', 'storage'];

/** @param file of the archive, which must not be there yet. */
export async function backUpBox(dataDirectory: string, file: string): Promise<void> {
  const { data, box } = layoutOf(dataDirectory);
  if (!fs.existsSync(box)) throw new VError({ name: 'NoBoxError' }, 'there is no Marlin in "%s"', data);
  const incomplete = `${file}.incomplete`;
  createAlone(incomplete);
  const staging = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-backup-'));
  try {
    // Only now: whoever else wrote it is done.
    if (fs.existsSync(file)) throw new VError({ name: 'BackupError' }, '"%s" is there already', file);
    await copyDatabase(path.join(data, databaseFile), path.join(staging, databaseFile));
    const there = parts.filter((name) => fs.existsSync(path.join(data, name)));
    const archive = ['--create', '--sparse', '--file', path.resolve(incomplete), '--exclude=storage/*/.tmp/*'];
    tar([...archive, '-C', staging, 'moray', '-C', data, ...there]);
    fs.renameSync(incomplete, file);
  } finally {
    fs.rmSync(staging, { recursive: true, force: true });
    fs.rmSync(incomplete, { force: true });
  }
}

/** @throws VError when somebody else has. */
function createAlone(file: string): void {
  try {
    fs.closeSync(fs.openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const text = '"%s" is there: another backup is writing it, or was broken off and it is to be removed';
    throw new VError({ name: 'BackupError' }, text, file);
  }
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
