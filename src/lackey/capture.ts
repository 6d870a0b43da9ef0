/**
 * The files that catch a command's stdout and stderr. Each is made anew for every script, so that a process of an
 * earlier one that still holds its file writes nowhere; and read back through a descriptor taken before the command
 * starts, so that a command that tidies up /var/tmp loses nothing.
 */
import fs from 'node:fs';
import { join } from 'node:path';

export interface Captured {
  /** For the command; closed once that has started. */
  readonly writeEnd: number;
  readonly readEnd: number;
}

/** Replaces what is there. */
export function openCapture(directory: string, name: 'stdout' | 'stderr'): Captured {
  const file = join(directory, name);
  remove(file);
  const writeEnd = fs.openSync(file, 'wx');
  return { writeEnd, readEnd: fs.openSync(file, 'r') };
}

/** Nearly always it is the file of the script before; only a command can have put a directory there. */
function remove(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch {
    fs.rmSync(file, { force: true, recursive: true }); // says what is wrong, if anything is
  }
}

export function sizeOf(capture: Captured): number {
  return fs.fstatSync(capture.readEnd).size;
}

/** When it was made, just before its command started, by the clock that stamps files. */
export function begunMs(capture: Captured): number {
  return fs.fstatSync(capture.readEnd).birthtimeMs;
}

export function readAll(capture: Captured): Buffer {
  const bytes = Buffer.alloc(sizeOf(capture));
  return bytes.subarray(0, fs.readSync(capture.readEnd, bytes, 0, bytes.length, 0));
}
