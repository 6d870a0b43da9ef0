/** The buckets of the namespace. Source: spec 07 §4.1. */
import VError from 'verror';
import type { BucketConfig, MorayClient } from '../../moray/client/types.js';
import { bucketConfigs } from '../../records/bucket-configs.js';
import type { BucketName } from '../../records/buckets.js';

export const entryBucket = 'manta';
export const countBucket = 'manta_directory_counts';
export const deleteLogBucket = 'manta_delete_log';

const text = { type: 'string' } as const;

/** In the order of creation: the counts are there before the first entry is counted. */
const namespaceBuckets: readonly { readonly name: string; readonly config: BucketConfig }[] = [
  { name: countBucket, config: { index: { entries: { type: 'number' } }, options: { version: 1 } } },
  { name: deleteLogBucket, config: { index: { objectId: text }, options: { version: 1 } } },
  {
    name: entryBucket,
    config: {
      index: { dirname: text, name: text, owner: text, objectId: text, type: text },
      options: {
        version: 2,
        countBy: { bucket: countBucket, attribute: 'dirname' },
        accessPaths: [
          { fields: ['dirname', 'name'] },
          { fields: ['dirname', '_mtime'] },
          { fields: ['objectId'], present: ['objectId'] },
        ],
      },
    },
  },
];

/**
 * Creates what is missing: the namespace, and the buckets of jobs, whose records are written here and looked for in the
 * others. A newer version than ours is somebody's who knows more: it stays.
 * @param names of the job buckets in Moray.
 */
export async function ensureBuckets(moray: MorayClient, names: Readonly<Record<BucketName, string>>): Promise<void> {
  const ofJobs = Object.entries(bucketConfigs).map(([name, config]) => ({ name: names[name as BucketName], config }));
  for (const { name, config } of [...namespaceBuckets, ...ofJobs]) {
    try {
      await moray.putBucket(name, config);
    } catch (error) {
      if (!VError.hasCauseWithName(error as Error, 'BucketVersionError')) throw error;
    }
  }
}
