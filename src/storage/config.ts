/** Configuration of `marlin storage`: one process may be several logical storage nodes, each with its own root. */
import type { FromSchema } from 'json-schema-to-ts';

const nodeSchema = {
  type: 'object',
  required: ['manta_storage_id', 'root', 'port', 'zone_uuid', 'manta_compute_id', 'server_uuid'],
  properties: {
    manta_storage_id: {
      type: 'string',
      minLength: 1,
      description: 'name of the node, stored in the `sharks` of objects',
    },
    root: { type: 'string', minLength: 1, description: 'directory of the objects: <root>/<creator>/<objectid>' },
    host: { type: 'string', default: '127.0.0.1', description: 'address to listen on' },
    port: { type: 'integer', minimum: 0, maximum: 65535, description: 'port to listen on; 0 takes a free one' },
    url: { type: 'string', minLength: 1, description: 'how others reach it; by default http://<host>:<port>' },
    zone_uuid: { type: 'string', minLength: 1, description: 'by which the agent of this machine finds the root' },
    manta_compute_id: { type: 'string', minLength: 1, description: 'the agent of this machine' },
    server_uuid: { type: 'string', minLength: 1, description: 'this machine' },
  },
} as const;

export const configSchema = {
  type: 'object',
  required: ['nodes', 'datacenter', 'moray'],
  properties: {
    nodes: { type: 'array', minItems: 1, items: nodeSchema, description: 'logical storage nodes of this process' },
    datacenter: { type: 'string', minLength: 1, description: 'placement domain of the nodes' },
    moray: {
      type: 'object',
      required: ['url'],
      properties: { url: { type: 'string', minLength: 1, description: 'tcp://host:port of Moray' } },
      description: 'where heartbeats go and the delete log is read',
    },
    heartbeatMs: { type: 'integer', minimum: 100, default: 30_000, description: 'ms between heartbeats' },
    removal: {
      type: 'object',
      default: {},
      properties: {
        graceMs: { type: 'integer', minimum: 0, default: 900_000, description: 'ms from the last entry to removal' },
        orphanGraceMs: {
          type: 'integer',
          minimum: 0,
          default: 86_400_000,
          description: 'ms that bytes without any entry are kept',
        },
        everyMs: { type: 'integer', minimum: 10, default: 60_000, description: 'ms between looks at the delete log' },
        walkEveryMs: {
          type: 'integer',
          minimum: 10,
          default: 21_600_000,
          description: 'ms between walks over all files',
        },
      },
      description: 'how bytes that no entry names any more are removed',
    },
    log: {
      type: 'object',
      default: {},
      properties: { file: { type: 'string', description: 'log file; by default standard output' } },
      description: 'where to log',
    },
  },
} as const;

export type StorageConfig = Readonly<FromSchema<typeof configSchema>>;
export type StorageNodeConfig = StorageConfig['nodes'][number];
