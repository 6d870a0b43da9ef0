/** What a storage node says about itself, every 30 s: where it is, how full it is. Placement believes recent ones only. */
import type { MorayClient } from '../moray/client/types.js';
import type { StorageNodeConfig } from './config.js';
import type { ObjectFiles, Space } from './object-files.js';

export const storageBucket = 'manta_storage';

const text = { type: 'string' } as const;
const number = { type: 'number' } as const;

const storageBucketConfig = {
  index: {
    hostname: text,
    server_uuid: text,
    zone_uuid: text,
    manta_compute_id: text,
    manta_storage_id: text,
    availableMB: number,
    percentUsed: number,
    timestamp: number,
  },
  options: { version: 1 },
} as const;

/** Safe to repeat; a bucket of a newer version stays as it is. */
export async function ensureStorageBucket(moray: MorayClient): Promise<void> {
  try {
    await moray.putBucket(storageBucket, storageBucketConfig);
  } catch (error) {
    if ((error as Error).name !== 'BucketVersionError') throw error;
  }
}

export interface HeartbeatSource {
  readonly node: StorageNodeConfig;
  readonly datacenter: string;
  readonly url: string;
  readonly files: ObjectFiles;
}

export async function beat(moray: MorayClient, source: HeartbeatSource, nowMs: number): Promise<void> {
  const record = heartbeatRecord(source, await source.files.space(), nowMs);
  await moray.putObject(storageBucket, source.node.manta_storage_id, record);
}

function heartbeatRecord({ node, datacenter, url }: HeartbeatSource, space: Space, nowMs: number): object {
  return {
    hostname: node.manta_storage_id,
    manta_storage_id: node.manta_storage_id,
    manta_compute_id: node.manta_compute_id,
    zone_uuid: node.zone_uuid,
    server_uuid: node.server_uuid,
    datacenter,
    url,
    ...figures(space),
    timestamp: nowMs,
    filesystem: node.root,
    statvfs: space,
  };
}

/** As placement compares them: whole megabytes, rounded to the cautious side. */
export function figures({ totalBytes, usedBytes, availableBytes }: Space): {
  availableMB: number;
  percentUsed: number;
} {
  return {
    availableMB: Math.floor(availableBytes / 1_048_576),
    percentUsed: totalBytes === 0 ? 100 : Math.ceil((100 * usedBytes) / totalBytes),
  };
}
