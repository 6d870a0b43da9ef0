/** What the commands of SmartOS print, as data. */
import VError from 'verror';
import type { Logger } from '../../../../common/logging.js';

export interface FoundZone {
  readonly zone: string;
  readonly imageUuid: string;
}

export interface FoundImage {
  readonly uuid: string;
  readonly name: string;
  readonly version: string;
}

const roles = new Set(['compute', 'marlincompute']);

/** The compute zones in `vmadm list -H -o uuid,image_uuid,tags.manta_role,tags.manta_compute`. Source: spec 05 §5.2. */
export function parseZones(text: string, log: Pick<Logger, 'warn'>): FoundZone[] {
  const found: FoundZone[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const [zone, imageUuid, role, compute] = line.trim().split(/\s+/);
    if (zone === undefined || imageUuid === undefined || role === undefined || compute === undefined) {
      log.warn({ line }, 'vmadm printed a line that is not understood');
      continue;
    }
    if (compute !== 'removed' && roles.has(role)) found.push({ zone, imageUuid });
  }
  return found;
}

/** `imgadm list -H -o uuid,name,version`. A version such as `base/16.1.0` is what follows the slash. */
export function parseImages(text: string): FoundImage[] {
  const found: FoundImage[] = [];
  for (const line of text.split('\n')) {
    const [uuid, name, version] = line.trim().split(/\s+/);
    if (uuid === undefined || name === undefined || version === undefined) continue;
    found.push({ uuid, name, version: version.slice(version.indexOf('/') + 1) });
  }
  return found;
}

export interface ZoneEntry {
  /** Number of the running zone; null while it does not run. */
  readonly id: number | null;
  readonly zone: string;
  readonly state: string;
}

/** Lines of `zoneadm list -p`: `id:name:state:…`. */
export function parseZoneEntries(text: string): ZoneEntry[] {
  const entries: ZoneEntry[] = [];
  for (const line of text.split('\n')) {
    const [id = '', zone, state] = line.split(':');
    if (zone === undefined || state === undefined) continue;
    entries.push({ id: /^\d+$/.test(id) ? Number(id) : null, zone, state });
  }
  return entries;
}

/** `kstat -p`: a line `module:instance:name:statistic<tab>value` each. @returns statistics by `module:instance:name`. */
export function parseKstats(text: string): Map<string, Record<string, string>> {
  const found = new Map<string, Record<string, string>>();
  for (const line of text.split('\n')) {
    const tab = line.indexOf('\t');
    const colon = line.lastIndexOf(':', Math.max(tab, 0));
    if (tab < 0 || colon < 0) continue;
    const key = line.slice(0, colon);
    const statistics = found.get(key) ?? {};
    statistics[line.slice(colon + 1, tab)] = line.slice(tab + 1);
    found.set(key, statistics);
  }
  return found;
}

/** @throws VError */
export function onlyEntry(text: string, zone: string): ZoneEntry {
  const entry = parseZoneEntries(text).find((one) => one.zone === zone);
  if (entry === undefined) throw new VError('zoneadm does not list zone "%s"', zone);
  return entry;
}
