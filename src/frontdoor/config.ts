/** Configuration of the front door: one schema gives types, defaults, checks and the reference page. */
import type { FromSchema } from 'json-schema-to-ts';

export const configSchema = {
  type: 'object',
  required: ['port', 'moray', 'tokenKeyFile'],
  oneOf: [{ required: ['accountsFile'] }, { required: ['auth'] }],
  properties: {
    host: { type: 'string', default: '127.0.0.1', description: 'address that the HTTP API listens on' },
    port: { type: 'integer', minimum: 0, maximum: 65535, description: 'port of the HTTP API; 0: any free one' },
    moray: {
      type: 'object',
      required: ['url'],
      properties: { url: { type: 'string', description: 'tcp://HOST:PORT of the metadata store' } },
    },
    accountsFile: {
      type: 'string',
      minLength: 1,
      description: 'JSON file of accounts, read again when it changes; this or auth must be given',
    },
    auth: {
      type: 'object',
      required: ['url'],
      description: 'in place of accountsFile: who keeps the accounts',
      properties: { url: { type: 'string', minLength: 1, description: 'http://HOST:PORT of a Mahi' } },
    },
    tokenKeyFile: { type: 'string', description: 'file with the 32 bytes, in hex, that seal tokens' },
    mahi: {
      type: 'object',
      required: ['port'],
      description: 'the accounts port: answers look-ups of accounts, as Mahi; absent: none is opened',
      properties: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'integer', minimum: 0, maximum: 65535 },
      },
    },
    datacenter: { type: 'string', default: '', description: 'named in the conditions of jobs as their region' },
    multiDC: { type: 'boolean', default: false, description: 'copies of an object need two datacenters' },
    maxObjectCopies: { type: 'integer', minimum: 1, default: 9, description: 'largest durability-level' },
    enableMPU: { type: 'boolean', default: true, description: 'multipart uploads are served' },
    maxStreamingSizeMb: {
      type: 'integer',
      minimum: 1,
      default: 5120,
      description: 'largest upload of unknown length that does not name its own limit',
    },
    maxRequestAgeS: { type: 'integer', minimum: 1, default: 600, description: 'oldest Date header that is accepted' },
    socketTimeoutMs: {
      type: 'integer',
      minimum: 1,
      default: 120_000,
      description:
        'longest silence of a client, also between requests; jobs and operators may be silent between requests',
    },
    headTimeoutMs: {
      type: 'integer',
      minimum: 1,
      default: 60_000,
      description: 'longest time from the begin of a connection or request to the end of the head',
    },
    dataTimeoutMs: {
      type: 'integer',
      minimum: 1,
      default: 45_000,
      description: 'longest wait for the next byte of an upload',
    },
    entryWithinMs: {
      type: 'integer',
      minimum: 1,
      default: 3_600_000,
      description:
        'longest time from the last byte of an object to its entry; well below removal.orphanGraceMs of storage nodes',
    },
    linkWithinMs: {
      type: 'integer',
      minimum: 1,
      default: 300_000,
      description:
        'longest time from the look at the source of a link to its entry; well below removal.graceMs of storage nodes',
    },
    sessionTimeoutMs: {
      type: 'integer',
      minimum: 1,
      default: 30_000,
      description: 'longest silence of either end of an interactive session',
    },
    storage: {
      type: 'object',
      default: {},
      description: 'how storage nodes are chosen',
      properties: {
        pollMs: { type: 'integer', minimum: 1, default: 5_000, description: 'between looks at manta_storage' },
        lagMs: { type: 'integer', minimum: 1, default: 60_000, description: 'oldest heartbeat of a node in use' },
        maxPercentUsed: { type: 'integer', minimum: 1, maximum: 100, default: 90 },
        maxOperatorPercentUsed: { type: 'integer', minimum: 1, maximum: 100, default: 92 },
        connectTimeoutMs: { type: 'integer', minimum: 1, default: 2_000 },
      },
    },
    monitorPort: {
      type: 'integer',
      minimum: 0,
      maximum: 65535,
      description: 'of GET /metrics and /kang/snapshot; absent: not served, 0: any',
    },
    limits: {
      type: 'object',
      default: {},
      description: 'what others are protected from, in each front door; 0: no limit. Operators and jobs have none',
      properties: {
        requestsPerSecond: { type: 'integer', minimum: 0, default: 2_000, description: 'of an account and its users' },
        requestsAtOnce: {
          type: 'integer',
          minimum: 0,
          default: 1_000,
          description: 'of an account and its users, under way at a time',
        },
        anonymousRequestsPerSecond: {
          type: 'integer',
          minimum: 0,
          default: 500,
          description: 'without good credentials, of one client address (IPv6: network of 64 bits)',
        },
        anonymousRequestsAtOnce: {
          type: 'integer',
          minimum: 0,
          default: 500,
          description: 'without credentials, of one client address, under way at a time',
        },
        burstS: {
          type: 'integer',
          minimum: 1,
          default: 10,
          description: 'seconds of quiet that a client may make up for at once',
        },
        liveJobs: { type: 'integer', minimum: 0, default: 10_000, description: 'jobs of an account that are not done' },
        connections: { type: 'integer', minimum: 0, default: 10_000, description: 'open at a time, of everybody' },
        connectionsPerAddress: {
          type: 'integer',
          minimum: 0,
          default: 2_000,
          description: 'open at a time, of one client address; not behind a balancer',
        },
        requestsPerConnection: {
          type: 'integer',
          minimum: 0,
          default: 10_000,
          description: 'the answer to the last one closes it',
        },
        behindBalancer: {
          type: 'boolean',
          default: false,
          description: 'the client address is the last one in X-Forwarded-For',
        },
      },
    },
    images: {
      type: 'array',
      items: { type: 'string' },
      default: ['13.1.0', '13.3.4', '13.3.5', '13.3.6', '16.1.0'],
      description: 'versions that the image of a phase may ask for',
    },
    buckets: {
      type: 'object',
      default: {},
      description: 'names of the job buckets in Moray, where they differ from the usual',
      additionalProperties: { type: 'string' },
    },
    log: { type: 'object', default: {}, properties: { file: { type: 'string' }, level: { type: 'string' } } },
  },
} as const;

export type FrontdoorConfig = Readonly<FromSchema<typeof configSchema>>;
