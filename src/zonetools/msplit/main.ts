/**
 * msplit: deals the lines of its stdin out to the reducers of the next phase. Everything is staged first, one file per
 * reducer, so that input that turns out to be bad emits nothing; then every reducer gets its object, an empty one too.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Gzip } from 'node:zlib';
import { BadInput, createChooser } from './keys.js';
import { readLines } from './lines.js';
import { type MsplitOptions, readOptions, usage } from './options.js';

const maxUploads = 25;
/** Lines are gathered to this many characters per reducer before they are written. */
const gatheredLength = 64 * 1024;

async function split(options: MsplitOptions): Promise<readonly string[]> {
  const choose = createChooser(options);
  const files = Array.from({ length: options.reducerCount }, (_, index) => `/var/tmp/msplit.${process.pid}.${index}`);
  const createGzip = options.gzip ? (await import('node:zlib')).createGzip : undefined;
  const buckets = files.map((file) => openBucket(file, createGzip?.()));
  try {
    for await (const line of readLines(process.stdin)) await buckets[choose(line)]?.add(`${line}\n`);
    for (const bucket of buckets) await bucket.close();
  } catch (error) {
    for (const file of files) fs.rmSync(file, { force: true });
    throw error;
  }
  return files;
}

interface Bucket {
  /** Resolves when there is room for more. */
  add(line: string): Promise<void> | undefined;
  close(): Promise<void>;
}

function openBucket(file: string, gzip: Gzip | undefined): Bucket {
  const output = fs.createWriteStream(file);
  const input = gzip ?? output;
  gzip?.pipe(output);
  const closed = finished(output);
  closed.catch(() => {}); // thrown by close
  let gathered = '';
  const flush = async () => {
    const text = gathered;
    gathered = '';
    // A file that cannot be written takes no more from gzip, which then waits for ever.
    if (!input.write(text)) await Promise.race([once(input, 'drain'), closed]);
  };
  return {
    add(line) {
      gathered += line;
      return gathered.length < gatheredLength ? undefined : flush();
    },
    async close() {
      input.end(gathered);
      await closed;
    },
  };
}

async function emitAll(files: readonly string[], { outputBase, url }: MsplitOptions): Promise<void> {
  const { emitFile } = await import('../objects/emit.js'); // with all of HTTP: not before it is needed
  const id = randomUUID();
  const waiting = [...files.entries()];
  const worker = async () => {
    for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
      const [reducer, file] = entry;
      await emitFile({ url, file, name: `${outputBase}${id}.${reducer}`, reducer });
      fs.rmSync(file);
    }
  };
  await Promise.all(Array.from({ length: Math.min(maxUploads, files.length) }, worker));
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (typeof options === 'string') {
    process.stderr.write(`msplit: ${options}\n\n${usage}`);
    return 2;
  }
  let files: readonly string[];
  try {
    files = await split(options);
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    process.stderr.write(`msplit: ${error.message}\n`);
    return 1;
  }
  try {
    await emitAll(files, options);
  } catch (error) {
    const line = { name: 'msplit', level: 50, msg: 'Error uploading file', err: { message: (error as Error).message } };
    process.stderr.write(`${JSON.stringify({ ...line, time: new Date().toISOString(), v: 0 })}\n`);
    return 1;
  }
  return 0;
}

process.exitCode = 1; // what ends before its time has not succeeded
main().then((status) => {
  process.exitCode = status;
});
