/**
 * The buckets that the compute engine keeps, created or brought up to date at start. A newer version in the store is a
 * newer component's business and is left alone. Fields that an older version did not index are filled in before anybody
 * searches them.
 */
import VError from 'verror';
import { type Clock, sleep } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import type { MorayClient } from '../moray/client/types.js';
import { bucketConfigs, type OwnBucketName } from '../records/bucket-configs.js';
import type { BucketName } from '../records/buckets.js';

const retryMs = 10_000;
const reindexCount = 500;

export interface EnsureBucketsOptions {
  readonly moray: MorayClient;
  readonly buckets: Readonly<Record<BucketName, string>>;
  readonly clock: Clock;
  readonly log: Logger;
  /** All of them by default. */
  readonly names?: readonly OwnBucketName[];
}

/** Repeats until it succeeds, or `signal` aborts. */
export async function ensureBuckets(options: EnsureBucketsOptions, signal?: AbortSignal): Promise<void> {
  const { clock, log, names = Object.keys(bucketConfigs) as OwnBucketName[] } = options;
  while (signal?.aborted !== true) {
    try {
      await Promise.all(names.map((name) => ensureBucket(options, name)));
      return;
    } catch (error) {
      log.warn({ err: error }, 'buckets are not ready, will try again');
      await sleep(clock, retryMs, signal);
    }
  }
}

async function ensureBucket({ moray, buckets, log }: EnsureBucketsOptions, name: OwnBucketName): Promise<void> {
  const bucket = buckets[name];
  try {
    await moray.putBucket(bucket, bucketConfigs[name]);
  } catch (error) {
    if (!VError.hasCauseWithName(error as Error, 'BucketVersionError')) throw error;
    log.warn({ err: error, bucket }, 'the bucket has a newer version, which is used as it is');
  }
  // A new version that adds no field has rows to be filled in, too, by Moray's rules: all of them, for nothing.
  const { reindex_active } = await moray.getBucket(bucket);
  if (Object.values(reindex_active ?? {}).every((fields) => fields.length === 0)) return;
  for (;;) {
    const { processed, remaining = 0 } = await moray.reindexObjects(bucket, reindexCount);
    if (processed === 0 && remaining === 0) return;
  }
}
