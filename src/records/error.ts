/** Bucket `error`: one record per failed dispatch or failed task attempt, retried or not. Source: spec 03 §3.9. */
import type { FromSchema } from 'json-schema-to-ts';
import { type BucketConfig, indexOf } from './bucket-config.js';
import { flag, type Known, link, nonEmpty, text, time } from './schema-parts.js';
import { checkOf } from './validation.js';

export const errorSchema = {
  type: 'object',
  required: ['errorId', 'jobId', 'domain', 'phaseNum', 'errorCode', 'errorMessage'],
  properties: {
    errorId: nonEmpty,
    jobId: nonEmpty,
    domain: nonEmpty,
    /** Written as a number, indexed as a string, so read as a string. */
    phaseNum: { type: ['integer', 'string'] },
    errorCode: text,
    errorMessage: text,
    errorMessageInternal: text,
    input: text,
    p0input: text,
    taskId: text,
    server: text,
    mantaComputeId: text,
    machine: text,
    stderr: text,
    core: text,
    prevRecordType: link,
    prevRecordId: text,
    retried: flag,
    timeCommitted: time,
  },
} as const;

export type ErrorRecord = Known<FromSchema<typeof errorSchema>>;

export const errorBucket: BucketConfig = {
  index: indexOf([
    'errorId',
    'jobId',
    'domain',
    'phaseNum',
    'timeCommitted',
    'retried',
    'errorCode',
    'taskId',
    'server',
    'mantaComputeId',
    'machine',
  ]),
  options: {
    version: 3,
    accessPaths: [{ fields: ['jobId', 'retried'] }, { fields: ['taskId'], present: ['taskId'] }],
  },
};

export const isErrorRecord = checkOf<ErrorRecord>('error', errorSchema);
