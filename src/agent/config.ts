/** Configuration of the agent: names, types, defaults and meaning of every member. */
import type { FromSchema } from 'json-schema-to-ts';
import { defaultBuckets } from '../records/buckets.js';

const count = (value: number, description: string) =>
  ({ type: 'integer', minimum: 0, default: value, description }) as const;
const percent = (value: number, description: string) =>
  ({ type: 'integer', minimum: 0, maximum: 100, default: value, description }) as const;
const bucket = <Name extends string>(name: Name) => ({ type: 'string', minLength: 1, default: name }) as const;

const tunablesSchema = {
  type: 'object',
  default: {},
  properties: {
    httpMaxSockets: { type: 'integer', minimum: 1, default: 512, description: 'connections to the front door' },
    httpSpareSockets: { type: 'integer', minimum: 1, default: 16, description: 'idle ones kept' },
    httpTcpKeepAliveDelay: count(15_000, 'ms'),
    timeUpstreamConnect: count(30_000, 'ms that a request waits for a connection to the front door'),
    maxPendingOutputsPerTask: { type: 'integer', minimum: 1, default: 25, description: 'requests at once, per zone' },
    timeHeartbeat: { type: 'integer', minimum: 10, default: 3_000, description: 'ms' },
    timeHogGrace: count(300_000, 'ms that a group may hold too many zones before a task is killed'),
    timeHogKill: count(15_000, 'ms between two kills in one group'),
    timePoll: { type: 'integer', minimum: 10, default: 200, description: 'ms between polls while push is unproven' },
    timeTick: { type: 'integer', minimum: 10, default: 1_000, description: 'ms between looks at the zones' },
    timeAbandonedCheck: count(30_000, 'ms between looks for tasks that others have taken over'),
    timeTasksCheckpoint: count(300_000, 'ms between metering checkpoints of all tasks'),
    timeFrequentCheckpoint: count(5_000, 'ms, for jobs that ask for frequent checkpoints'),
    timeZoneIdleMin: count(10_000, 'ms that an idle zone stays with its task group'),
    timeZoneIdleMax: count(20_000, 'ms'),
    timeZoneTurn: count(10_000, 'ms that a task group keeps its zones while others have none'),
    timeLongPoll: count(300_000, 'ms that a lackey waits for a task before it is told that there is none'),
    zoneDisabledMaxPercent: percent(5, 'of the zones that silent lackeys may take out of service'),
    zoneDiskSlopPercent: percent(15, 'of the file system of dataDir, for tasks that ask for more than the default'),
    zoneMemorySlopPercent: percent(20, 'of the memory of this machine, likewise'),
    zoneLivenessCheck: count(120_000, 'ms without a sign of life of the lackey'),
    zoneReserveMin: count(1, 'zones kept for new task groups'),
    zoneReservePercent: percent(12, 'likewise'),
    zoneResetAttempts: { type: 'integer', minimum: 1, default: 3, description: 'before the zone is disabled' },
    timeZoneResetRetry: count(1_000, 'ms before the second attempt; doubles'),
  },
} as const;

export const configSchema = {
  type: 'object',
  required: ['instanceUuid', 'mantaComputeId', 'manta', 'moray', 'dataDir', 'installRoot'],
  properties: {
    instanceUuid: { type: 'string', minLength: 1, description: 'the server, in error and metering records' },
    mantaComputeId: { type: 'string', minLength: 1, description: 'this node, in every query and heartbeat' },
    host: { type: 'string', minLength: 1, default: '127.0.0.1', description: 'of the operator HTTP server' },
    datacenter: { type: 'string', minLength: 1, description: 'shown to operators' },
    port: { type: 'integer', minimum: 0, maximum: 65_535, default: 9080, description: 'of the operator HTTP server' },
    manta: { type: 'object', required: ['url'], properties: { url: { type: 'string', minLength: 1 } } },
    moray: { type: 'object', required: ['url'], properties: { url: { type: 'string', minLength: 1 } } },
    buckets: {
      type: 'object',
      default: {},
      properties: {
        error: bucket(defaultBuckets.error),
        health: bucket(defaultBuckets.health),
        job: bucket(defaultBuckets.job),
        task: bucket(defaultBuckets.task),
        taskinput: bucket(defaultBuckets.taskinput),
        taskoutput: bucket(defaultBuckets.taskoutput),
      },
    },
    tunables: tunablesSchema,
    zoneDefaultImage: { type: 'string', minLength: 1, default: '16.1.0', description: 'semver range' },
    zoneDefaults: {
      type: 'object',
      default: {},
      properties: {
        max_physical_memory: { type: 'integer', minimum: 1, default: 1024, description: 'MB' },
        max_swap: { type: 'integer', minimum: 1, default: 1024, description: 'MB' },
        quota: { type: 'integer', minimum: 1, default: 8, description: 'GB' },
        cpu_cap: { type: 'integer', minimum: 1, description: 'percent of one processor per zone; by default no cap' },
        tmpfs: { type: 'integer', minimum: 0, default: 0, description: 'MB' },
      },
    },
    zones: {
      type: 'array',
      default: [],
      uniqueItems: true,
      description: 'names; with the driver "smartos" those to use of the zones that are found, by default all',
      items: { type: 'string', minLength: 1 },
    },
    storage: {
      type: 'array',
      default: [],
      description: 'the storage nodes on this machine, whose files map tasks read in place',
      items: {
        type: 'object',
        required: ['zonename', 'root'],
        properties: { zonename: { type: 'string', minLength: 1 }, root: { type: 'string', minLength: 1 } },
      },
    },
    driver: { type: 'string', enum: ['auto', 'oci', 'smartos', 'process'], default: 'auto' },
    network: { type: 'string', enum: ['none', 'outbound'], default: 'none', description: 'of zones' },
    networkDeny: {
      type: 'array',
      default: [],
      description: 'IPv4 addresses and ranges that zones must not reach, beside private ones and those of this machine',
      items: { type: 'string', pattern: '^\\d+\\.\\d+\\.\\d+\\.\\d+(/\\d+)?$' },
    },
    dataDir: { type: 'string', minLength: 1, description: 'zones/ and run/ are made here' },
    installRoot: { type: 'string', minLength: 1, description: 'what zones see as /opt/marlin' },
    manageCorePattern: {
      type: 'boolean',
      default: false,
      description: 'while the agent runs, core files of the whole machine go to the directory of the process',
    },
    imagesDir: { type: 'string', minLength: 1, description: 'root file systems, one directory each' },
    zoneUidBase: {
      type: 'integer',
      minimum: 65_536,
      default: 1_000_000_000,
      description: 'first user id of the zones',
    },
    log: { type: 'object', properties: { file: { type: 'string', minLength: 1 } } },
  },
} as const;

export type AgentConfig = Readonly<FromSchema<typeof configSchema>>;
