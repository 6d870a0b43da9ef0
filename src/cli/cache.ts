/**
 * Results of searches kept in files, one JSON object per line: a report is made from the file, so that it can be made
 * again at once, and so that no list is held in memory. A file is complete or not there: it gets its name at the end.
 * What is found of a job that is not done changes yet: it goes into a file of another name, which is never taken again.
 */
import fs from 'node:fs';
import path from 'node:path';
import VError from 'verror';
import { linesOf } from './lines.js';

/** @throws VError when it cannot be ours alone: what is in it is believed. */
export function cacheDirectory(env: Readonly<Record<string, string | undefined>>, name: string): string {
  const directory = path.join(env['TMPDIR'] || '/var/tmp', name);
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { uid } = fs.lstatSync(directory);
    if (uid !== process.getuid?.())
      throw new VError({ name: 'OwnerError' }, '"%s" belongs to somebody else', directory);
    return directory;
  } catch (error) {
    throw new VError({ name: 'CacheError', cause: error as Error }, 'failed to create cache directory');
  }
}

export interface Fetching {
  /** Whether to search even if the file is there. */
  readonly isForced: boolean;
  /** Whether a later search would find the same. To be asked before the search. */
  readonly isFinal: boolean;
}

/** Writes what the search finds, unless the file is there. @returns the file to read. */
export async function fetchInto(
  file: string,
  { isForced, isFinal }: Fetching,
  objects: () => AsyncIterable<object>,
): Promise<string> {
  if (!isForced && fs.existsSync(file)) return file;
  const incomplete = `${file}.${process.pid}`;
  const complete = isFinal ? file : `${file}.unfinished`;
  const output = await fs.promises.open(incomplete, 'w', 0o600);
  try {
    const lines: string[] = [];
    for await (const object of objects()) {
      lines.push(`${JSON.stringify(object)}\n`);
      if (lines.length >= 500) await output.write(lines.splice(0).join(''));
    }
    await output.write(lines.join(''));
    fs.renameSync(incomplete, complete);
    if (!isFinal) fs.rmSync(file, { force: true });
    return complete;
  } finally {
    await output.close();
    fs.rmSync(incomplete, { force: true });
  }
}

export async function* objectsIn<Value>(file: string): AsyncGenerator<Value> {
  for await (const line of linesOf(fs.createReadStream(file))) yield JSON.parse(line);
}

/** File names are made of it. */
export function isPlainId(text: string): boolean {
  return /^[\w-]+$/.test(text);
}
