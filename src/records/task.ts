/**
 * Bucket `task`: one record per attempt to run a task: per input object for map phases, per reducer for reduce phases.
 * The supervisor writes the definition and the bookkeeping, the agent the progress. Source: spec 03 §3.6.
 */
import type { FromSchema } from 'json-schema-to-ts';
import { type BucketConfig, indexOf } from './bucket-config.js';
import { taskResults, taskStates } from './limits.js';
import { flag, type Known, link, nonEmpty, text, time, wholeNumber } from './schema-parts.js';
import { checkOf } from './validation.js';

export const taskSchema = {
  type: 'object',
  required: ['taskId', 'jobId', 'domain', 'phaseNum', 'mantaComputeId', 'agentGeneration', 'state', 'timeDispatched'],
  properties: {
    // What is to be done, never changed.
    taskId: nonEmpty,
    jobId: nonEmpty,
    domain: nonEmpty,
    phaseNum: wholeNumber,
    mantaComputeId: nonEmpty,
    agentGeneration: nonEmpty,
    nattempts: wholeNumber,
    timeDispatched: time,
    input: text,
    p0input: text,
    account: text,
    creator: text,
    objectid: text,
    zonename: text,
    prevRecordType: link,
    prevRecordId: text,
    rIdx: wholeNumber,
    // How far it is.
    state: { type: 'string', enum: taskStates },
    timeDispatchDone: time,
    timeAccepted: time,
    timeInputDone: time,
    nInputs: wholeNumber,
    timeInputDoneRead: time,
    timeStarted: time,
    timeDone: time,
    result: { type: 'string', enum: taskResults },
    nOutputs: wholeNumber,
    machine: text,
    errorCode: text,
    timeAbandoned: time,
    timeCancelled: time,
    timeCommitted: time,
    timeOutputsMarkStart: time,
    timeOutputsMarkDone: time,
    timeInputsMarkCleanupStart: time,
    timeInputsMarkCleanupDone: time,
    wantInputRemoved: flag,
    timeInputRemoved: time,
    wantRetry: flag,
    timeRetried: time,
    retryTaskId: text,
    retryMantaComputeId: text,
    retryAgentGeneration: text,
    timeInputsMarkRetryStart: time,
    timeInputsMarkRetryDone: time,
    nextRecordType: link,
    nextRecordId: text,
  },
} as const;

export type TaskRecord = Known<FromSchema<typeof taskSchema>>;

export const taskBucket: BucketConfig = {
  index: indexOf(
    [
      'jobId',
      'domain',
      'mantaComputeId',
      'agentGeneration',
      'result',
      'state',
      'wantRetry',
      'wantInputRemoved',
      'timeDispatchDone',
      'timeAbandoned',
      'timeCancelled',
      'timeInputDone',
      'timeInputDoneRead',
      'timeCommitted',
      'timeDone',
      'timeRetried',
      'timeInputRemoved',
      'timeOutputsMarkStart',
      'timeOutputsMarkDone',
      'timeInputsMarkCleanupStart',
      'timeInputsMarkCleanupDone',
      'timeInputsMarkRetryStart',
      'timeInputsMarkRetryDone',
      'machine',
    ],
    {
      taskId: { type: 'string', unique: true },
      phaseNum: { type: 'number' },
      rIdx: { type: 'number' },
      nattempts: { type: 'number' },
      nOutputs: { type: 'number' },
    },
  ),
  options: {
    version: 5,
    accessPaths: [
      { fields: ['jobId', 'phaseNum'] },
      { fields: ['mantaComputeId', 'state', 'agentGeneration'] },
      { fields: ['domain', 'state'], absent: ['timeCommitted'] },
      { fields: ['domain'], present: ['timeOutputsMarkStart'], absent: ['timeOutputsMarkDone'] },
      { fields: ['domain'], present: ['timeInputsMarkCleanupStart'], absent: ['timeInputsMarkCleanupDone'] },
      { fields: ['domain'], present: ['timeInputsMarkRetryStart'], absent: ['timeInputsMarkRetryDone'] },
      { fields: ['domain', 'wantInputRemoved'], present: ['wantInputRemoved'], absent: ['timeInputRemoved'] },
      { fields: ['domain', 'wantRetry'], present: ['wantRetry'], absent: ['timeRetried'] },
      { fields: ['jobId', 'rIdx'], present: ['rIdx'] },
      { fields: ['jobId', 'state'], absent: ['timeCommitted'] },
    ],
  },
};

export const isTaskRecord = checkOf<TaskRecord>('task', taskSchema);
