/**
 * The disk of a zone: a file system of the size that its user may fill, new for each life of the zone.
 *
 * It is a sparse ext4 image on a loop device, mounted in the agent's own mount namespace: what is written beyond its
 * size fails with ENOSPC, what is not written costs nothing, and files are limited in number as well. When the agent
 * dies, the namespace goes, with it the mount, and with that the loop device, which clears itself. An image of each size
 * is made once, empty, and copied, which takes a tenth of the time. It has no journal: no zone survives a crash.
 *
 * Another size needs another disk: ext4 cannot shrink while mounted. Before an image is unmounted its files are removed,
 * for else the kernel would first write them all to a file that is about to go.
 *
 * Where no image can be mounted (without root, or without loop devices) the disk is a directory, and has no limit.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import VError from 'verror';
import { runCommand } from '../commands.js';
import { removeTree } from '../remove-tree.js';
import type { MountSpace } from './mount-space.js';

export interface Disk {
  readonly sizeGb: number;
  /** Its top, for the agent. */
  readonly root: string;
  /** The same for programs in the agent's mount namespace. */
  readonly mounted: string;
  /** Nothing may run on it any more. */
  remove(): Promise<void>;
}

export interface Disks {
  /** Whether disks have the size they are asked for, so that another size takes another disk. */
  readonly limited: boolean;
  /** @param name of this life of the zone. What a failed call leaves is below `directory`. */
  make(zone: string, name: string, sizeGb: number): Promise<Disk>;
}

export interface DirectoryDisks {
  /** Where a zone's disks are kept. */
  readonly directory: (zone: string) => string;
  readonly mountSpace: MountSpace | null;
}

/** Without a limit. */
export function directoryDisks({ directory, mountSpace }: DirectoryDisks): Disks {
  return {
    limited: false,
    async make(zone, name, sizeGb) {
      const root = path.join(directory(zone), name);
      const mounted = mountSpace === null ? root : path.join(mountSpace.place(zone), name);
      return { sizeGb, root, mounted, remove: () => removeTree(root) };
    },
  };
}

const makeFileSystem = [
  '-q',
  ...['-O', '^has_journal,^resize_inode'],
  ...['-i', '65536'], // bytes for each file that can be made
  ...['-m', '0'],
  ...['-E', 'lazy_itable_init=1,nodiscard'],
];
const mountOptions = 'loop,nosuid,nodev,noatime,noinit_itable,barrier=0';
/** Copies the empty image "$1" to "$2" and mounts it at "$3". */
const mountScript = `cp --sparse=always -- "$1" "$2" && mount -t ext4 -o ${mountOptions} "$2" "$3"`;
const removeScript =
  'find "$2" -mindepth 1 -maxdepth 1 -exec rm -rf --one-file-system -- {} +; umount "$2" || umount -l "$2"; rm -f -- "$1"; rmdir -- "$2"';

export interface ImageDisks {
  readonly directory: (zone: string) => string;
  readonly mountSpace: MountSpace;
  /** For the empty images. */
  readonly emptyDirectory: string;
}

/** @throws VError `DiskError` when no image can be mounted here; then nothing is left of the attempt. */
export async function imageDisks({ directory, mountSpace, emptyDirectory }: ImageDisks): Promise<Disks> {
  const empty = new Map<number, Promise<string>>();
  const run = (script: string, ...argv: string[]) => {
    const [program = '', ...enter] = [...mountSpace.enter, 'bash', '--norc', '-c', script, 'disk', ...argv];
    return runCommand(program, enter);
  };

  async function makeEmpty(sizeGb: number): Promise<string> {
    const image = path.join(emptyDirectory, `empty-${sizeGb}g.img`);
    await fs.rm(image, { force: true });
    const handle = await fs.open(image, 'wx', 0o600);
    await handle.truncate(sizeGb * 2 ** 30);
    await handle.close();
    await runCommand('mkfs.ext4', [...makeFileSystem, image]);
    await runCommand('debugfs', ['-w', '-R', 'rmdir lost+found', image]);
    return image;
  }

  function emptyImage(sizeGb: number): Promise<string> {
    const known = empty.get(sizeGb) ?? makeEmpty(sizeGb);
    empty.set(sizeGb, known);
    known.catch(() => empty.delete(sizeGb)); // the next call tries again
    return known;
  }

  async function make(zone: string, name: string, sizeGb: number): Promise<Disk> {
    const image = path.join(directory(zone), `${name}.img`);
    const mounted = path.join(mountSpace.place(zone), name);
    await fs.mkdir(path.join(directory(zone), name));
    await run(mountScript, await emptyImage(sizeGb), image, mounted);
    return {
      sizeGb,
      root: mountSpace.seen(mounted),
      mounted,
      remove: async () => {
        await run(removeScript, image, mounted);
      },
    };
  }

  await fs.mkdir(emptyDirectory, { recursive: true, mode: 0o700 });
  return { limited: true, make };
}

/** @throws VError `DiskError` when no image can be mounted. */
export async function tryImageDisks(disks: Disks, zone: string): Promise<void> {
  try {
    await (await disks.make(zone, 'try', 1)).remove();
  } catch (error) {
    const hint = 'needs mkfs.ext4 ("apt-get install e2fsprogs") and loop devices';
    throw new VError({ name: 'DiskError', cause: error as Error }, 'no file system image can be mounted (%s)', hint);
  }
}
