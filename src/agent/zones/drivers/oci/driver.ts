/**
 * The `oci` driver: theory of operation. A zone runs commands of people who do not trust each other, as root of a
 * container, and must be as new for each of them.
 *
 *   DATA/zones/<zone>/farm/           the zone's /manta: hard links of objects, kept over resets
 *   DATA/zones/<zone>/scratch/<n>     root file system of the zone's n-th life, owned by the zone's own ids: an image
 *                                     of the size that its user may fill (disks.ts), else a directory
 *   DATA/zones/<zone>/bundle-<n>/     config.json, runtime's log and pid file of that life
 *   DATA/run/z<N>/sock                the zone's socket; DATA/run/runc: the runtime's state
 *
 * Each life has a root, a container name and a control group of its own, so a reset is: kill process 1 of the old life,
 * which takes everything of its namespaces along; create and start the new one. What the old one left on disk, in the
 * runtime's state and in control groups is removed afterwards, in the background. Nothing of a life is used twice, so
 * nothing can be left in it.
 *
 * Invariants: (1) the new life starts only after the old one runs nothing more, for they share farm and socket; (2) if
 * the agent dies, zones end by themselves (keeper.ts) and mounts vanish (mount-space.ts), so `start` finds only files,
 * the runtime's state and empty control groups; (3) host paths that a zone can change are never followed (careful-files).
 *
 * Without root, all ids of the zone are the calling user's, and there are no control groups: no memory cap, no figures.
 */
import { statfsSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import VError from 'verror';
import type { Logger } from '../../../../common/logging.js';
import type { ZoneDriver, ZoneImage, ZoneLimits } from '../../driver.js';
import { copyFileFrom, writeFileBelow } from '../careful-files.js';
import { runCommand } from '../commands.js';
import { deploymentId, hostImage, type ZoneDriverConfig } from '../config.js';
import { lackeyLog } from '../keeper.js';
import { createFarm, type Farm } from '../link-farm.js';
import { removeTree } from '../remove-tree.js';
import { boundAccounting, newAccountingFile, startAccounting } from './accounting.js';
import { type BundleOptions, bundleConfig, idsPerZone, keeperCommand, memoryLimitBytes } from './bundle.js';
import { detectCgroups, limitMemory, readUsage, removeGroup, weighZones } from './cgroups.js';
import { type CorePattern, longestCoreBytes, manageCorePattern } from './core-pattern.js';
import { type Disk, type Disks, directoryDisks, imageDisks, tryImageDisks } from './disks.js';
import { dressImage, findImages, type ImageDirectory, overlayRoot, type Root } from './images.js';
import { type MountSpace, openMountSpace } from './mount-space.js';
import { connectOutbound, networkUsage, resolverConfiguration, type ZoneNetwork } from './network.js';
import {
  type Container,
  createContainer,
  deleteContainer,
  listContainers,
  type Runtime,
  startContainer,
} from './runtime.js';
import { makeSkeleton, memoryFile, readHostParts } from './skeleton.js';

/** Kernel limits per user that a zone's processes share, lowered so that no zone can use up what belongs to all. */
const ceilings: Readonly<Record<string, number>> = {
  max_user_namespaces: 0,
  max_mnt_namespaces: 0,
  max_pid_namespaces: 0,
  max_net_namespaces: 0,
  max_ipc_namespaces: 0,
  max_uts_namespaces: 0,
  max_cgroup_namespaces: 0,
  max_time_namespaces: 0,
  max_fanotify_groups: 0,
  max_fanotify_marks: 0,
  max_inotify_instances: 8,
  max_inotify_watches: 8192,
};

/** One life of a zone. */
interface Life {
  readonly disk: Disk;
  /** On the disk, or an overlay with the disk as its upper layer. */
  readonly root: Root;
  readonly bundle: string;
  readonly group: string;
  readonly container: Container;
  readonly network: ZoneNetwork | null;
  /** Its end is no surprise any more. */
  ending: boolean;
}

/** @param program path of runc or crun. Nothing is touched before `start`. */
export async function createOciDriver(config: ZoneDriverConfig, log: Logger, program: string): Promise<ZoneDriver> {
  await fs.mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const dataDir = await fs.realpath(config.dataDir);
  const installRoot = await fs.realpath(config.installRoot);
  const isRoot = process.getuid?.() === 0;
  const ownIds = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const deployment = deploymentId(dataDir);
  const allZones = `/marlin-${deployment}`; // control group
  const stateDirectory = path.join(dataDir, 'run/runc');
  const [hostImageOf, host, cgroups, maxCoreBytes] = await Promise.all([
    hostImage(config),
    readHostParts(),
    detectCgroups(),
    longestCoreBytes(),
  ]);
  const lives = new Map<string, Life>();
  const removals = new Set<Promise<void>>();
  let mountSpace: MountSpace | null = null;
  let corePattern: CorePattern | null = null;
  const emptyDisks = path.join(dataDir, 'run/disks');
  let lastLife = 0;
  let weighed = false;
  const outbound = config.network === 'outbound';
  const denied = config.networkDeny ?? [];
  let directories: readonly ImageDirectory[] = [];

  const runtime = (): Runtime => ({ program, stateDirectory, enter: mountSpace?.enter ?? [] });
  const zoneDirectory = (zone: string) => path.join(dataDir, 'zones', zone);
  const scratchOf = (zone: string) => path.join(zoneDirectory(zone), 'scratch');
  const farmDirectory = (zone: string) => path.join(zoneDirectory(zone), 'farm');
  const farms = new Map(config.zones.map((zone) => [zone, createFarm(farmDirectory(zone))]));
  let disks: Disks = directoryDisks({ directory: scratchOf, mountSpace });
  const socketDirectory = (zone: string) => path.join(dataDir, 'run', `z${zoneIndex(config, zone)}`);
  const uidBase = (zone: string) => (isRoot ? config.zoneUidBase + zoneIndex(config, zone) * idsPerZone : null);
  const ownerOf = (zone: string) => {
    const base = uidBase(zone);
    return base === null ? null : { uid: base, gid: base };
  };

  function lifeOf(zone: string): Life {
    const life = lives.get(zone);
    if (life === undefined) throw new VError({ name: 'ZoneNotRunningError' }, 'zone "%s" is not running', zone);
    return life;
  }

  function farmOf(zone: string): Farm {
    const farm = farms.get(zone);
    if (farm === undefined) throw unknownZone(zone);
    return farm;
  }

  async function makeZoneDirectories(zone: string): Promise<void> {
    for (const directory of [path.join(dataDir, 'zones'), zoneDirectory(zone), path.join(dataDir, 'run')])
      await fs.mkdir(directory, { recursive: true, mode: 0o700 });
    for (const directory of [scratchOf(zone), socketDirectory(zone)]) {
      await fs.mkdir(directory, { recursive: true });
      await fs.chmod(directory, 0o755); // the zone's ids pass it
    }
    await farmOf(zone).make();
  }

  /** Makes the files of a zone's next life and creates its container, not started yet. */
  async function prepare(zone: string, image: ZoneImage, limits: ZoneLimits): Promise<Life> {
    const name = String(++lastLife);
    const bundle = path.join(zoneDirectory(zone), `bundle-${name}`);
    const group = `${allZones}/${zone}.${name}`;
    const disk = await disks.make(zone, name, limits.diskGb);
    let root: Root | null = null;
    try {
      const found = directories.find((other) => other.name === image.name && other.version === image.version) ?? null;
      root = await makeRoot(zone, { name, disk }, found ?? image.version, limits);
      const container = await makeContainer(zone, { name, root, bundle, group, fromHost: found === null }, limits);
      const network = outbound ? await connectOutbound({ pid: container.pid, isRoot, denied }) : null;
      return { disk, root, bundle, group, container, network, ending: false };
    } catch (error) {
      await remove({ disk, root, bundle, name: `${zone}.${name}` }).catch(() => {}); // the cause says more
      throw error;
    }
  }

  /** @param image a directory of ours, or the version of the image `host`. */
  async function makeRoot(
    zone: string,
    { name, disk }: { name: string; disk: Disk },
    image: ImageDirectory | string,
    { memoryMb }: ZoneLimits,
  ): Promise<Root> {
    const version = typeof image === 'string' ? image : image.version;
    const resolver = outbound ? resolverConfiguration : '';
    const base = uidBase(zone);
    if (typeof image === 'string' || mountSpace === null || base === null) {
      await makeSkeleton({ root: disk.root, zone, version, memoryMb, host, owner: ownerOf(zone), resolver });
      return { root: disk.root, mounted: disk.mounted, close: async () => {} };
    }
    const root = await overlayRoot({ space: mountSpace, zone, name, image, disk, uidBase: base });
    try {
      await dressImage({ root: root.root, zone, version, memoryMb, resolver, uidBase: base });
    } catch (error) {
      await root.close().catch(() => {}); // the cause says more
      throw error;
    }
    return root;
  }

  async function makeContainer(
    zone: string,
    life: { name: string; root: Root; bundle: string; group: string; fromHost: boolean },
    limits: ZoneLimits,
  ): Promise<Container> {
    const { name, root, bundle, group } = life;
    await fs.mkdir(bundle, { mode: 0o700 });
    const options: BundleOptions = {
      zone,
      rootPath: root.mounted,
      hostDirectories: life.fromHost ? host.directories : [],
      farm: farmDirectory(zone),
      installRoot,
      socketDirectory: socketDirectory(zone),
      uidBase: uidBase(zone),
      ownIds,
      cgroup: group,
      memoryMb: limits.memoryMb,
      maxCoreBytes,
      cpuCapPercent: config.zoneDefaults?.cpu_cap,
      swapLimit: cgroups.swapLimit,
    };
    await fs.writeFile(path.join(bundle, 'config.json'), JSON.stringify(bundleConfig(options, keeperCommand(zone))));
    const container = await createContainer(runtime(), `${zone}.${name}`, bundle);
    void container.gone.then((how) => {
      if (how === 'helper lost') endWithHelper();
    });
    await weighOnce();
    return container;
  }

  /** All zones end. Their tasks are no user's errors: as when the agent itself is killed, they are run again. */
  function endWithHelper(): never {
    log.fatal('the process that holds the zones was killed: the agent ends too');
    process.exit(1);
  }

  /** The group of all zones is there, with all its controllers, once a zone is. */
  async function weighOnce(): Promise<void> {
    if (weighed || !isRoot) return;
    weighed = true;
    await weighZones(cgroups, allZones, os.availableParallelism()).catch((error: unknown) =>
      log.warn({ err: error }, 'all zones together weigh no more than one other process'),
    );
  }

  async function end(zone: string): Promise<void> {
    const life = lives.get(zone);
    if (life === undefined) return;
    lives.delete(zone);
    life.ending = true;
    await life.container.kill();
    await life.network?.close();
    removeLater(life);
  }

  function removeLater(life: Life): void {
    const { disk, root, bundle, container } = life;
    const removal = remove({ disk, root, bundle, name: container.id }).catch((error: unknown) => {
      log.warn({ err: error, container: container.id }, 'could not remove what a zone left; the next start will');
    });
    removals.add(removal);
    removal.finally(() => removals.delete(removal));
  }

  async function remove(life: { disk: Disk; root: Root | null; bundle: string; name: string }): Promise<void> {
    await deleteContainer(runtime(), life.name);
    await life.root?.close();
    await life.disk.remove();
    await removeTree(life.bundle);
  }

  async function lowerCeilings(pid: number): Promise<void> {
    // As root we become root of the zone; without root we are it already, and may not change groups.
    const enter = ['--user', `--target=${pid}`, ...(isRoot ? [] : ['--preserve-credentials'])];
    const script = 'cd /proc/sys/user && for pair; do [ ! -e "${pair%=*}" ] || echo "${pair#*=}" > "${pair%=*}"; done';
    const pairs = Object.entries(ceilings).map(([name, value]) => `${name}=${value}`);
    await runCommand('nsenter', [...enter, 'bash', '--norc', '-c', script, 'ceilings', ...pairs]).catch((error) =>
      log.warn({ err: error }, 'a zone keeps the default limits on inotify instances and namespaces'),
    );
  }

  async function account(zone: string, pid: number): Promise<void> {
    if (!isRoot) return;
    await startAccounting(pid, socketDirectory(zone)).catch((error: unknown) =>
      log.warn({ err: error, zone }, 'core dumps in this zone go unnoticed'),
    );
  }

  /** What a killed agent left: containers have ended by themselves, or are about to. */
  async function clean(): Promise<void> {
    await Promise.all((await listContainers(runtime())).map((id) => deleteContainer(runtime(), id)));
    for (const zone of config.zones) {
      await farmOf(zone).clear();
      for (const entry of await fs.readdir(zoneDirectory(zone)).catch(() => []))
        if (entry.startsWith('bundle-')) await removeTree(path.join(zoneDirectory(zone), entry));
      for (const entry of await fs.readdir(scratchOf(zone)).catch(() => []))
        await removeTree(path.join(scratchOf(zone), entry));
    }
    await removeTree(emptyDisks);
    await removeGroup(allZones);
  }

  async function openDisks(mountSpace: MountSpace): Promise<Disks> {
    const parts = { directory: scratchOf, mountSpace };
    try {
      const images = await imageDisks({ ...parts, emptyDirectory: emptyDisks });
      const [zone] = config.zones;
      if (zone !== undefined) await tryImageDisks(images, zone);
      return images;
    } catch (error) {
      log.warn({ err: error }, 'ZONES HAVE NO DISK CAP: a task can fill the disk of this machine');
      return directoryDisks(parts);
    }
  }

  return {
    name: 'oci',
    get images() {
      return [hostImageOf, ...directories];
    },
    async start() {
      for (const zone of config.zones) await makeZoneDirectories(zone);
      await fs.mkdir(stateDirectory, { recursive: true, mode: 0o700 });
      await clean();
      if (isRoot) {
        const scratches = new Map(config.zones.map((zone) => [zone, scratchOf(zone)]));
        mountSpace = await openMountSpace(deployment, scratches);
        disks = await openDisks(mountSpace);
        corePattern = await manageCorePattern(config, log);
        if (config.imagesDir !== undefined) directories = await findImages(await fs.realpath(config.imagesDir), log);
      } else {
        log.warn('without root, zones have no memory cap, no disk cap, no accounting and a single user id');
      }
    },
    socketDirectory,
    socketInZone: (zone) => `/var/run/.marlin.${zone}.sock`,
    async reset(zone, wanted, limits, signal) {
      signal.throwIfAborted();
      const [next] = await allOrThrow([prepare(zone, wanted, limits), end(zone)]);
      lives.set(zone, next);
      await farmOf(zone).clear();
      signal.throwIfAborted();
      await newAccountingFile(socketDirectory(zone));
      const { id, pid } = next.container;
      // Side by side: nobody's command runs before this call ends.
      await Promise.all([startContainer(runtime(), id), lowerCeilings(pid), account(zone, pid)]);
    },
    async setLimits(zone, limits) {
      const life = lifeOf(zone);
      if (disks.limited && limits.diskGb !== life.disk.sizeGb) return 'needs reset';
      if (isRoot) await limitMemory(cgroups, life.group, memoryLimitBytes(limits.memoryMb));
      const owner = ownerOf(zone) ?? ownIds;
      await writeFileBelow(life.root.root, memoryFile, line(limits.memoryMb), { ...owner, mode: 0o644 });
      return 'done';
    },
    async mapObject(zone, source, name) {
      return `/manta${await farmOf(zone).link(source, name)}`;
    },
    unmapObjects: (zone) => farmOf(zone).unlink(),
    async writeAsset(zone, name, content) {
      const owner = ownerOf(zone) ?? ownIds;
      await writeFileBelow(path.join(lifeOf(zone).root.root, 'assets'), name, content, { ...owner, mode: 0o755 });
    },
    async usage(zone) {
      const life = lifeOf(zone);
      await boundAccounting(socketDirectory(zone));
      const counted = isRoot ? readUsage(cgroups, life.group) : { memoryFailures: 0 };
      const network = life.network === null ? {} : networkUsage(life.container.pid);
      const disk = statfsSync(life.disk.root); // answered from memory, like the figures of control groups
      return { ...counted, ...network, freeDiskBytes: disk.bavail * disk.bsize };
    },
    saveLog: (zone, toFile) => copyFileFrom(lifeOf(zone).root.root, lackeyLog, toFile),
    async ended(zone) {
      const life = lifeOf(zone);
      await life.container.gone;
      if (life.ending) await new Promise(() => {});
    },
    async destroy(zone) {
      await end(zone);
      await farmOf(zone).clear();
      await Promise.all(removals);
    },
    async stop() {
      await Promise.all(config.zones.map(end));
      await Promise.all(removals);
      await clean();
      await corePattern?.restore();
      corePattern = null;
      await mountSpace?.close();
      mountSpace = null;
      for (const zone of config.zones) {
        await removeTree(zoneDirectory(zone));
        await removeTree(socketDirectory(zone));
      }
      await fs.rmdir(stateDirectory).catch(() => {}); // what cannot be removed is there for the next start
    },
  };
}

function zoneIndex(config: ZoneDriverConfig, zone: string): number {
  const index = config.zones.indexOf(zone);
  if (index < 0) throw unknownZone(zone);
  return index;
}

function unknownZone(zone: string): VError {
  return new VError({ name: 'UnknownZoneError' }, 'zone "%s" is not in the configuration', zone);
}

/** Waits for both, so that nothing goes on behind the caller's back, and throws what the first of them threw. */
async function allOrThrow<A, B>(promises: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

async function* line(value: number): AsyncIterable<Uint8Array> {
  yield Buffer.from(`${value}\n`);
}
