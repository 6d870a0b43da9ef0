/**
 * Objects appear in a zone without being copied: the object's file is hard-linked into the zone's farm, a directory that
 * the zone sees read-only as /manta. A link made while the zone runs is there at once; a program that holds the file open
 * keeps it when the link goes. `link` wants both on one *mount*, not only on one file system, and an inode takes 65,000
 * links on ext4: where the kernel refuses, the object is cloned if the file system can, else copied.
 *
 * Every task pays for a link and its removal: a few system calls of microseconds each, made at once. As promises each
 * would travel through a thread and back, which cost 3 ms of processor time per task (measured). Making and removing
 * directories waits for the journal of the file system, so those of the object before stay for the next one, whose
 * name is most often alike: while an object is mapped there are its own directories and no others.
 */
import fsSync, { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import VError from 'verror';
import { nameComponents } from './careful-files.js';
import { removeTree } from './remove-tree.js';

/** Refusals that say "not by a link", as opposed to "no such object". EPERM: protected_hardlinks. */
const cannotLink = new Set(['EXDEV', 'EMLINK', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP']);

export interface Farm {
  /** Safe to repeat; what is there stays. */
  make(): Promise<void>;
  /**
   * @param source on the host; null is the empty object. @param name as in `/login/stor/…`.
   * @returns the components joined by slashes, with one in front. @throws VError `ObjectMissingError`, caused by ENOENT.
   */
  link(source: string | null, name: string): Promise<string>;
  /** Removes the objects. Directories may be left until the next `link` or `clear`. */
  unlink(): Promise<void>;
  /** Removes everything, also what others made there. The farm itself stays: it is mounted. */
  clear(): Promise<void>;
}

/** What is in a farm: directories in each other, and an object in the last one or nothing. */
interface Chain {
  readonly directories: readonly string[];
  readonly object: string | null;
}

const emptyChain: Chain = { directories: [], object: null };

export function createFarm(farm: string): Farm {
  /** null: something else, or unknown. */
  let content: Chain | null = null;

  async function clear(): Promise<void> {
    content = null;
    await emptyDirectory(farm);
    content = emptyChain;
  }

  /** @returns how many of the directories are there and alone; null when the farm holds objects, or who knows what. */
  async function keepShared(directories: readonly string[]): Promise<number | null> {
    if (content === null || content.object !== null) return null;
    const before = content.directories;
    const shared = sharedLength(before, directories);
    content = null;
    try {
      removeChain(farm, before, shared);
      return shared;
    } catch {
      await clear(); // somebody else put something there
      return 0;
    }
  }

  return {
    clear,
    async make() {
      content = null;
      await fs.mkdir(farm, { recursive: true });
      await fs.chmod(farm, 0o755);
    },
    async link(source, name) {
      const parts = nameComponents(name);
      const directories = parts.slice(0, -1);
      const shared = await keepShared(directories);
      content = null;
      makeDirectories(farm, directories, shared ?? 0);
      const relative = parts.join('/');
      await place(source, path.join(farm, relative), relative);
      if (shared !== null) content = { directories, object: relative };
      return `/${relative}`;
    },
    async unlink() {
      if (content === null) return clear();
      const { directories, object } = content;
      if (object === null) return;
      content = null;
      try {
        fsSync.unlinkSync(path.join(farm, object));
      } catch {
        return clear(); // tampered with: that is slower, and says what is wrong
      }
      content = { directories, object: null };
    },
  };
}

async function emptyDirectory(farm: string): Promise<void> {
  let entries: string[] = [];
  try {
    entries = await fs.readdir(farm);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  for (const entry of entries) {
    const tree = path.join(farm, entry);
    await fs.rm(tree, { recursive: true, force: true }).catch(() => removeTree(tree)); // if it was tampered with
  }
}

function sharedLength(some: readonly string[], others: readonly string[]): number {
  const different = some.findIndex((part, index) => part !== others[index]);
  return different < 0 ? some.length : different;
}

/** Removes empty directories, the innermost first, until `kept` are left. */
function removeChain(farm: string, directories: readonly string[], kept: number): void {
  for (let length = directories.length; length > kept; length--) {
    fsSync.rmdirSync(path.join(farm, ...directories.slice(0, length)));
  }
}

/** Modes are set by hand: the agent's umask must not hide objects from the zone. @param there as many exist. */
function makeDirectories(farm: string, parts: readonly string[], there: number): void {
  for (let length = there + 1; length <= parts.length; length++) {
    const directory = path.join(farm, ...parts.slice(0, length));
    try {
      fsSync.mkdirSync(directory);
      fsSync.chmodSync(directory, 0o755);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

async function place(source: string | null, target: string, relative: string): Promise<void> {
  try {
    if (fsSync.existsSync(target)) fsSync.rmSync(target);
    if (source === null) fsSync.writeFileSync(target, '', { mode: 0o444 });
    else await linkOrCopy(source, target);
  } catch (error) {
    throw new VError(
      { name: 'ObjectMissingError', cause: error as Error },
      'cannot map "%s" as "/manta/%s"',
      source,
      relative,
    );
  }
}

async function linkOrCopy(source: string, target: string): Promise<void> {
  try {
    fsSync.linkSync(source, target);
  } catch (error) {
    if (!cannotLink.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await fs.copyFile(source, target, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    await fs.chmod(target, 0o444);
  }
}
