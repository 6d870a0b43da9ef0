/** DELETE of an object: the entry goes at once, its bytes when a storage node has seen that nothing names them. */
import { httpError } from '../../http/errors.js';
import { isObject, type ObjectEntry, type StoredEntry } from '../metadata/entry.js';
import { removeEntry } from '../metadata/load.js';
import type { Call } from '../request/call.js';
import { assertAllowed } from '../request/permission.js';
import { respondEmpty } from '../request/respond.js';
import { checkConditions } from './check-conditions.js';

export async function removeObject(call: Call, stored: StoredEntry<ObjectEntry>): Promise<void> {
  assertAllowed(call, { action: 'deleteobject', key: call.key, roles: stored.entry.roles });
  checkConditions(call, stored);
  await removeEntry(call, stored, (now) => {
    if (!isObject(now)) throw httpError('ConcurrentRequest', call.path);
  });
  const { etag, mtime } = stored.entry;
  respondEmpty(call.response, 204, { Etag: etag, 'Last-Modified': new Date(mtime).toUTCString() });
}
