/**
 * Properties of a zone: memory, swap, disk and whatever else `zoneDefaults` names, set by `vmadm update` while it runs.
 * Only what differs from what this agent set last is sent; after a start nothing is known, so the first time all is.
 * vmadm computes `tmpfs` anew whenever memory changes, so it is always sent along. Source: spec 05 §5.5.
 */
import type { ZoneLimits } from '../../driver.js';

export type Properties = Readonly<Record<string, string | number | boolean>>;

/** What a zone with these limits is to have. @param defaults `zoneDefaults` of the configuration. */
export function propertiesFor(defaults: Properties, { memoryMb, diskGb }: ZoneLimits): Properties {
  const usualMemory = defaults['max_physical_memory'];
  // The default of swap may be another one; a phase that asks for memory gets as much of both.
  const max_swap = memoryMb === usualMemory ? (defaults['max_swap'] ?? memoryMb) : memoryMb;
  return { ...defaults, max_physical_memory: memoryMb, max_swap, quota: diskGb };
}

/** @returns the arguments of `vmadm update`, `key=value` each; none: there is nothing to set. */
export function changes(known: Properties, wanted: Properties): string[] {
  const different = Object.entries(wanted).filter(([key, value]) => known[key] !== value && key !== 'tmpfs');
  const tmpfs = wanted['tmpfs'] ?? known['tmpfs'];
  if (different.length === 0 && tmpfs === known['tmpfs']) return [];
  const all = tmpfs === undefined ? different : [...different, ['tmpfs', tmpfs] as const];
  return all.map(([key, value]) => `${key}=${value}`);
}

/** What vmadm can be given of `zoneDefaults`. */
export function propertiesIn(zoneDefaults: Readonly<Record<string, unknown>>): Properties {
  const properties: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(zoneDefaults)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') properties[key] = value;
  }
  return properties;
}
