/** Configuration of an archiver. Source of names and sample values: spec 07 §7.1. */
import type { FromSchema } from 'json-schema-to-ts';

const url = (description: string) =>
  ({
    type: 'object',
    required: ['url'],
    properties: { url: { type: 'string', minLength: 1, description } },
  }) as const;
const seconds = (description: string, value: number) =>
  ({ type: 'number', minimum: 0, default: value, description: `seconds: ${description}` }) as const;

export const configSchema = {
  type: 'object',
  required: ['port', 'manta', 'moray', 'auth', 'tokenKeyFile'],
  properties: {
    instance: { type: 'string', minLength: 1, description: 'own name in job records; by default the host name' },
    host: { type: 'string', default: '127.0.0.1', description: 'where the operator server listens' },
    port: { type: 'integer', minimum: 0, maximum: 65535, description: 'of the operator server; 0 takes a free one' },
    manta: url('front door, where archives are stored'),
    moray: url('tcp://HOST:PORT'),
    auth: url('Mahi, for the logins of owners'),
    tokenKeyFile: { type: 'string', minLength: 1, description: 'that of the front doors: with it the operator signs' },
    operator: { type: 'string', minLength: 1, default: 'poseidon', description: 'login that keeps copies of records' },
    pollInterval: seconds('between looks for finished jobs', 2),
    lingerTime: seconds('how long the records of an archived job are kept', 86_400),
    takeoverTime: seconds('silence after which the job of another archiver is taken over', 90),
    concurrency: { type: 'integer', minimum: 1, default: 10, description: 'jobs archived, or deleted, at once' },
    buckets: {
      type: 'object',
      default: {},
      description: 'names of the job buckets in Moray, where they differ from the usual',
      additionalProperties: { type: 'string' },
    },
    log: { type: 'object', default: {}, properties: { file: { type: 'string' } } },
  },
} as const;

export type ArchiverConfig = Readonly<FromSchema<typeof configSchema>>;
