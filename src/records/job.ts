/**
 * Bucket `job`: one record per job. Created by the front door (or an operator), then owned by one supervisor domain,
 * archived and at last deleted by the archiver. Source: spec 03 §3.3 and §3.4.
 */
import type { FromSchema } from 'json-schema-to-ts';
import { type BucketConfig, indexOf } from './bucket-config.js';
import { diskSizesGb, jobStates, memorySizesMb, phaseTypes, reducerLimit } from './limits.js';
import { type Known, nonEmpty, text, time, wholeNumber } from './schema-parts.js';
import { checkOf } from './validation.js';

/** Closed: a phase with a member that we do not know would do something else than its author meant. */
const phaseSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['exec'],
  properties: {
    type: { type: 'string', enum: phaseTypes },
    exec: nonEmpty,
    init: text,
    assets: { type: 'array', items: text },
    count: { type: 'integer', minimum: 1, maximum: reducerLimit },
    memory: { type: 'number', enum: memorySizesMb },
    disk: { type: 'number', enum: diskSizesGb },
    image: text,
    uarg: { type: 'object' },
  },
} as const;

export type Phase = Known<FromSchema<typeof phaseSchema>>;

const authSchema = {
  type: 'object',
  required: ['login', 'token'],
  properties: {
    login: nonEmpty,
    token: nonEmpty,
    principal: { type: 'object' },
    conditions: { type: 'object' },
    uuid: text,
    groups: { type: 'array', items: text },
  },
} as const;

export type JobAuth = Known<FromSchema<typeof authSchema>>;

const statsSchema = {
  type: 'object',
  properties: {
    nAssigns: wholeNumber,
    nErrors: wholeNumber,
    nRetries: wholeNumber,
    nInputsRead: wholeNumber,
    nJobOutputs: wholeNumber,
    nTasksDispatched: wholeNumber,
    nTasksCommittedOk: wholeNumber,
    nTasksCommittedFail: wholeNumber,
  },
} as const;

export type JobStats = Known<FromSchema<typeof statsSchema>>;

export const jobSchema = {
  type: 'object',
  required: ['jobId', 'owner', 'name', 'phases', 'state', 'timeCreated'],
  properties: {
    jobId: nonEmpty,
    owner: nonEmpty,
    name: text,
    authToken: text,
    auth: authSchema,
    phases: { type: 'array', items: phaseSchema },
    options: {
      type: 'object',
      properties: { keepIntermediate: { type: 'boolean' }, frequentCheckpoint: { type: 'boolean' } },
    },
    transient: { type: 'boolean' },
    state: { type: 'string', enum: jobStates },
    timeCreated: time,
    worker: text,
    timeAssigned: time,
    timeInputDone: time,
    timeInputDoneRead: time,
    timeDone: time,
    timeCancelled: time,
    wrasse: text,
    timeArchiveStarted: time,
    timeArchiveDone: time,
    stats: statsSchema,
    input: {},
  },
} as const;

export type JobRecord = Known<FromSchema<typeof jobSchema>>;

export const jobBucket: BucketConfig = {
  index: indexOf(
    [
      'name',
      'owner',
      'state',
      'worker',
      'timeCancelled',
      'timeInputDone',
      'timeInputDoneRead',
      'timeDone',
      'timeArchiveDone',
      'wrasse',
      'timeArchiveStarted',
    ],
    { jobId: { type: 'string', unique: true }, transient: { type: 'boolean' } },
  ),
  options: {
    version: 5,
    accessPaths: [
      { fields: ['worker', 'state'] },
      { fields: ['worker', 'state'], present: ['timeCancelled'] },
      { fields: ['worker', 'state'], present: ['timeInputDone'], absent: ['timeInputDoneRead'] },
      { fields: ['state'] },
      { fields: ['owner', 'state'] },
      { fields: ['timeDone'], absent: ['timeArchiveDone'] },
      { fields: ['timeArchiveDone'], present: ['timeArchiveDone'] },
    ],
  },
};

export const isJobRecord = checkOf<JobRecord>('job', jobSchema);

/** All counters of a job that was just assigned for the first time. */
export const freshStats = {
  nAssigns: 1,
  nErrors: 0,
  nRetries: 0,
  nInputsRead: 0,
  nJobOutputs: 0,
  nTasksDispatched: 0,
  nTasksCommittedOk: 0,
  nTasksCommittedFail: 0,
} as const satisfies JobStats;

/** Whether the owner of the job is an operator: such a job may read everything. */
export function isPrivileged(auth: JobAuth): boolean {
  const principal = auth.principal as { account?: { isOperator?: unknown } } | undefined;
  if (principal !== undefined) return principal.account?.isOperator === true;
  return auth.groups?.includes('operators') === true;
}
