/**
 * The `process` driver: zones without isolation, for machines where no container can run. A zone is a directory and
 * the processes whose environment names it; ending the zone kills those and removes the directory. Commands can read
 * what their user can read, reach the network, and see each other: every start says so.
 *
 * As root, commands run as `nobody`, who cannot pass the 0700 directories above DATA. So zones live below
 * /var/lib/marlin then, and the tools are linked there when they are out of nobody's reach. Farms still hold hard
 * links where /var/lib is on the mount of the objects, else copies.
 *
 *   BASE/zones/<zone>/root/{assets,manta,root,tmp,var/…}   what programs use instead of /assets, /manta, /var/tmp
 *   BASE/run/zN/sock                                       the socket of the N-th zone
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import VError from 'verror';
import type { Logger } from '../../../common/logging.js';
import type { ZoneDriver, ZoneLimits } from '../driver.js';
import { copyFileFrom, writeFileBelow } from './careful-files.js';
import { runCommand } from './commands.js';
import { deploymentId, hostImage, type ZoneDriverConfig } from './config.js';
import { keeperScript, lackeyLog } from './keeper.js';
import { createFarm } from './link-farm.js';
import { killMarked } from './processes.js';
import { removeTree } from './remove-tree.js';

/** Marks keepers, so that the next agent finds those of a killed one. Their lackeys are marked by MARLIN_ZONE. */
const keeperMark = 'MARLIN_KEEPER';
const maxSocketPathBytes = 107;
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const zoneDirectories = ['assets', 'root', 'tmp', 'var/run/marlin', 'var/svc/log', 'var/tmp'];

interface RunningZone {
  readonly keeper: ChildProcess;
  /** Resolves when the keeper has gone. */
  readonly gone: Promise<void>;
  /** Resolves when the keeper has gone without having been asked to. */
  readonly ended: Promise<void>;
  /** Asks it to end, which from now on is no surprise. */
  expectEnd(): void;
}

export async function createProcessDriver(config: ZoneDriverConfig, log: Logger): Promise<ZoneDriver> {
  const owner =
    process.getuid?.() === 0 ? await userNobody() : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const isRoot = process.getuid?.() === 0;
  await fs.mkdir(config.dataDir, { recursive: true });
  const base = isRoot ? `/var/lib/marlin/${deploymentId(config.dataDir)}` : config.dataDir;
  const running = new Map<string, RunningZone>();
  /** Leads to BASE/run where that is too long a path for a socket address. */
  const shortcut = `/tmp/.marlin-${deploymentId(config.dataDir)}`;
  let installRoot = config.installRoot;

  const zoneDirectory = (zone: string): string => path.join(base, 'zones', zone);
  const rootOf = (zone: string): string => path.join(zoneDirectory(zone), 'root');
  const farmOf = (zone: string): string => path.join(rootOf(zone), 'manta');
  const socketDirectory = (zone: string): string => path.join(base, 'run', `z${zoneIndex(config, zone)}`);

  async function endZone(zone: string): Promise<void> {
    const current = running.get(zone);
    running.delete(zone);
    if (current !== undefined) {
      current.expectEnd(); // the keeper ends the zone by itself, even if we die now
      await killMarked('MARLIN_ZONE', zone);
      current.keeper.kill('SIGKILL'); // its own user may have stopped it
      await current.gone;
    }
    await killMarked(keeperMark, zone);
    await killMarked('MARLIN_ZONE', zone);
  }

  async function makeRoot(zone: string, limits: ZoneLimits): Promise<void> {
    await makeDirectory(zoneDirectory(zone), 0o755);
    await removeTree(rootOf(zone));
    await makeDirectory(rootOf(zone), 0o755);
    for (const directory of zoneDirectories) {
      let current = rootOf(zone);
      for (const part of directory.split('/')) {
        current = path.join(current, part);
        await makeDirectory(current, 0o755);
        await fs.chown(current, owner.uid, owner.gid);
      }
    }
    await createFarm(farmOf(zone)).make();
    await fs.chown(rootOf(zone), owner.uid, owner.gid);
    await noteMemory(zone, limits);
  }

  function noteMemory(zone: string, limits: ZoneLimits): Promise<void> {
    return fs.writeFile(path.join(rootOf(zone), 'var/run/marlin/memory_mb'), `${limits.memoryMb}\n`, { mode: 0o644 });
  }

  async function startKeeper(zone: string): Promise<RunningZone> {
    const environment = {
      PATH: systemPath,
      [keeperMark]: zone,
      MARLIN_LACKEY_ROOT: rootOf(zone),
      MARLIN_LACKEY_PORT: String(await freePort()),
      MARLIN_LACKEY_KILL: 'marked',
      MARLIN_UBIN: path.join(installRoot, 'ubin'),
    };
    const node = path.join(installRoot, 'build/node/bin/node');
    const lackey = path.join(installRoot, 'lib/lackey/main.js');
    const logFile = path.join(rootOf(zone), lackeyLog);
    const keeper = spawn(
      'bash',
      ['--norc', '-c', keeperScript('marked'), 'keeper', zone, socketInZone(zone), node, lackey, logFile],
      {
        cwd: '/',
        env: environment,
        detached: true,
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
        ...(isRoot ? owner : {}),
      },
    );
    return watchKeeper(keeper);
  }

  function socketInZone(zone: string): string {
    const socket = path.join(socketDirectory(zone), 'sock');
    return Buffer.byteLength(socket) <= maxSocketPathBytes
      ? socket
      : path.join(shortcut, `z${zoneIndex(config, zone)}/sock`);
  }

  return {
    name: 'process',
    images: [hostImage(config)],
    async start() {
      log.warn(
        { zones: config.zones.length, base, uid: owner.uid },
        'NOTHING IS ISOLATED: the "process" driver runs user commands as ordinary processes of this machine',
      );
      await makeDirectory(path.join(base, 'run'), isRoot ? 0o755 : 0o700);
      if (isRoot) await makeDirectory(base, 0o755);
      if (config.zones.some((zone) => socketInZone(zone).startsWith(shortcut))) {
        await fs.rm(shortcut, { force: true });
        await fs.symlink(path.join(base, 'run'), shortcut);
      }
      for (const zone of config.zones) {
        await endZone(zone);
        await removeTree(zoneDirectory(zone));
        await makeDirectory(socketDirectory(zone), 0o755);
      }
      if (isRoot) installRoot = await reachableInstallRoot(config.installRoot, base);
    },
    socketDirectory,
    socketInZone,
    async reset(zone, _image, limits, signal) {
      signal.throwIfAborted();
      await endZone(zone);
      await makeRoot(zone, limits);
      signal.throwIfAborted();
      running.set(zone, await startKeeper(zone));
    },
    async setLimits(zone, limits) {
      await noteMemory(zone, limits);
      return 'done';
    },
    async mapObject(zone, source, name) {
      return farmOf(zone) + (await createFarm(farmOf(zone)).link(source, name));
    },
    // Commands may have changed what is there: nothing is remembered.
    unmapObjects: (zone) => createFarm(farmOf(zone)).clear(),
    writeAsset: (zone, name, content) =>
      writeFileBelow(path.join(rootOf(zone), 'assets'), name, content, { ...owner, mode: 0o755 }),
    async usage(zone) {
      const { bavail, bsize } = await fs.statfs(rootOf(zone));
      return { memoryFailures: 0, freeDiskBytes: bavail * bsize };
    },
    saveLog: (zone, toFile) => copyFileFrom(rootOf(zone), lackeyLog, toFile),
    ended: (zone) => running.get(zone)?.ended ?? new Promise(() => {}),
    async destroy(zone) {
      await endZone(zone);
      await removeTree(zoneDirectory(zone));
    },
    async stop() {
      await Promise.all(config.zones.map((zone) => endZone(zone)));
      for (const zone of config.zones) {
        await removeTree(zoneDirectory(zone));
        await removeTree(socketDirectory(zone));
      }
      await fs.rm(shortcut, { force: true });
      if (isRoot) await removeTree(base);
      if (isRoot) await fs.rmdir(path.dirname(base)).catch(() => {}); // another deployment may be there
    },
  };
}

function watchKeeper(keeper: ChildProcess): RunningZone {
  let expected = false;
  const life = keeper.stdio[3];
  if (life instanceof net.Socket) life.on('error', () => {}).resume();
  const gone = new Promise<void>((resolve, reject) => {
    keeper.once('exit', () => resolve());
    keeper.once('error', reject);
  });
  gone.catch(() => {}); // whoever waits for it is told; nobody may be waiting yet
  const ended = new Promise<void>((resolve) => {
    keeper.once('exit', () => {
      if (!expected) resolve();
    });
  });
  return {
    keeper,
    gone,
    ended,
    expectEnd() {
      expected = true;
      if (life instanceof net.Socket) life.destroy();
    },
  };
}

function zoneIndex(config: ZoneDriverConfig, zone: string): number {
  const index = config.zones.indexOf(zone);
  if (index < 0) throw new VError({ name: 'UnknownZoneError' }, 'zone "%s" is not in the configuration', zone);
  return index;
}

/** The mode is exact: the agent's umask must not lock nobody out. */
async function makeDirectory(directory: string, mode: number): Promise<void> {
  await fs.mkdir(directory, { recursive: true });
  await fs.chmod(directory, mode);
}

async function userNobody(): Promise<{ uid: number; gid: number }> {
  const passwd = await fs.readFile('/etc/passwd', 'utf8').catch(() => '');
  const [, , uid, gid] = passwd.match(/^nobody:.*$/m)?.[0].split(':') ?? [];
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new VError('the kernel gave no port');
  return address.port;
}

/** Others may pass every directory down to the tools, or the tools are linked (else copied) to where they may. */
async function reachableInstallRoot(installRoot: string, base: string): Promise<string> {
  for (let directory = await fs.realpath(installRoot); directory !== '/'; directory = path.dirname(directory)) {
    if (((await fs.stat(directory)).mode & 0o001) !== 0) continue;
    const copy = path.join(base, 'install');
    await removeTree(copy);
    await runCommand('cp', ['-aL', '--link', installRoot, copy]).catch(async () => {
      await removeTree(copy);
      await runCommand('cp', ['-aL', installRoot, copy]);
    });
    await fs.chmod(copy, 0o755);
    return copy;
  }
  return installRoot;
}
