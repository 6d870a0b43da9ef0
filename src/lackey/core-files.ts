/**
 * Finds the file of a core dump. On Linux its place is the machine's to choose, not the zone's: with a relative pattern
 * it is in the directory that the process was in, under a name that tells nothing for sure. So the zone's own file
 * systems are searched, shallow directories first, for an ELF core that is newer than the command. Its notes tell whose
 * it is and which program that was. Only a task that dumped core pays for the search.
 */
import fs from 'node:fs';
import { basename, join } from 'node:path';
import type { CoreDump } from './cores.js';

export interface CoreFile {
  readonly file: string;
  /** File name of the program, of any characters but a slash. */
  readonly program: string;
}

/** Directories beside the root file system that a command can write to; what is mounted below them is not searched. */
const searched = ['/', '/dev/shm'];
/** A disk holds about this many files per 8 GB. */
const maxEntries = 200_000;

/** @param sinceMs by the clock that stamps files. @returns that of the process named; else the first other core of the task. */
export function findCore(dump: CoreDump, sinceMs: number): CoreFile | undefined {
  return findCoreIn(searched, dump, sinceMs);
}

/** @param tops directories, each searched as far as its file system goes. */
export function findCoreIn(tops: readonly string[], dump: CoreDump, sinceMs: number): CoreFile | undefined {
  let other: CoreFile | undefined;
  for (const top of tops) {
    for (const file of newFiles(top, sinceMs)) {
      const core = readCore(file);
      if (core === undefined) continue;
      const found = { file, program: basename(core.program ?? dump.command) || 'unknown' };
      if (core.pid === dump.pid) return found;
      other ??= found;
    }
  }
  return other;
}

/** Regular files of one file system that were changed since then, breadth first. */
function* newFiles(top: string, sinceMs: number): Generator<string> {
  const device = statOrNothing(top)?.dev;
  const queue = [top];
  let seen = 0;
  for (let directory = queue.shift(); directory !== undefined; directory = queue.shift()) {
    for (const name of namesIn(directory)) {
      if (++seen > maxEntries) return;
      const file = join(directory, name);
      const stat = statOrNothing(file);
      if (stat === undefined || stat.dev !== device) continue;
      if (stat.isDirectory()) queue.push(file);
      else if (stat.isFile() && stat.size > 0 && stat.ctimeMs >= sinceMs) yield file;
    }
  }
}

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}

function statOrNothing(file: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(file);
  } catch {
    return undefined;
  }
}

interface Core {
  readonly pid: number;
  /** As it was executed, possibly with directories. */
  readonly program?: string;
}

/** ELF, of 64 bits and the byte order of all machines that Node runs on here. */
const elfCore = { magic: '7f454c46', class64: 2, littleEndian: 1, typeCore: 4, segmentBytes: 56 } as const;
const segmentTypes = { load: 1, note: 4 } as const;
const noteTypes = { status: 1, auxiliary: 6 } as const;
const auxiliaryProgram = 31; // AT_EXECFN: where the name is that the program was executed by
const statusPidOffset = 32;
const maxNoteBytes = 4 * 1024 * 1024;
const maxNameBytes = 4096;

/** @returns undefined unless the file is an ELF core that tells whose it is. */
export function readCore(file: string): Core | undefined {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    return readElfCore((at, length) => readAt(descriptor, at, length));
  } catch {
    return undefined; // cut short, or made up
  } finally {
    fs.closeSync(descriptor);
  }
}

type Read = (at: number, length: number) => Buffer;

function readAt(descriptor: number, at: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, fs.readSync(descriptor, buffer, 0, length, at));
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  readonly bytes: number;
}

function readElfCore(read: Read): Core | undefined {
  const header = read(0, 64);
  const { magic, class64, littleEndian, typeCore, segmentBytes } = elfCore;
  if (header.length < 64 || header.toString('hex', 0, 4) !== magic) return undefined;
  if (header[4] !== class64 || header[5] !== littleEndian || header.readUInt16LE(16) !== typeCore) return undefined;
  const table = read(Number(header.readBigUInt64LE(32)), header.readUInt16LE(56) * segmentBytes);
  const segments: Segment[] = [];
  for (let at = 0; at + segmentBytes <= table.length; at += segmentBytes) {
    segments.push({
      type: table.readUInt32LE(at),
      offset: Number(table.readBigUInt64LE(at + 8)),
      address: table.readBigUInt64LE(at + 16),
      bytes: Number(table.readBigUInt64LE(at + 32)),
    });
  }
  const notes = segments.find(({ type }) => type === segmentTypes.note);
  if (notes === undefined) return undefined;
  const { pid, programAddress } = readNotes(read(notes.offset, Math.min(notes.bytes, maxNoteBytes)));
  if (pid === undefined) return undefined;
  const holds = ({ type, address, bytes }: Segment) =>
    type === segmentTypes.load && programAddress >= address && programAddress < address + BigInt(bytes);
  const memory = segments.find(holds);
  if (memory === undefined) return { pid };
  const text = read(memory.offset + Number(programAddress - memory.address), maxNameBytes);
  const end = text.indexOf(0);
  return end <= 0 ? { pid } : { pid, program: text.toString('utf8', 0, end) };
}

function readNotes(notes: Buffer): { pid: number | undefined; programAddress: bigint } {
  let pid: number | undefined;
  let programAddress = 0n;
  const padded = (length: number) => Math.ceil(length / 4) * 4;
  for (let at = 0; at + 12 <= notes.length; ) {
    const [nameBytes, bytes, type] = [notes.readUInt32LE(at), notes.readUInt32LE(at + 4), notes.readUInt32LE(at + 8)];
    const start = at + 12 + padded(nameBytes);
    const note = notes.subarray(start, start + bytes);
    if (type === noteTypes.status) pid ??= note.readUInt32LE(statusPidOffset);
    if (type === noteTypes.auxiliary) programAddress = auxiliaryValue(note, auxiliaryProgram);
    at = start + padded(bytes);
  }
  return { pid, programAddress };
}

/** 0 when there is none. */
function auxiliaryValue(vector: Buffer, wanted: number): bigint {
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (Number(vector.readBigUInt64LE(at)) === wanted) return vector.readBigUInt64LE(at + 8);
  }
  return 0n;
}
