/**
 * A lackey that is silent for long while it has work is taken for dead, and the user told the most likely reason: memory
 * or disk ran out, else it is our own failure and the zone is suspect. Source: spec 05 §8.1.
 */
import { type TaskError, taskErrors } from '../../records/error-codes.js';
import type { Meter } from '../metering/meter.js';
import { hasWork, type Stream, type Streams } from './streams.js';

export interface LivenessParts {
  readonly streams: Streams;
  readonly meter: Pick<Meter, 'sample'>;
  readonly nowMs: () => number;
  readonly limitMs: number;
  readonly markFailed: (zone: string) => void;
}

const lowDiskBytes = 10 * 1024 * 1024;

export async function stopSilentZones(parts: LivenessParts): Promise<void> {
  for (const stream of [...parts.streams.byZone.values()]) {
    const { task } = stream;
    if (!isSilent(parts, stream)) continue;
    const reason = await reasonOf(parts, stream);
    if (!isSilent(parts, stream) || stream.task !== task) continue;
    if (reason === null) parts.markFailed(stream.zone);
    parts.streams.stop(stream.zone, reason ?? taskErrors.lackeyTimedOut());
  }
}

function isSilent(parts: LivenessParts, stream: Stream): boolean {
  const busy = parts.streams.current(stream.zone);
  return busy !== null && hasWork(busy) && parts.nowMs() - stream.lastContactMs > parts.limitMs;
}

/** Why the programs of a zone may have stopped; null when nothing points to the user's command. */
export async function reasonOf(parts: Pick<LivenessParts, 'meter'>, stream: Stream): Promise<TaskError | null> {
  const sample = await parts.meter.sample(stream.zone).catch(() => null);
  if (sample === null) return null;
  const { memoryFailures, freeDiskBytes } = sample.usage;
  if (memoryFailures > (stream.account?.start.usage.memoryFailures ?? 0)) return taskErrors.outOfMemory();
  if (freeDiskBytes !== undefined && freeDiskBytes < lowDiskBytes) return taskErrors.outOfDisk();
  return null;
}
