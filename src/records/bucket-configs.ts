/** The buckets that the compute engine creates, by logical name. */
import type { BucketConfig } from './bucket-config.js';
import type { BucketName } from './buckets.js';
import { domainBucket } from './domain.js';
import { errorBucket } from './error.js';
import { healthBucket } from './health.js';
import { jobBucket } from './job.js';
import { jobInputBucket } from './job-input.js';
import { taskBucket } from './task.js';
import { taskInputBucket } from './task-input.js';
import { taskOutputBucket } from './task-output.js';

export type OwnBucketName = Exclude<BucketName, 'storage'>;

export const bucketConfigs: Readonly<Record<OwnBucketName, BucketConfig>> = {
  domain: domainBucket,
  error: errorBucket,
  health: healthBucket,
  job: jobBucket,
  jobinput: jobInputBucket,
  task: taskBucket,
  taskinput: taskInputBucket,
  taskoutput: taskOutputBucket,
};
