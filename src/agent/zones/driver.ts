/**
 * What the agent needs of a zone, whatever isolates it. Every driver passes one conformance suite
 * (test/integration/zones). Promises of each method are in its comment: whether it may be repeated, what an abort or a
 * killed agent leaves behind.
 *
 * A zone lives from `reset` to the next `reset` or `destroy`. In it runs a lackey that speaks HTTP to the socket in
 * `socketDirectory(zone)`, which the agent listens on before the first reset and keeps over all resets; or, where a
 * socket must be made inside the zone, to one that the driver makes in each life (`onConnection`).
 */
import type { Socket } from 'node:net';

export interface ZoneImage {
  readonly name: string;
  /** Semver: phases choose an image by a range. */
  readonly version: string;
}

export interface ZoneLimits {
  readonly memoryMb: number;
  readonly diskGb: number;
}

/** Cumulative since the zone's last reset. Figures that a driver cannot know are absent. */
export interface ZoneUsage {
  readonly cpuUserNs?: number;
  readonly cpuSystemNs?: number;
  readonly memoryBytes?: number;
  /** Times that the kernel refused memory or killed for want of it. */
  readonly memoryFailures: number;
  /** Free bytes on the zone's root file system. */
  readonly freeDiskBytes?: number;
  readonly readBytes?: number;
  readonly writtenBytes?: number;
  readonly networkReceivedBytes?: number;
  readonly networkSentBytes?: number;
}

export interface ZoneDriver {
  readonly name: 'oci' | 'smartos' | 'process';
  /** Known after `start`. */
  readonly images: readonly ZoneImage[];
  /** Removes whatever a killed agent left of this deployment's zones. First call of all; safe to repeat. */
  start(): Promise<void>;
  /** Directory, made by `start`, in which the agent listens on a socket called `sock` for this zone. */
  socketDirectory(zone: string): string;
  /**
   * Where the driver has this, nobody listens in `socketDirectory`: it hands over the connections that lackeys make.
   * Called before the first reset.
   */
  onConnection?(zone: string, take: (connection: Socket) => void): void;
  /** The zones of this machine, where not the configuration says which there are. After `start`. */
  findZones?(): Promise<readonly string[]>;
  /** Path of that socket as programs in the zone see it: what `taskInputRemote` tells the lackey. */
  socketInZone(zone: string): string;
  /** Leaves the zone pristine and running with its lackey started. Safe to repeat, also on what an aborted call left. */
  reset(zone: string, image: ZoneImage, limits: ZoneLimits, signal: AbortSignal): Promise<void>;
  /**
   * Changes the limits of a zone that was reset and has run nothing yet, or answers that this takes another reset:
   * where disks cannot be resized.
   */
  setLimits(zone: string, limits: ZoneLimits): Promise<'done' | 'needs reset'>;
  /**
   * Makes a host file appear in the zone, read-only, without copying it when it is on the same mount.
   * @param source path on the host; null is the empty object. @param name `/login/stor/…`, already abbreviated.
   * @returns the path as the zone's programs see it. @throws VError when the source is missing.
   */
  mapObject(zone: string, source: string | null, name: string): Promise<string>;
  /** Removes every mapping, also those that programs hold open. Works on a zone in any state. */
  unmapObjects(zone: string): Promise<void>;
  /** Writes `/assets<name>` inside the zone, executable. Never leaves the assets directory, whatever `name` holds. */
  writeAsset(zone: string, name: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  usage(zone: string): Promise<ZoneUsage>;
  /** Copies the lackey's log to a host file; never follows links out of the zone. */
  saveLog(zone: string, toFile: string): Promise<void>;
  /** Resolves when the zone running now has ended without having been asked to. */
  ended(zone: string): Promise<void>;
  /** Ends the zone and removes everything of it. Safe to repeat. */
  destroy(zone: string): Promise<void>;
  /** Destroys every zone and what `start` made. */
  stop(): Promise<void>;
}
