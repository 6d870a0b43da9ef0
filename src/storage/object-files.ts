/**
 * Objects on disk: theory of operation. Bytes are written once, under a name that nobody reads (`.tmp/…`), and get their
 * real name, `<creator>/<objectid>`, when nothing can be lost any more:
 *
 *   write .tmp/X -> digest right? -> mode 0444 -> fsync X -> rename -> fsync of the directory -> only now: success
 *
 * So a reader never sees half an object, a crash at any instant leaves either nothing or a file in `.tmp` (removed at
 * the next start), and what was answered with success survives a power failure. Agents, and user commands through them,
 * read the files directly: directories are 0755 and files 0444 whatever the umask. Names are two UUIDs and nothing else,
 * so that no request leads anywhere else.
 *
 * Most objects are small, and there are many of them: a step that only touches memory (a few bytes into the page cache,
 * a rename) is done at once, because it takes a tenth of what handing it to a thread does. What waits for the disk, the
 * two fsyncs, always goes to a thread; objects that end together share the one of their directory.
 */
import crypto from 'node:crypto';
import fsNow from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { shareRuns } from '../common/share-runs.js';
import { customHttpError } from '../http/errors.js';

export interface ObjectName {
  readonly creator: string;
  readonly objectId: string;
}

export interface StoredBytes {
  /** Base64. */
  readonly md5: string;
  readonly sizeBytes: number;
  /** There was an object of this name already. */
  readonly replaced: boolean;
}

export interface OpenedObject {
  /** The caller closes it. */
  readonly handle: FileHandle;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

export interface FoundObject extends ObjectName {
  readonly mtimeMs: number;
}

export interface Space {
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** To ordinary users. */
  readonly availableBytes: number;
}

export interface ObjectFiles {
  /** Makes what is missing and removes what uploads that died have left. First call of all. */
  prepare(): Promise<void>;
  /**
   * Takes in a whole object. What fails leaves nothing behind.
   * @param expectedMd5 base64. @throws VError that says how to answer: 469 wrong digest, 507 no room.
   */
  receive(name: ObjectName, body: AsyncIterable<Uint8Array>, expectedMd5?: string): Promise<StoredBytes>;
  /** The same for a small object, which is in memory already: at most `smallBytes`. */
  receiveSmall(name: ObjectName, bytes: Buffer, expectedMd5?: string): Promise<StoredBytes>;
  /** null: no such object. */
  open(name: ObjectName): Promise<OpenedObject | null>;
  /** Safe to repeat. @returns whether there was something to remove. */
  remove(name: ObjectName): Promise<boolean>;
  walk(): AsyncIterable<FoundObject>;
  space(): Promise<Space>;
}

/** Up to this size an object is taken in whole before it is written. */
export const smallBytes = 64 * 1024;

/** Creators whose directory is known to be there, and to stay after a power failure. */
const maxRememberedCreators = 10_000;

const fsync = promisify(fsNow.fsync);

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

export function createObjectFiles(root: string): ObjectFiles {
  const temporary = path.join(root, '.tmp');
  const pathOf = ({ creator, objectId }: ObjectName) => path.join(root, creator, objectId);

  async function write(file: string, body: AsyncIterable<Uint8Array>, expectedMd5?: string) {
    const digest = crypto.createHash('md5');
    let sizeBytes = 0;
    const handle = await fs.open(file, 'wx', 0o600);
    try {
      for await (const chunk of body) {
        digest.update(chunk);
        sizeBytes += chunk.length;
        await writeWhole(handle, chunk);
      }
      const md5 = digest.digest('base64');
      if (expectedMd5 !== undefined && expectedMd5 !== md5) throw wrongDigest(expectedMd5, md5);
      await handle.chmod(0o444);
      await handle.sync();
      return { md5, sizeBytes };
    } finally {
      await handle.close();
    }
  }

  async function writeSmall(file: string, bytes: Buffer, expectedMd5?: string) {
    const md5 = crypto.createHash('md5').update(bytes).digest('base64');
    if (expectedMd5 !== undefined && expectedMd5 !== md5) throw wrongDigest(expectedMd5, md5);
    const descriptor = fsNow.openSync(file, 'wx', 0o600);
    try {
      for (let offset = 0; offset < bytes.length; ) offset += fsNow.writeSync(descriptor, bytes, offset);
      fsNow.fchmodSync(descriptor, 0o444);
      await fsync(descriptor);
      return { md5, sizeBytes: bytes.length };
    } finally {
      fsNow.closeSync(descriptor);
    }
  }

  const syncDirectory = shareRuns(syncOnce);
  const lastingCreators = new Set<string>();

  /** Remembered, but not believed: whoever finds the directory gone after all calls `makeLasting` again. */
  async function makeLasting(creator: string): Promise<void> {
    await makeDirectory(path.join(root, creator));
    await syncDirectory(root); // also when it was there: who made it may have been killed before this
    if (lastingCreators.size >= maxRememberedCreators) lastingCreators.clear();
    lastingCreators.add(creator);
  }

  /** @returns whether another file had the name. */
  async function giveName(file: string, name: ObjectName): Promise<boolean> {
    const { creator } = name;
    if (!lastingCreators.has(creator)) await makeLasting(creator);
    const final = pathOf(name);
    const replaced = fsNow.existsSync(final);
    try {
      fsNow.renameSync(file, final);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await makeLasting(creator);
      fsNow.renameSync(file, final);
    }
    await syncDirectory(path.join(root, creator));
    return replaced;
  }

  async function take(name: ObjectName, write: (file: string) => Promise<Omit<StoredBytes, 'replaced'>>) {
    const file = path.join(temporary, crypto.randomUUID());
    try {
      const written = await write(file);
      return { ...written, replaced: await giveName(file, name) };
    } catch (error) {
      await fs.rm(file, { force: true });
      throw isFull(error) ? noRoom(error, root) : error;
    }
  }

  return {
    async prepare() {
      await fs.mkdir(path.dirname(root), { recursive: true });
      await makeDirectory(root);
      await fs.rm(temporary, { recursive: true, force: true });
      await fs.mkdir(temporary, { mode: 0o700 });
    },
    receive: (name, body, expectedMd5) => take(name, (file) => write(file, body, expectedMd5)),
    receiveSmall: (name, bytes, expectedMd5) => take(name, (file) => writeSmall(file, bytes, expectedMd5)),
    async open(name) {
      const handle = await fs.open(pathOf(name), 'r').catch(nullIfMissing);
      if (handle === null) return null;
      const { size, mtimeMs } = await handle.stat();
      return { handle, sizeBytes: size, mtimeMs };
    },
    async remove(name) {
      const removed = await fs.unlink(pathOf(name)).catch(nullIfMissing);
      return removed !== null;
    },
    async *walk() {
      for await (const directory of await fs.opendir(root)) {
        if (!directory.isDirectory() || !isUuid(directory.name)) continue;
        for await (const { name } of await fs.opendir(path.join(root, directory.name))) {
          if (!isUuid(name)) continue;
          const stat = await fs.stat(path.join(root, directory.name, name)).catch(nullIfMissing);
          if (stat !== null) yield { creator: directory.name, objectId: name, mtimeMs: stat.mtimeMs };
        }
      }
    },
    space: () => spaceOf(root),
  };
}

/** Of the file system that the directory is on. */
export async function spaceOf(directory: string): Promise<Space> {
  const { bsize, blocks, bfree, bavail } = await fs.statfs(directory);
  return { totalBytes: blocks * bsize, usedBytes: (blocks - bfree) * bsize, availableBytes: bavail * bsize };
}

export function noRoom(cause: unknown, root: string): Error {
  const message = `no space left on the disk of "${root}"`;
  return customHttpError({ statusCode: 507, code: 'InsufficientStorage', message }, cause as Error);
}

function wrongDigest(expected: string, computed: string): Error {
  const message = `Content-MD5 expected ${computed}, but was ${expected}`;
  return customHttpError({ statusCode: 469, code: 'ContentMD5Mismatch', message });
}

async function writeWhole(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.length; ) {
    const { bytesWritten } = await handle.write(chunk, offset);
    offset += bytesWritten;
  }
}

/** When it is made now its mode is 0755, whatever the umask. */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await fs.mkdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  await fs.chmod(directory, 0o755);
}

async function syncOnce(directory: string): Promise<void> {
  const descriptor = fsNow.openSync(directory, 'r');
  try {
    await fsync(descriptor);
  } finally {
    fsNow.closeSync(descriptor);
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function nullIfMissing(error: NodeJS.ErrnoException): null {
  if (isMissing(error)) return null;
  throw error;
}

function isFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
