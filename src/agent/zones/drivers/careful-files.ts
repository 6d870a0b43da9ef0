/**
 * Reading and writing below a directory that untrusted programs can change, without ever following a symbolic link of
 * theirs: each component is opened relative to the descriptor of the one before, and links are refused. Checking the
 * path first and using it afterwards would lose the race against a program that swaps a directory for a link.
 */
import { constants } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import VError from 'verror';

/** Who owns what is created, and with which mode (exact, whatever the umask). */
export interface Creation {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Ceiling of a copied log: its writer is not trusted to be brief. */
const maxCopiedBytes = 16 * 1024 * 1024;
const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Splits a name with slashes; empty and `.` components are dropped.
 * @throws VError `InvalidNameError` when the name is empty, holds `..` or a zero byte.
 */
export function nameComponents(name: string): string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length === 0 || parts.includes('..') || name.includes('\0'))
    throw new VError({ name: 'InvalidNameError' }, 'the name %j does not stay in its directory', name);
  return parts;
}

/** Creates or replaces the file `root/name`; directories on the way are made as needed. */
export async function writeFileBelow(
  root: string,
  name: string,
  content: AsyncIterable<Uint8Array>,
  creation: Creation,
): Promise<void> {
  const parts = nameComponents(name);
  const file = parts.pop() ?? '';
  const directory = await openBelow(root, parts, { ...creation, mode: 0o755 });
  try {
    const target = within(directory, file);
    await fs.rm(target, { force: true });
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const handle = await fs.open(target, flags, 0o600);
    try {
      await fs.writeFile(handle, content);
      await handle.chown(creation.uid, creation.gid);
      await handle.chmod(creation.mode);
    } finally {
      await handle.close();
    }
  } finally {
    await directory.close();
  }
}

/** Makes the directory `root/name`, and those above it, as far as they are not there. */
export async function makeDirectoryBelow(root: string, name: string, creation: Creation): Promise<void> {
  const directory = await openBelow(root, nameComponents(name), creation);
  await directory.close();
}

/** Copies the regular file `root/name` to `toFile`, at most its first 16 MiB. */
export async function copyFileFrom(root: string, name: string, toFile: string): Promise<void> {
  const parts = nameComponents(name);
  const file = parts.pop() ?? '';
  const directory = await openBelow(root, parts, null);
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK; // a FIFO must not hold us up
    const handle = await fs.open(within(directory, file), flags);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new VError('"%s" below "%s" is no regular file', name, root);
      if (stat.nlink !== 1) throw new VError('"%s" below "%s" has another name elsewhere', name, root);
      const source = handle.createReadStream({ start: 0, end: maxCopiedBytes - 1, autoClose: false });
      await fs.writeFile(toFile, source, { mode: 0o600 });
    } finally {
      await handle.close();
    }
  } finally {
    await directory.close();
  }
}

function within(directory: FileHandle, component: string): string {
  return `/proc/self/fd/${directory.fd}/${component}`;
}

async function openBelow(root: string, parts: readonly string[], creation: Creation | null): Promise<FileHandle> {
  let current = await fs.open(root, directoryFlags);
  for (const part of parts) {
    const parent = current;
    try {
      current = await openDirectory(within(parent, part), creation);
    } finally {
      await parent.close();
    }
  }
  return current;
}

async function openDirectory(path: string, creation: Creation | null): Promise<FileHandle> {
  if (creation === null) return fs.open(path, directoryFlags);
  const made = await fs.mkdir(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
  const handle = await fs.open(path, directoryFlags);
  if (made) {
    await handle.chown(creation.uid, creation.gid);
    await handle.chmod(creation.mode);
  }
  return handle;
}
