/**
 * Bucket `storage` (`manta_storage`): written by the storage nodes, read to find which agent can reach an object and
 * which zone holds it. The compute engine never creates it. Source: spec 03 §3.12.
 */
import type { FromSchema } from 'json-schema-to-ts';
import { type Known, text } from './schema-parts.js';
import { checkOf } from './validation.js';

export const storageSchema = {
  type: 'object',
  properties: { server_uuid: text, zone_uuid: text, manta_compute_id: text, manta_storage_id: text, url: text },
} as const;

export type StorageRecord = Known<FromSchema<typeof storageSchema>>;

export const isStorageRecord = checkOf<StorageRecord>('storage', storageSchema);
