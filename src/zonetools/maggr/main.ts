/**
 * maggr: computes sums, means and the like of the columns of its input, by groups of rows that have the same key.
 *
 * Text is handled byte by byte (as latin1), so that what is passed through leaves as it came, whatever its encoding.
 */
import fs from 'node:fs';
import { endWithStandardOutput } from '../../common/standard-output.js';
import { createGroups } from './groups.js';
import { operationNames } from './operations.js';
import { type MaggrOptions, readOptions, UsageError, usage } from './options.js';

const chunkBytes = 256 * 1024;

/** Ended by LF; the last one needs no end. */
function* readLines(descriptor: number): Generator<string> {
  const buffer = Buffer.alloc(chunkBytes);
  let rest = '';
  for (;;) {
    const count = readSome(descriptor, buffer);
    if (count === 0) break;
    const lines = buffer.toString('latin1', 0, count).split('\n');
    lines[0] = rest + (lines[0] ?? '');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** Reading without events is twice as fast; a stdin that is not ready just waits. */
function readSome(descriptor: number, buffer: Buffer): number {
  for (;;) {
    try {
      return fs.readSync(descriptor, buffer, 0, buffer.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** @returns the exit status. */
function aggregate(options: MaggrOptions): number {
  const groups = createGroups(options);
  let status = 0;
  for (const line of readLines(options.file === undefined ? 0 : fs.openSync(options.file, 'r'))) {
    const column = groups.addRow(line);
    if (column === undefined) continue;
    status = 1;
    process.stderr.write(`Non-number in non-key column ${column}. line: ${line}\n`, 'latin1');
  }
  let gathered = '';
  for (const line of groups.lines()) {
    gathered += `${line}\n`;
    if (gathered.length < chunkBytes) continue;
    process.stdout.write(gathered, 'latin1');
    gathered = '';
  }
  process.stdout.write(gathered, 'latin1');
  return status;
}

function main(args: readonly string[]): number {
  try {
    const options = readOptions(args.map((arg) => Buffer.from(arg).toString('latin1')));
    if (options !== 'list') {
      return aggregate({
        ...options,
        ...(options.file === undefined ? {} : { file: Buffer.from(options.file, 'latin1').toString() }),
      });
    }
    process.stderr.write(`${operationNames.join(' ')}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`Error: ${error.message}\n${usage}`, 'latin1');
    return 2;
  }
}

endWithStandardOutput('maggr');
process.exitCode = main(process.argv.slice(2));
