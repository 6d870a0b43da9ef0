/** Configuration of `marlin moray`. */
import type { FromSchema } from 'json-schema-to-ts';

export const configSchema = {
  type: 'object',
  required: ['dataFile'],
  properties: {
    host: { type: 'string', default: '127.0.0.1', description: 'address to listen on: there is no authentication' },
    port: { type: 'integer', minimum: 0, maximum: 65_535, default: 2020, description: 'of the Fast protocol; 0: any' },
    monitorPort: {
      type: 'integer',
      minimum: 0,
      maximum: 65_535,
      description: 'of GET /metrics; absent: not served, 0: any',
    },
    dataFile: { type: 'string', minLength: 1, description: 'SQLite database, made if missing' },
    maxFrameBytes: {
      type: 'integer',
      minimum: 1024,
      default: 67_108_864,
      description: 'payload beyond which a connection is closed',
    },
    synchronous: {
      enum: ['full', 'normal', 'off'],
      default: 'full',
      description: 'what was acknowledged survives: loss of power, death of the process, an orderly stop',
    },
    readers: { type: 'integer', minimum: 1, maximum: 64, default: 2, description: 'threads that search' },
    log: { type: 'object', properties: { file: { type: 'string', description: 'absent: standard output' } } },
  },
} as const;

export type MorayConfig = FromSchema<typeof configSchema>;
