/** `PUT path?metadata=true`: replaces what is stored about an entry, and leaves its bytes alone. */
import { httpError } from '../../http/errors.js';
import { type Entry, isObject, type StoredEntry } from '../metadata/entry.js';
import { loadForWriting, rolesOf, writeEntry } from '../metadata/load.js';
import type { Call } from '../request/call.js';
import { assertAllowed, roleTags } from '../request/permission.js';
import { respondEmpty } from '../request/respond.js';
import { checkConditions } from './check-conditions.js';
import { headersToStore } from './stored-headers.js';

/** They describe bytes, which are not sent. */
const refusedHeaders = ['content-length', 'content-md5', 'durability-level'];

export async function updateMetadata(call: Call): Promise<void> {
  if (call.target.kind === 'account root') {
    throw httpError('OperationNotAllowedOnRootDirectory', call.method, call.path);
  }
  const loaded = await loadForWriting(call);
  const { stored } = loaded;
  if (stored === undefined) throw httpError('ResourceNotFound', call.path);
  const roles = await roleTags(call);
  const action = isObject(stored) ? 'putobject' : 'putdirectory';
  assertAllowed(call, { action, key: call.key, roles: rolesOf(loaded), conditions: { overwrite: true } });
  if (isObject(stored)) checkConditions(call, stored);
  const refused = refusedHeaders.find((name) => call.request.headers[name] !== undefined);
  if (refused !== undefined) throw httpError('InvalidUpdate', refused, isObject(stored) ? '' : ' on a directory');

  if (call.request.headers.expect !== undefined) call.response.writeContinue();
  call.request.resume(); // nothing is expected in the body, and nothing of it is kept
  const written = await writeEntry(call, stored, (before) => updated(call, roles, before));
  respondEmpty(call.response, 204, {
    Etag: written.type === 'object' ? written.etag : undefined,
    'Last-Modified': new Date(written.mtime).toUTCString(),
  });
}

function updated(call: Call, roles: readonly string[], before: StoredEntry | undefined): Entry {
  if (before === undefined) throw httpError('ResourceNotFound', call.path);
  const changes = { headers: headersToStore(call.request.headers), roles, mtime: call.services.clock.nowMs() };
  const { entry } = before;
  if (entry.type === 'directory') return { ...entry, ...changes };
  return { ...entry, ...changes, contentType: call.contentType?.text ?? entry.contentType };
}
