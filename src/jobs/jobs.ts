/** Composition of the job library. */
import type { Clock } from '../common/clock.js';
import type { MorayClient } from '../moray/client/types.js';
import type { BucketName } from '../records/buckets.js';
import type { Jobs } from './types.js';

export interface JobsOptions {
  readonly moray: MorayClient;
  /** Names in Moray by logical name. */
  readonly buckets: Readonly<Record<BucketName, string>>;
  readonly clock: Clock;
  /** Versions of images that phases may ask for. */
  readonly images: readonly string[];
  /** Random UUIDs. */
  readonly newId: () => string;
}

export function createJobs(options: JobsOptions): Jobs {
  throw new Error(`the job library for ${options.buckets.job} is being built`);
}
