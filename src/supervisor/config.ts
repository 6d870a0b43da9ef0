/** Configuration of a supervisor: names and sample values of spec 04 §1.8. */
import type { FromSchema } from 'json-schema-to-ts';
import { defaultBuckets } from '../records/buckets.js';

const ms = (description: string, value: number) =>
  ({ type: 'integer', minimum: 0, default: value, description: `ms: ${description}` }) as const;
const count = (description: string, value: number) =>
  ({ type: 'integer', minimum: 1, default: value, description }) as const;
const bucket = <const Name extends keyof typeof defaultBuckets>(name: Name) =>
  ({ type: 'string', minLength: 1, default: defaultBuckets[name] }) as const;
const url = { type: 'string', minLength: 1 } as const;
const morayServer = {
  type: 'object',
  required: ['url'],
  properties: { url: { ...url, description: 'tcp://HOST:PORT' } },
} as const;

export const configSchema = {
  type: 'object',
  required: ['instanceUuid', 'port', 'manta', 'moray', 'auth'],
  properties: {
    instanceUuid: { type: 'string', minLength: 1, description: 'own id, and id of the own domain' },
    host: { type: 'string', default: '127.0.0.1', description: 'where the operator server listens' },
    port: { type: 'integer', minimum: 0, maximum: 65535, description: 'of the operator server; 0 takes a free one' },
    log: { type: 'object', properties: { file: { type: 'string' } } },
    manta: {
      type: 'object',
      required: ['url'],
      properties: {
        url: { ...url, description: 'front door, for removing intermediate objects' },
        connectTimeout: ms('silence after which a removal is tried again', 30_000),
      },
    },
    moray: {
      type: 'object',
      required: ['index', 'storage'],
      properties: { index: morayServer, storage: morayServer },
    },
    auth: {
      type: 'object',
      required: ['url'],
      properties: {
        url: { ...url, description: 'Mahi' },
        maxAuthCacheSize: count('entries', 1000),
        maxAuthCacheAgeMs: ms('age of a kept answer', 300),
      },
    },
    buckets: {
      type: 'object',
      default: {},
      properties: {
        domain: bucket('domain'),
        error: bucket('error'),
        health: bucket('health'),
        job: bucket('job'),
        jobinput: bucket('jobinput'),
        storage: bucket('storage'),
        task: bucket('task'),
        taskinput: bucket('taskinput'),
        taskoutput: bucket('taskoutput'),
      },
    },
    tunables: {
      type: 'object',
      default: {},
      properties: {
        maxPendingDeletes: count('removals at a time', 50),
        maxPendingLocates: count('names in one look-up', 100),
        maxPendingDispatches: count('records in the pipeline at a time', 2000),
        maxRecordsPerUpdate: count('records per mass update', 500),
        maxRecordsPerCancel: count('records per mass update of a cancellation', 250),
        maxTasksPerAgent: count('unfinished tasks of a job at an agent', 1000),
        maxTaskRetries: { type: 'integer', minimum: 0, default: 2, description: 'attempts beyond the first' },
        timeAgentPoll: ms('between looks at the health of agents', 5000),
        timeAgentTimeout: ms('silence after which an agent is lost', 60_000),
        timeHeartbeat: ms('between own heartbeats', 5000),
        timeJobIdleClose: ms('without input after which input ends; 0: never', 3_600_000),
        timeJobSave: ms('between saves of a changed job', 1000),
        timeJobStill: ms('standing still after which a job is counted again', 10_000),
        timeMarkInputs: ms('between stampings of inputs that know no domain', 5000),
        timePatience: ms('a transient fault of a look-up is waited out', 30_000),
        timePoll: ms('between passes of a query while push is not proven', 200),
        timeWorkerAbandon: ms('silence after which a peer is lost', 30_000),
        timeWorkerPoll: ms('between looks at peers and domains', 5000),
      },
    },
  },
} as const;

export type SupervisorConfig = Readonly<FromSchema<typeof configSchema>>;
export type Tunables = SupervisorConfig['tunables'];
