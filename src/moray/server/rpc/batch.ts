/** The requests of a batch, as the engine takes them. */
import type { BatchItem, JsonObject } from '../engines/engine.js';
import { MorayError } from '../errors.js';
import type { RequestOptions } from '../query.js';

/**
 * Options of the batch go before those of an item, but for the etag of a delete. Whatever an item lacks is found before
 * anything is written.
 * @throws `AssertionError`, as the original.
 */
export function batchItem(request: JsonObject, batchOptions: RequestOptions): BatchItem {
  const itemOptions = (request['options'] ?? {}) as RequestOptions;
  const options = { ...itemOptions, ...batchOptions };
  const bucket = String(request['bucket']);
  switch (request['operation']) {
    case 'delete':
      return { operation: 'delete', bucket, key: text(request, 'key'), etag: itemOptions['etag'], options };
    case 'update':
      return {
        operation: 'update',
        bucket,
        fields: members(request, 'fields'),
        filter: text(request, 'filter'),
        options,
      };
    case 'deleteMany':
      return { operation: 'deleteMany', bucket, filter: text(request, 'filter'), options };
    default:
      return { operation: 'put', bucket, key: text(request, 'key'), value: members(request, 'value'), options };
  }
}

function text(request: JsonObject, member: string): string {
  const value = request[member];
  if (typeof value !== 'string') throw new MorayError('AssertionError', `${member} (string) is required`);
  return value;
}

function members(request: JsonObject, member: string): JsonObject {
  const value = request[member];
  if (typeof value !== 'object' || value === null) {
    throw new MorayError('AssertionError', 'object (object) is required');
  }
  return value as JsonObject;
}
