import crypto from 'node:crypto';
import fs from 'node:fs';
import semver from 'semver';
import type { ZoneImage } from '../driver.js';

/** The part of the agent's configuration that zone drivers read. */
export interface ZoneDriverConfig {
  /** `auto` takes the first that works here: `oci` as root, `oci` without root, `process` (never as root). */
  readonly driver: 'auto' | 'oci' | 'smartos' | 'process';
  readonly zones: readonly string[];
  /** Absolute. The driver owns `zones/` and `run/` below it. Link farms want the mount of the objects. */
  readonly dataDir: string;
  /** What zones see as /opt/marlin: node, lackey, tools. */
  readonly installRoot: string;
  /** First user id of the first zone; each zone has 65,536. */
  readonly zoneUidBase: number;
  /** Whether core files are kept where tasks can find them, which is a setting of the whole machine. */
  readonly manageCorePattern?: boolean | undefined;
  /** Root file systems beside `host`, one directory each. */
  readonly imagesDir?: string | undefined;
  /** By default `none`: loopback only. */
  readonly network?: 'none' | 'outbound' | undefined;
  /** IPv4 addresses and ranges that zones must not reach, beside those that they never do. */
  readonly networkDeny?: readonly string[] | undefined;
  /** `cpu_cap`: percent of one processor that each zone may use; undefined: no cap. */
  readonly zoneDefaults?: ZoneDefaults | undefined;
  /** A version, or a range whose lowest version is meant: the version of the image `host`. */
  readonly zoneDefaultImage: string;
}

/** `smartos` sets all of them on its zones. */
export type ZoneDefaults = { readonly cpu_cap?: number | undefined } & Readonly<Record<string, unknown>>;

/** Tells one deployment's directories, mounts and cgroups from another's on the same machine. */
export function deploymentId(dataDir: string): string {
  return crypto.createHash('sha256').update(fs.realpathSync(dataDir)).digest('hex').slice(0, 12);
}

export function hostImage(config: ZoneDriverConfig): ZoneImage {
  const range = config.zoneDefaultImage;
  const version = semver.valid(range) ?? (semver.validRange(range) === null ? null : semver.minVersion(range)?.version);
  return { name: 'host', version: version ?? range };
}
