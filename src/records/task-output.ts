/**
 * Bucket `taskoutput`: one record per object that a task emitted. The outputs of a job are those of its last phase that
 * are committed and valid. Source: spec 03 §3.8.
 */
import type { FromSchema } from 'json-schema-to-ts';
import { type BucketConfig, indexOf } from './bucket-config.js';
import { reducerLimit } from './limits.js';
import { flag, type Known, link, nonEmpty, text, time, wholeNumber } from './schema-parts.js';
import { checkOf } from './validation.js';

export const taskOutputSchema = {
  type: 'object',
  required: ['jobId', 'taskId', 'domain', 'phaseNum', 'output', 'timeCreated'],
  properties: {
    jobId: nonEmpty,
    taskId: nonEmpty,
    domain: nonEmpty,
    phaseNum: wholeNumber,
    intermediate: flag,
    output: nonEmpty,
    rIdx: { type: 'integer', minimum: 0, maximum: reducerLimit - 1 },
    input: text,
    p0input: text,
    timeCreated: time,
    timeCommitted: time,
    valid: flag,
    timePropagated: time,
    nextRecordType: link,
    nextRecordId: text,
    timeJobCancelled: time,
  },
} as const;

export type TaskOutputRecord = Known<FromSchema<typeof taskOutputSchema>>;

export const taskOutputBucket: BucketConfig = {
  index: indexOf(
    ['jobId', 'taskId', 'domain', 'intermediate', 'timeCommitted', 'timeJobCancelled', 'timePropagated', 'valid'],
    { phaseNum: { type: 'number' }, rIdx: { type: 'number' } },
  ),
  options: {
    version: 2,
    accessPaths: [
      { fields: ['jobId', 'phaseNum'] },
      { fields: ['taskId'] },
      { fields: ['domain', 'intermediate'], present: ['timeCommitted'], absent: ['timePropagated'] },
    ],
  },
};

export const isTaskOutputRecord = checkOf<TaskOutputRecord>('taskoutput', taskOutputSchema);
