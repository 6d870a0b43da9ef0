/** Bucket `taskinput`: one record per object addressed to a reducer. Source: spec 03 §3.7. */
import type { FromSchema } from 'json-schema-to-ts';
import { type BucketConfig, indexOf } from './bucket-config.js';
import { flag, type Known, link, nonEmpty, text, time, wholeNumber } from './schema-parts.js';
import { checkOf } from './validation.js';

export const taskInputSchema = {
  type: 'object',
  required: [
    'taskInputId',
    'jobId',
    'taskId',
    'domain',
    'mantaComputeId',
    'agentGeneration',
    'input',
    'account',
    'objectid',
    'servers',
    'timeDispatched',
  ],
  properties: {
    taskInputId: nonEmpty,
    jobId: nonEmpty,
    taskId: nonEmpty,
    domain: nonEmpty,
    phaseNum: wholeNumber,
    mantaComputeId: nonEmpty,
    agentGeneration: nonEmpty,
    input: nonEmpty,
    account: nonEmpty,
    p0input: text,
    creator: text,
    objectid: text,
    servers: {
      type: 'array',
      items: {
        type: 'object',
        required: ['mantaComputeId', 'zonename'],
        properties: { mantaComputeId: nonEmpty, zonename: nonEmpty },
      },
    },
    timeDispatched: time,
    prevRecordType: link,
    prevRecordId: text,
    timeRead: time,
    timeJobCancelled: time,
    retryTaskId: text,
    retryMantaComputeId: text,
    retryAgentGeneration: text,
    timeRetried: time,
    wantInputRemoved: flag,
    timeInputRemoved: time,
  },
} as const;

export type TaskInputRecord = Known<FromSchema<typeof taskInputSchema>>;

export const taskInputBucket: BucketConfig = {
  index: indexOf(
    [
      'jobId',
      'domain',
      'taskId',
      'mantaComputeId',
      'agentGeneration',
      'timeJobCancelled',
      'timeRead',
      'timeRetried',
      'retryTaskId',
      'retryMantaComputeId',
      'retryAgentGeneration',
      'wantInputRemoved',
      'timeInputRemoved',
    ],
    { taskInputId: { type: 'string', unique: true }, phaseNum: { type: 'number' } },
  ),
  options: {
    version: 7,
    accessPaths: [
      { fields: ['jobId', 'phaseNum'] },
      { fields: ['taskId', 'wantInputRemoved'] },
      { fields: ['mantaComputeId', 'taskId'], absent: ['timeRead'] },
      { fields: ['domain', 'wantInputRemoved'], present: ['wantInputRemoved'], absent: ['timeInputRemoved'] },
      { fields: ['domain'], present: ['retryTaskId'], absent: ['timeRetried'] },
    ],
  },
};

export const isTaskInputRecord = checkOf<TaskInputRecord>('taskinput', taskInputSchema);
