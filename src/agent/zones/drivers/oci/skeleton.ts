/**
 * The root file system of the image `host`: a few dozen generated directories and files, around the machine's own /usr,
 * which is mounted read-only. So every tool of the machine is there, and nothing of its /etc, /home or /var is, but for
 * a handful of files and directories without which those tools do not run (`awk` goes through /etc/alternatives).
 */
import fs from 'node:fs/promises';
import path from 'node:path';

export interface Ownership {
  readonly uid: number;
  readonly gid: number;
}

/** What does not change from reset to reset; read once. */
export interface HostParts {
  /** The machine's /bin, /lib and so on, where they are links into /usr: name and target. */
  readonly links: readonly (readonly [name: string, target: string])[];
  /** Directories that zones see read-only at the same path. */
  readonly directories: readonly string[];
  readonly files: readonly (readonly [path: string, content: Buffer])[];
}

const topLevel = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];
const boundDirectories = [
  '/etc/alternatives',
  '/etc/fonts',
  '/etc/ld.so.conf.d',
  '/etc/perl',
  '/etc/python3',
  '/etc/ssl/certs',
  '/etc/terminfo',
];
const copiedFiles = [
  '/etc/bash.bashrc',
  '/etc/debian_version',
  '/etc/gai.conf',
  '/etc/host.conf',
  '/etc/inputrc',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/locale.alias',
  '/etc/localtime',
  '/etc/magic',
  '/etc/mime.types',
  '/etc/networks',
  '/etc/protocols',
  '/etc/services',
  '/etc/ssl/openssl.cnf',
];

export async function readHostParts(): Promise<HostParts> {
  const links: [string, string][] = [];
  const directories = ['/usr'];
  for (const name of topLevel) {
    const status = await fs.lstat(`/${name}`).catch(() => null);
    if (status?.isSymbolicLink()) links.push([name, await fs.readlink(`/${name}`)]);
    else if (status?.isDirectory()) directories.push(`/${name}`); // a machine without merged /usr
  }
  for (const directory of boundDirectories)
    if ((await fs.stat(directory).catch(() => null))?.isDirectory()) directories.push(directory);
  const files: [string, Buffer][] = [];
  for (const file of copiedFiles) {
    const content = await fs.readFile(file).catch(() => null);
    if (content !== null) files.push([file, content]);
  }
  return { links, directories, files };
}

export interface Skeleton {
  readonly root: string;
  readonly zone: string;
  readonly version: string;
  readonly memoryMb: number;
  readonly host: HostParts;
  /** `resolv.conf`: empty without a network. */
  readonly resolver: string;
  /** The zone's root user, as the host sees it; null: whoever we are. */
  readonly owner: Ownership | null;
}

// biome-ignore format: table
const directories: readonly (readonly [path: string, mode: number])[] = [
  ['assets', 0o755], ['dev', 0o755], ['etc', 0o755], ['etc/ssl', 0o755], ['home', 0o755], ['manta', 0o755],
  ['mnt', 0o755], ['opt', 0o755], ['opt/local', 0o755], ['opt/local/bin', 0o755], ['opt/local/sbin', 0o755],
  ['opt/marlin', 0o755], ['proc', 0o755], ['root', 0o700], ['run', 0o755], ['run/.marlin', 0o755],
  ['run/lock', 0o1777], ['run/marlin', 0o755], ['srv', 0o755], ['sys', 0o755], ['tmp', 0o1777], ['var', 0o755],
  ['var/cache', 0o755], ['var/lib', 0o755], ['var/log', 0o755], ['var/spool', 0o755], ['var/svc', 0o755],
  ['var/svc/log', 0o755], ['var/tmp', 0o1777],
];

/** Below the zone's root: what the in-zone `prtconf` prints. */
export const memoryFile = 'run/marlin/memory_mb';

export async function makeSkeleton(skeleton: Skeleton): Promise<void> {
  const { root, owner } = skeleton;
  const own = async (file: string) => {
    if (owner !== null) await fs.lchown(file, owner.uid, owner.gid);
  };
  const makeDirectory = async (name: string, mode: number) => {
    const directory = path.join(root, name);
    await fs.mkdir(directory, { recursive: true });
    await fs.chmod(directory, mode); // mkdir's mode is cut by the agent's umask
    await own(directory);
  };
  await makeDirectory('', 0o755);
  for (const [name, mode] of directories) await makeDirectory(name, mode);
  for (const directory of skeleton.host.directories) await makeDirectory(directory, 0o755);
  for (const [name, target] of [...skeleton.host.links, ...links(skeleton)]) {
    await fs.symlink(target, path.join(root, name));
    await own(path.join(root, name));
  }
  for (const [name, content] of [...skeleton.host.files, ...files(skeleton)]) {
    const file = path.join(root, name);
    await fs.writeFile(file, content);
    await fs.chmod(file, 0o644);
    await own(file);
  }
}

function links(skeleton: Skeleton): [string, string][] {
  return [
    ['etc/mtab', '../proc/self/mounts'],
    ['etc/os-release', '../usr/lib/os-release'],
    ['opt/local/bin/node', '/opt/marlin/build/node/bin/node'],
    ['var/run', '../run'],
    ['var/lock', '../run/lock'],
    [`run/.marlin.${skeleton.zone}.sock`, '.marlin/sock'],
  ];
}

function files(skeleton: Skeleton): [string, string][] {
  return [
    [
      'etc/passwd',
      'root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n' +
        'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
    ],
    ['etc/group', 'root:x:0:\ndaemon:x:1:\ntty:x:5:\nstaff:x:50:\nusers:x:100:\nnogroup:x:65534:\n'],
    ['etc/hosts', `127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 ${skeleton.zone}\n`],
    ['etc/hostname', `${skeleton.zone}\n`],
    ['etc/resolv.conf', skeleton.resolver],
    ['etc/nsswitch.conf', 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n'],
    ['etc/motd', `Marlin compute zone, image ${skeleton.version}\n`],
    [memoryFile, `${skeleton.memoryMb}\n`],
  ];
}
