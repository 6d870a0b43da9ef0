/** SnapLinks: another name for the bytes that an object has now. Whatever happens to the source, the link keeps them. */
import VError from 'verror';
import type { AccountAnswer } from '../../accounts/types.js';
import { httpError } from '../../http/errors.js';
import { isObject, type ObjectEntry, type StoredEntry } from '../metadata/entry.js';
import { loadForWriting, rolesOf, writeEntry } from '../metadata/load.js';
import { cleanPath, keyOf, lastName, parentKey, parsePath } from '../paths.js';
import type { Call } from '../request/call.js';
import { assertAllowed, roleTags } from '../request/permission.js';
import { respondEmpty } from '../request/respond.js';
import { checkConditions } from './check-conditions.js';

export async function putLink(call: Call): Promise<void> {
  if (call.target.kind !== 'entry') throw httpError('OperationNotAllowedOnRootDirectory', call.method, call.path);
  const loaded = await loadForWriting(call);
  const roles = await roleTags(call);
  assertAllowed(call, { action: 'putlink', key: call.key, roles: rolesOf(loaded) });
  assertNoDirectory(call, loaded.stored);
  const sinceMs = call.services.clock.nowMs();
  const source = await loadSource(call);
  checkConditions(call, source);
  const { owner, key } = call;
  const make = (before: StoredEntry | undefined): ObjectEntry => {
    assertNoDirectory(call, before);
    const mtime = call.services.clock.nowMs();
    return {
      ...source.entry,
      creator: source.entry.creator ?? source.entry.owner,
      dirname: parentKey(key),
      key,
      name: lastName(key),
      owner: owner.account.uuid,
      roles,
      mtime,
      createdFrom: source.entry.key,
    };
  };
  const { linkWithinMs: withinMs } = call.services.config;
  const entry = await writeEntry(call, loaded.stored, make, { sinceMs, withinMs });
  respondEmpty(call.response, 204, {
    Etag: entry.etag,
    'Last-Modified': new Date(source.entry.mtime).toUTCString(),
  });
}

function assertNoDirectory(call: Call, stored: StoredEntry | undefined): void {
  if (stored?.entry.type === 'directory') throw httpError('OperationNotAllowedOnDirectory', call.path, call.method);
}

/** @throws VError `LocationRequired`, `InvalidLink`, `SourceObjectNotFound`, `LinkNotObject`, `AuthorizationFailed`. */
async function loadSource(call: Call): Promise<StoredEntry<ObjectEntry>> {
  const { location } = call.request.headers;
  if (location === undefined || location === '') throw httpError('LocationRequired');
  const path = location.startsWith('/') ? parsePath(cleanPath(location)) : null;
  if (path === null || path.components.length === 0) throw httpError('InvalidLink', location);
  const owner = await loadOwner(call, path.login);
  const key = owner === undefined ? undefined : keyOf(owner.account.uuid, path.components);
  const source = key === undefined ? undefined : await call.services.entries.get(key);
  if (owner === undefined || key === undefined || source === undefined)
    throw httpError('SourceObjectNotFound', location);
  if (!isObject(source)) throw httpError('LinkNotObject', location);
  assertAllowed(call, { action: 'getobject', key, roles: source.entry.roles, owner });
  return source;
}

async function loadOwner(call: Call, login: string): Promise<AccountAnswer | undefined> {
  try {
    return await call.services.accounts.user(login, 'anonymous', { fallback: true });
  } catch (error) {
    if (VError.hasCauseWithName(error as Error, 'AccountDoesNotExistError')) return undefined;
    throw error;
  }
}
