/**
 * Objects appear in a zone without being copied: the object's file is hard-linked into the zone's farm, a directory that
 * the zone sees read-only as /manta. A link made while the zone runs is there at once; a program that holds the file open
 * keeps it when the link goes. `link` wants both on one *mount*, not only on one file system, and an inode takes 65,000
 * links on ext4: where the kernel refuses, the object is cloned if the file system can, else copied.
 *
 * Every task pays for a link and its removal: a dozen system calls of microseconds each, made at once. As promises each
 * would travel through a thread and back, which cost 3 ms of processor time per task (measured).
 */
import fsSync, { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import VError from 'verror';
import { nameComponents } from './careful-files.js';
import { removeTree } from './remove-tree.js';

/** Refusals that say "not by a link", as opposed to "no such object". EPERM: protected_hardlinks. */
const cannotLink = new Set(['EXDEV', 'EMLINK', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP']);

export async function makeFarm(farm: string): Promise<void> {
  await fs.mkdir(farm, { recursive: true });
  await fs.chmod(farm, 0o755);
}

/**
 * @param source on the host; null is the empty object. @param name as in `/login/stor/…`.
 * @returns the components joined by slashes, with one in front. @throws VError `ObjectMissingError`, caused by ENOENT.
 */
export async function linkIntoFarm(farm: string, source: string | null, name: string): Promise<string> {
  const parts = nameComponents(name);
  const relative = parts.join('/');
  const target = path.join(farm, relative);
  makeDirectories(farm, parts.slice(0, -1));
  fsSync.rmSync(target, { force: true });
  try {
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
  return `/${relative}`;
}

/** The farm itself stays: it is mounted. */
export async function clearFarm(farm: string): Promise<void> {
  let entries: string[] = [];
  try {
    if (clearChain(farm, deepestName)) return;
  } catch {
    // Tampered with, or never made: what follows is slower, and says what is wrong.
  }
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

/** More components than any object name that can be linked. */
const deepestName = 600;

/** Empties a directory that holds what one mapping makes: directories in each other and a file. @returns whether it did. */
function clearChain(directory: string, depth: number): boolean {
  const [entry, ...others] = fsSync.readdirSync(directory, { withFileTypes: true });
  if (entry === undefined) return true;
  if (others.length > 0 || depth === 0) return false;
  const inside = path.join(directory, entry.name);
  if (!entry.isDirectory()) fsSync.unlinkSync(inside);
  else if (clearChain(inside, depth - 1)) fsSync.rmdirSync(inside);
  else return false;
  return true;
}

/** Modes are set by hand: the agent's umask must not hide objects from the zone. */
function makeDirectories(farm: string, parts: readonly string[]): void {
  let directory = farm;
  for (const part of parts) {
    directory = path.join(directory, part);
    try {
      fsSync.mkdirSync(directory);
      fsSync.chmodSync(directory, 0o755);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
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
