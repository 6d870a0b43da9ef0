/** From Moray's object to the record that everybody passes around. */
import type { MorayObject } from '../moray/client/types.js';
import type { BucketName } from '../records/buckets.js';
import type { Stored } from './types.js';

export function toStored<Value>(bucket: BucketName, object: MorayObject<Value>): Stored<Value> {
  const { key, value, _id: id, _etag: etag, _mtime: mtimeMs } = object;
  return { bucket, key, value, id, etag, mtimeMs };
}
