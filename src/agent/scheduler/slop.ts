/**
 * Slop: memory and disk that are kept for groups whose phase asks for more than a zone has by default. A zone holds its
 * part from the moment it is given to such a group until it has been reset (or is out of service), because only then
 * the memory and disk are free again. Never more is granted than there is. Source: spec 05 §4.9.
 */
import assert from 'node:assert/strict';

export interface SlopAmount {
  readonly memoryMb: number;
  readonly diskGb: number;
}

export interface Slop {
  readonly total: SlopAmount;
  /** By zone. `returning`: its group has left it. */
  readonly granted: Map<string, SlopAmount & { returning: boolean }>;
  memoryUsedMb: number;
  diskUsedGb: number;
}

export function createSlop(total: SlopAmount): Slop {
  return { total, granted: new Map(), memoryUsedMb: 0, diskUsedGb: 0 };
}

/** @param also what will come back to the slop soon. @returns null if there is enough. */
export function lackOf(slop: Slop, wanted: SlopAmount, also: SlopAmount = nothing): 'memory' | 'disk' | null {
  const memoryMb = slop.total.memoryMb - slop.memoryUsedMb + also.memoryMb;
  const diskGb = slop.total.diskGb - slop.diskUsedGb + also.diskGb;
  if (wanted.memoryMb > 0 && wanted.memoryMb > memoryMb) return 'memory';
  if (wanted.diskGb > 0 && wanted.diskGb > diskGb) return 'disk';
  return null;
}

export function grantSlop(slop: Slop, zone: string, { memoryMb, diskGb }: SlopAmount): void {
  assert(lackOf(slop, { memoryMb, diskGb }) === null, `not enough memory or disk for zone "${zone}"`);
  assert(!slop.granted.has(zone), `zone "${zone}" holds memory or disk of its former group`);
  if (memoryMb === 0 && diskGb === 0) return;
  slop.granted.set(zone, { memoryMb, diskGb, returning: false });
  slop.memoryUsedMb += memoryMb;
  slop.diskUsedGb += diskGb;
}

/** The zone's group has left it: as soon as it has been reset the slop comes back. */
export function announceReturn(slop: Slop, zone: string): void {
  const granted = slop.granted.get(zone);
  if (granted !== undefined) granted.returning = true;
}

export function returnSlop(slop: Slop, zone: string): void {
  const granted = slop.granted.get(zone);
  if (granted === undefined) return;
  slop.granted.delete(zone);
  slop.memoryUsedMb -= granted.memoryMb;
  slop.diskUsedGb -= granted.diskGb;
}

/** What comes back soon: held by zones that are being reset, or by one of `also`. */
export function comingBack(slop: Slop, also: ReadonlySet<string>): SlopAmount {
  let [memoryMb, diskGb] = [0, 0];
  for (const [zone, granted] of slop.granted) {
    if (!granted.returning && !also.has(zone)) continue;
    memoryMb += granted.memoryMb;
    diskGb += granted.diskGb;
  }
  return { memoryMb, diskGb };
}

const nothing: SlopAmount = { memoryMb: 0, diskGb: 0 };
