/**
 * The `smartos` driver: theory of operation. The platform has zones, and each is deployed by an operator, who takes a
 * snapshot of it; the driver finds those zones, and between two groups of tasks rolls each back to its snapshot
 * (ready.ts). Objects appear in a zone through hyprlofs, without being copied; memory and disk are changed while it runs.
 *
 *   /zones/<zone>/root         the zone's root file system, as seen from outside
 *   /zones/<zone>/root/manta   hyprlofs
 *   /var/run/.marlin.<zone>.sock   the zone's socket, inside: made anew in each life by a process that enters the zone
 *
 * What a zone is made of is decided when it is deployed, so all zones of an agent are of one image: of those that have
 * zones, the newest in the range of `zoneDefaultImage`. Zones of other images are left alone.
 *
 * Everything is done by commands (machine.ts); what no command does is done by a small native helper (native/main.c).
 * Invariant: a path that a zone can change is never followed by us once something of a user's has run in it.
 */
import fs from 'node:fs/promises';
import type { Socket } from 'node:net';
import semver from 'semver';
import VError from 'verror';
import type { Logger } from '../../../../common/logging.js';
import type { ZoneDriver, ZoneImage, ZoneLimits } from '../../driver.js';
import { nameComponents } from '../careful-files.js';
import type { ZoneDriverConfig } from '../config.js';
import { lackeyLog } from '../keeper.js';
import { parseImages, parseZones } from './listings.js';
import type { Machine } from './machine.js';
import { changes, type Properties, propertiesFor, propertiesIn } from './properties.js';
import { halt, type Life, letGo, makeReady, mantaOf, rootOf, socketInZone } from './ready.js';
import { kstatCommand, readUsage } from './usage.js';
import { watchZones } from './watch.js';

const runDirectory = '/var/run/marlin';
/** Source of the mapping of every empty object. */
const zeroFile = `${runDirectory}/.zero`;
const maxLogBytes = 16 * 1024 * 1024;

export function createSmartosDriver(config: ZoneDriverConfig, log: Logger, machine: Machine): ZoneDriver {
  const lives = new Map<string, Life>();
  const known = new Map<string, Properties>();
  const takers = new Map<string, (connection: Socket) => void>();
  const watch = watchZones(machine);
  let image: ZoneImage | null = null;
  const defaults = propertiesIn(config.zoneDefaults ?? {});

  function lifeOf(zone: string): Life & { readonly id: number } {
    const life = lives.get(zone);
    if (life === undefined || life.id === null || life.ending)
      throw new VError({ name: 'ZoneNotRunningError' }, 'zone "%s" is not running', zone);
    return life as Life & { readonly id: number };
  }

  /** @returns the zones of one image, and that image. */
  async function discover(): Promise<{ zones: string[]; image: ZoneImage }> {
    const fields = 'uuid,image_uuid,tags.manta_role,tags.manta_compute';
    const found = parseZones(await machine.run(['vmadm', 'list', '-H', '-o', fields]), log);
    const images = parseImages(await machine.run(['imgadm', 'list', '-H', '-o', 'uuid,name,version']));
    const used = images.filter(({ uuid }) => found.some(({ imageUuid }) => imageUuid === uuid));
    for (const { zone, imageUuid } of found)
      if (!images.some(({ uuid }) => uuid === imageUuid))
        log.error({ zone, imageUuid }, 'image of a zone is not known');
    const newestFirst = used.sort((left, right) => semver.rcompare(left.version, right.version, true));
    const chosen =
      newestFirst.find(({ version }) => semver.satisfies(version, config.zoneDefaultImage)) ?? newestFirst[0];
    if (chosen === undefined)
      throw new VError(
        'there are no compute zones: deploy some, with the tag manta_role=compute, and see "vmadm list"',
      );
    const zones = found.filter(({ imageUuid }) => imageUuid === chosen.uuid).map(({ zone }) => zone);
    const others = found.length - zones.length;
    if (others > 0) log.warn({ others, image: chosen }, 'zones of other images are left alone');
    const wanted = config.zones.length === 0 ? zones : zones.filter((zone) => config.zones.includes(zone));
    return { zones: wanted, image: { name: chosen.name, version: chosen.version } };
  }

  async function setProperties(zone: string, limits: ZoneLimits): Promise<void> {
    const wanted = propertiesFor(defaults, limits);
    const arguments_ = changes(known.get(zone) ?? {}, wanted);
    if (arguments_.length === 0) return;
    try {
      await machine.run(['vmadm', 'update', zone, ...arguments_]);
    } catch (error) {
      throw new VError(error as Error, 'failed to set properties');
    }
    known.set(zone, { ...known.get(zone), ...wanted });
  }

  async function end(zone: string): Promise<void> {
    const life = lives.get(zone);
    lives.delete(zone);
    await letGo({ machine, zone }, life);
  }

  return {
    name: 'smartos',
    get images() {
      return image === null ? [] : [image];
    },
    async start() {
      await fs.access(machine.root + machine.helper).catch((error: Error) => {
        throw new VError(error, 'the helper of the driver "smartos" is missing: run make on this machine');
      });
      await fs.mkdir(machine.root + runDirectory, { recursive: true });
      await fs.writeFile(machine.root + zeroFile, '');
      ({ image } = await discover());
    },
    async findZones() {
      return (await discover()).zones;
    },
    onConnection(zone, take) {
      takers.set(zone, take);
    },
    socketDirectory: () => runDirectory,
    socketInZone,
    async reset(zone, wanted, limits, signal) {
      signal.throwIfAborted();
      if (wanted.name !== image?.name || wanted.version !== image.version)
        throw new VError('zone "%s" cannot be of image "%s-%s"', zone, wanted.name, wanted.version);
      await end(zone);
      const life: Life = { id: null, socket: null, connections: new Set(), ending: false };
      lives.set(zone, life); // what a reset that fails has opened is closed by the next
      const take = takers.get(zone) ?? ((connection: Socket) => connection.destroy());
      await makeReady({ machine, zone, installRoot: config.installRoot, take }, life, signal);
      await setProperties(zone, limits);
    },
    async setLimits(zone, limits) {
      await setProperties(zone, limits);
      return 'done';
    },
    async mapObject(zone, source, name) {
      const alias = nameComponents(name).join('/');
      const file = source ?? zeroFile;
      await machine.run([machine.helper, 'hyprlofs', 'add', mantaOf(zone), file, alias]).catch((error: Error) => {
        throw new VError({ name: 'ObjectMissingError', cause: error }, 'cannot map "%s" as "/manta/%s"', file, alias);
      });
      return `/manta/${alias}`;
    },
    async unmapObjects(zone) {
      await machine.run([machine.helper, 'hyprlofs', 'clear', mantaOf(zone)]);
    },
    async writeAsset(zone, name, content) {
      const parts = ['assets', ...nameComponents(name)];
      await machine.run([machine.helper, 'write', rootOf(zone), parts.join('/')], { input: content });
    },
    async usage(zone) {
      const { id } = lifeOf(zone);
      const counted = readUsage(await machine.run(kstatCommand(id)), zone, id);
      const disk = await fs.statfs(machine.root + rootOf(zone));
      return { ...counted, freeDiskBytes: disk.bfree * disk.bsize };
    },
    async saveLog(zone, toFile) {
      const argv = [machine.helper, 'read', rootOf(zone), lackeyLog, String(maxLogBytes)];
      await machine.run(argv, { outputFile: toFile });
    },
    async ended(zone) {
      const life = lifeOf(zone);
      await Promise.race([watch.gone(zone, life.id), life.socket?.gone ?? new Promise(() => {})]);
      if (life.ending) await new Promise(() => {});
    },
    async destroy(zone) {
      await end(zone);
      await halt(machine, zone); // the zone itself is the operator's to delete
      known.delete(zone);
    },
    async stop() {
      watch.stop();
      const stopped = await Promise.allSettled(
        [...lives.keys()].map(async (zone) => {
          await end(zone);
          await halt(machine, zone);
        }),
      );
      for (const one of stopped) if (one.status === 'rejected') log.warn({ err: one.reason }, 'a zone was not halted');
    },
  };
}
