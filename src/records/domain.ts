/**
 * Bucket `domain`: the unit of job ownership. A job's `worker` names a domain, and one supervisor operates a domain at a
 * time. Source: spec 03 §3.11.
 */
import type { FromSchema } from 'json-schema-to-ts';
import { type BucketConfig, indexOf } from './bucket-config.js';
import { type Known, nonEmpty, text } from './schema-parts.js';
import { checkOf } from './validation.js';

export const domainSchema = {
  type: 'object',
  required: ['domainId'],
  properties: { domainId: nonEmpty, operatedBy: text, wantTransfer: text },
} as const;

export type DomainRecord = Known<FromSchema<typeof domainSchema>>;

export const domainBucket: BucketConfig = {
  index: indexOf(['domainId']),
  options: { version: 1, accessPaths: [{ fields: ['domainId'] }] },
};

export const isDomainRecord = checkOf<DomainRecord>('domain', domainSchema);
