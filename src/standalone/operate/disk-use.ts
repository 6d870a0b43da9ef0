/** How full the file systems of a one-box are, and what that keeps from working. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { configSchema } from '../../frontdoor/config.js';
import { figures } from '../../storage/heartbeat.js';
import { type Space, spaceOf } from '../../storage/object-files.js';

export interface DiskUse {
  readonly directory: string;
  readonly percentUsed: number;
  readonly availableMB: number;
  /** What does not work, or soon will not; null: there is room. */
  readonly problem: string | null;
}

/** A one-box leaves it at its default. */
const { maxPercentUsed } = configSchema.properties.storage.properties;
/** With less, whichever is more, the next object or job may fill it up, and then nothing can be recorded. */
const least = { megabytes: 64, share: 0.01 } as const;

/** Of the data directory, and of the objects in it if they are on another file system. */
export async function disksOf(data: string): Promise<readonly DiskUse[]> {
  const found = new Map<number, DiskUse>();
  for (const directory of [data, path.join(data, 'storage')]) {
    const stat = await fs.stat(directory).catch(() => null); // nothing was ever up there
    if (stat !== null && !found.has(stat.dev)) found.set(stat.dev, diskUse(directory, await spaceOf(directory)));
  }
  return [...found.values()];
}

export function diskUse(directory: string, space: Space): DiskUse {
  const { percentUsed, availableMB } = figures(space);
  const problems = [
    percentUsed > maxPercentUsed.default ? [`more than ${maxPercentUsed.default} % used: uploads are refused`] : [],
    availableMB < Math.max(least.megabytes, (least.share * space.totalBytes) / 1_048_576)
      ? ['almost no space left']
      : [],
  ].flat();
  return { directory, percentUsed, availableMB, problem: problems.join(', ') || null };
}
