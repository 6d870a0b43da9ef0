/**
 * Images other than `host`: root file systems in `imagesDir`, one directory each, called NAME-VERSION. A zone gets one
 * as the lower layer of an overlay whose upper layer is the zone's own disk. On disk an image stays as it is, owned by
 * root, and serves all zones at once: each sees it through a mount that shifts ids to those of the zone. That takes
 * three system calls (open_tree, mount_setattr, move_mount; Linux 5.19 for a lower layer), which perl makes where
 * mount(8) is too old to know the option.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import semver from 'semver';
import type { Logger } from '../../../../common/logging.js';
import type { ZoneImage } from '../../driver.js';
import { makeDirectoryBelow, writeFileBelow } from '../careful-files.js';
import { runCommand } from '../commands.js';
import { idsPerZone } from './bundle.js';
import type { Disk } from './disks.js';
import type { MountSpace } from './mount-space.js';
import { memoryFile } from './skeleton.js';

export interface ImageDirectory extends ZoneImage {
  readonly directory: string;
}

/** @returns those with a name that tells a version; others are logged and left alone. */
export async function findImages(directory: string, log: Logger): Promise<ImageDirectory[]> {
  const found: ImageDirectory[] = [];
  for (const entry of (await fs.readdir(directory)).sort()) {
    const [, name = '', version = ''] = entry.match(/^(.+?)-(\d+\..*)$/) ?? [];
    const image = path.join(directory, entry);
    if (semver.valid(version) === null || !(await fs.stat(image)).isDirectory())
      log.warn({ image }, 'this is no image: its name is not NAME-VERSION, with a version like 1.2.3');
    else found.push({ name, version, directory: image });
  }
  return found;
}

/** Root file system of a life of a zone. */
export interface Root {
  /** Its top, for the agent. */
  readonly root: string;
  /** The same for programs in the agent's mount namespace. */
  readonly mounted: string;
  /** Nothing may run in it any more. */
  close(): Promise<void>;
}

/**
 * Mounts directory `$1` at `$2`, read-only, with ids 0 and on shown as `$3` and on, `$4` of them. The mapping is that of
 * a user namespace, which a child process makes and keeps for as long as it takes. Numbers of
 * calls are those of asm/unistd.h.
 */
const mountShifted = `
my ($source, $target, $base, $count, $unshare) = @ARGV;
pipe(my $there_r, my $there_w); pipe(my $done_r, my $done_w);
my $child = fork // die "fork: $!\\n";
if ($child == 0) {
  close $done_w; syscall($unshare, 0x10000000) == 0 or exit 1;
  syswrite $there_w, "x"; sysread $done_r, my $x, 1; exit 0;
}
close $there_w; sysread($there_r, my $x, 1) or die "no user namespace\\n";
for my $map ("uid_map", "gid_map") {
  open(my $file, ">", "/proc/$child/$map") or die "$map: $!\\n";
  syswrite($file, "0 $base $count\\n") or die "$map: $!\\n";
}
open(my $ns, "<", "/proc/$child/ns/user") or die "user namespace: $!\\n";
my $tree = syscall(428, -100, $source, 0x80001); $tree >= 0 or die "open_tree: $!\\n";
my $itself = ""; my $attributes = pack("Q4", 0x100001, 0, 0, fileno $ns);
syscall(442, $tree, $itself, 0x1000, $attributes, 32) == 0 or die "mount_setattr: $!\\n";
syscall(429, $tree, $itself, -100, $target, 4) == 0 or die "move_mount: $!\\n";
close $done_w; waitpid $child, 0;
`;
const unshareCall: Readonly<Record<string, number>> = { x64: 272, arm64: 97 };
/** Arguments: the program above, IMAGE LOWER UPPER WORK MERGED, and its last three. */
const mountScript = `perl -e "$1" -- "$2" "$3" "$7" "$8" "$9" &&
  mount -t overlay -o "nosuid,nodev,noatime,lowerdir=$3,upperdir=$4,workdir=$5" overlay "$6"`;
const closeScript = 'umount "$1" || umount -l "$1"; umount "$2" || umount -l "$2"; rmdir -- "$1" "$2"';

export interface OverlayOptions {
  readonly space: MountSpace;
  readonly zone: string;
  /** Of this life of the zone. */
  readonly name: string;
  readonly image: ImageDirectory;
  readonly disk: Disk;
  readonly uidBase: number;
}

/** @throws VError `CommandError` when the kernel cannot do it. */
export async function overlayRoot({ space, zone, name, image, disk, uidBase }: OverlayOptions): Promise<Root> {
  const place = (suffix: string) => path.join(space.place(zone), `${name}.${suffix}`);
  const [lower, merged] = [place('lower'), place('root')];
  for (const directory of [lower, merged]) await fs.mkdir(space.seen(directory), { mode: 0o755 });
  for (const layer of ['upper', 'work']) {
    const directory = path.join(disk.root, layer);
    await fs.mkdir(directory);
    await fs.chmod(directory, 0o755);
    await fs.chown(directory, uidBase, uidBase);
  }
  const layers = [lower, path.join(disk.mounted, 'upper'), path.join(disk.mounted, 'work'), merged];
  const ids = [uidBase, idsPerZone, unshareCall[process.arch] ?? 0].map(String);
  const run = (script: string, ...argv: string[]) => {
    const [program = '', ...enter] = [...space.enter, 'bash', '--norc', '-c', script, 'root', ...argv];
    return runCommand(program, enter);
  };
  const close = async () => {
    await run(closeScript, merged, lower);
  };
  try {
    await run(mountScript, mountShifted, image.directory, ...layers, ...ids);
  } catch (error) {
    await close().catch(() => {}); // the cause says more
    throw error;
  }
  return { root: space.seen(merged), mounted: merged, close };
}

const directories = ['assets', 'dev', 'manta', 'opt/local/bin', 'opt/marlin', 'proc', 'run/.marlin', 'var/svc/log'];

export interface Dressing {
  readonly root: string;
  readonly zone: string;
  readonly version: string;
  readonly memoryMb: number;
  readonly resolver: string;
  readonly uidBase: number;
}

/** What a zone has of its own in the root of an image: never through the image's links, which may lead anywhere. */
export async function dressImage({ root, zone, version, memoryMb, resolver, uidBase }: Dressing): Promise<void> {
  const creation = { uid: uidBase, gid: uidBase, mode: 0o755 };
  for (const directory of directories) await makeDirectoryBelow(root, directory, creation);
  const files: readonly (readonly [name: string, content: string])[] = [
    ['etc/hosts', `127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 ${zone}\n`],
    ['etc/hostname', `${zone}\n`],
    ['etc/resolv.conf', resolver],
    ['etc/motd', `Marlin compute zone, image ${version}\n`],
    [memoryFile, `${memoryMb}\n`],
  ];
  for (const [name, content] of files) await writeFileBelow(root, name, chunk(content), { ...creation, mode: 0o644 });
  const links: readonly (readonly [name: string, target: string])[] = [
    [`run/.marlin.${zone}.sock`, '.marlin/sock'],
    ['opt/local/bin/node', '/opt/marlin/build/node/bin/node'],
    ['var/run', '../run'],
  ];
  for (const [name, target] of links) {
    const file = path.join(root, name);
    if ((await fs.lstat(file).catch(() => null)) !== null) continue;
    await fs.symlink(target, file);
    await fs.lchown(file, uidBase, uidBase);
  }
}

async function* chunk(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}
