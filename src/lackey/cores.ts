/**
 * How the lackey learns that a process of the command dumped core: theory of operation. A parent sees how its own
 * children end, but cores count of any descendant, also of one that left its session, whose parent ignores it, or that
 * may not write the file (spec 06 §3.2). The kernel tells of all of them: it writes a record of 64 bytes to the zone's
 * accounting file whenever a process of the zone ends, before its parent can wait for it. The agent turns that on and
 * owns the file; here it is only read, from where the last reading ended.
 *
 * Between two watches nothing of a user's runs, so what was not read yet when a watch begins belongs to it. A file
 * shorter than what was read has been emptied by the agent to bound it.
 *
 * `ctrun` shields: interactive commands run below it may crash without ending the task (spec 06 §6.8). Whether a process
 * was below it is found from parent to parent, in /proc while they live, in their own records when they have ended too.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { Log } from './log.js';

/** A process that dumped core. */
export interface CoreDump {
  readonly pid: number;
  /** Name of the program, cut to 15 bytes, or what it calls itself. */
  readonly command: string;
}

export interface CoreWatch {
  /**
   * Watches from the end of the watch before. @param onDump is called once, at the first core of any process.
   * @returns ends the watch and says whose core was the first: also one whose news had not arrived yet.
   */
  begin(onDump: () => void): () => CoreDump | undefined;
}

/** Where nothing reports core dumps. */
const noCoreWatch: CoreWatch = { begin: () => () => undefined };

export interface AccountingRecord extends CoreDump {
  readonly parent: number;
  readonly dumpedCore: boolean;
}

/** `struct acct_v3` of the kernel, in its own byte order. */
const recordBytes = 64;
const flagDumpedCore = 0x08;
const shield = 'ctrun';
/** Longest chain of parents that is followed, and most records that are kept to follow it. */
const maxParents = 64;
const maxKept = 4096;
/** Most that is read at once: what a fork bomb leaves must not fill the lackey's memory. */
const chunkBytes = 1024 * recordBytes;

/** @param bytes whole records; what follows the last whole one is ignored. */
export function parseAccounting(bytes: Buffer): AccountingRecord[] {
  const records: AccountingRecord[] = [];
  for (let at = 0; at + recordBytes <= bytes.length; at += recordBytes) {
    const name = bytes.subarray(at + 48, at + recordBytes).toString('latin1');
    records.push({
      dumpedCore: ((bytes[at] ?? 0) & flagDumpedCore) !== 0,
      pid: bytes.readUInt32LE(at + 16),
      parent: bytes.readUInt32LE(at + 20),
      command: name.split('\0', 1)[0] ?? '',
    });
  }
  return records;
}

/**
 * @param living answers for a process that has not ended. @param ended likewise from the records.
 * @returns whether a parent of the process, or one of theirs, is `ctrun`.
 */
export function isShielded(
  dump: AccountingRecord,
  living: (pid: number) => { command: string; parent: number } | undefined,
  ended: ReadonlyMap<number, AccountingRecord>,
): boolean {
  let { parent } = dump;
  for (let steps = 0; parent > 1 && steps < maxParents; steps++) {
    const process = living(parent) ?? ended.get(parent);
    if (process === undefined) return false;
    if (process.command === shield) return true;
    parent = process.parent;
  }
  return false;
}

/** @param file the zone's accounting file; undefined or missing: nothing is reported. */
export function openCoreWatch(file: string | undefined, log: Log): CoreWatch {
  if (file === undefined || !fs.existsSync(file)) return noCoreWatch;
  const descriptor = fs.openSync(file, 'r');
  const chunk = Buffer.alloc(chunkBytes);
  let position = fs.fstatSync(descriptor).size;
  const ended = new Map<number, AccountingRecord>();
  let first: CoreDump | undefined;
  let tell: (() => void) | undefined;

  function read(): void {
    const { size } = fs.fstatSync(descriptor);
    if (size < position) position = 0;
    const dumps: AccountingRecord[] = [];
    for (;;) {
      const count = fs.readSync(descriptor, chunk, 0, chunkBytes, position);
      const records = parseAccounting(chunk.subarray(0, count));
      position += records.length * recordBytes;
      for (const record of records) {
        if (ended.size >= maxKept) ended.clear();
        ended.set(record.pid, record);
        if (record.dumpedCore) dumps.push(record);
      }
      if (records.length < chunkBytes / recordBytes) break;
    }
    const dump = dumps.find((record) => !isShielded(record, livingProcess, ended));
    if (dump === undefined || first !== undefined) return;
    first = { pid: dump.pid, command: dump.command };
    tell?.();
  }

  try {
    // One for the life of the lackey: a zone has few of these, and the command may use up the others.
    const watcher = fs.watch(file, { persistent: false }, () => {
      if (tell !== undefined) read();
    });
    watcher.on('error', (error) => log.warn('cores are noticed late', { error: error.message }));
  } catch (error) {
    log.warn('cores are noticed late', { error: (error as Error).message });
  }
  return {
    begin(onDump) {
      first = undefined;
      ended.clear();
      tell = onDump;
      return () => {
        tell = undefined;
        read();
        return first;
      };
    },
  };
}

function livingProcess(pid: number): { command: string; parent: number } | undefined {
  try {
    const stat = fs.readFileSync(path.join('/proc', String(pid), 'stat'), 'latin1');
    const end = stat.lastIndexOf(')');
    const [, parent] = stat.slice(end + 2).split(' ');
    return { command: stat.slice(stat.indexOf('(') + 1, end), parent: Number(parent) };
  } catch {
    return undefined;
  }
}
