/**
 * Bucket `health`: the heartbeat of each agent and supervisor, rewritten unconditionally. Liveness is judged by changes
 * of its `_mtime`, never by comparing clocks. Source: spec 03 §3.10.
 */
import type { FromSchema } from 'json-schema-to-ts';
import { type BucketConfig, indexOf } from './bucket-config.js';
import { type Known, nonEmpty, text } from './schema-parts.js';
import { checkOf } from './validation.js';

export const healthSchema = {
  type: 'object',
  required: ['component', 'instance', 'generation'],
  properties: {
    component: { type: 'string', enum: ['agent', 'worker'] },
    instance: nonEmpty,
    generation: nonEmpty,
    serverUuid: text,
  },
} as const;

export type HealthRecord = Known<FromSchema<typeof healthSchema>>;

export const healthBucket: BucketConfig = {
  index: indexOf(['component', 'instance', 'generation']),
  options: { version: 1, accessPaths: [{ fields: ['component'] }] },
};

export const isHealthRecord = checkOf<HealthRecord>('health', healthSchema);
