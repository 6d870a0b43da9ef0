/**
 * Bucket `jobinput`: one record per submitted name, duplicates allowed. The job record need not exist yet.
 * Source: spec 03 §3.5.
 */
import type { FromSchema } from 'json-schema-to-ts';
import { isoTime } from '../common/iso-time.js';
import { type BucketConfig, indexOf } from './bucket-config.js';
import { type Known, link, nonEmpty, text, time } from './schema-parts.js';
import { checkOf } from './validation.js';

export const jobInputSchema = {
  type: 'object',
  required: ['jobId', 'input', 'timeCreated'],
  properties: {
    jobId: nonEmpty,
    input: nonEmpty,
    domain: text,
    timeCreated: time,
    timePropagated: time,
    nextRecordType: link,
    nextRecordId: text,
    timeJobCancelled: time,
  },
} as const;

export type JobInputRecord = Known<FromSchema<typeof jobInputSchema>>;

export const jobInputBucket: BucketConfig = {
  index: indexOf(['jobId', 'domain', 'input', 'timeJobCancelled', 'timePropagated']),
  options: {
    version: 2,
    accessPaths: [
      { fields: ['jobId', 'timePropagated'] },
      { fields: ['domain'], absent: ['timePropagated', 'timeJobCancelled'] },
      { fields: ['jobId'], absent: ['domain'] },
    ],
  },
};

export const isJobInputRecord = checkOf<JobInputRecord>('jobinput', jobInputSchema);

/** @param domain of the job, when it is already assigned: a supervisor sees the record only with it. */
export function newJobInput(jobId: string, input: string, nowMs: number, domain?: string): JobInputRecord {
  return { jobId, input, timeCreated: isoTime(nowMs), ...(domain === undefined ? {} : { domain }) };
}
