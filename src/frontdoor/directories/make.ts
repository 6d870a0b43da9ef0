/**
 * mkdir. Clients make whole paths directory by directory, and jobs make the same ones again and again: making what is
 * there already, with the same headers, is only a read.
 */
import { isDeepStrictEqual } from 'node:util';
import { httpError } from '../../http/errors.js';
import { type DirectoryEntry, directoryEntry, isObject, type StoredEntry } from '../metadata/entry.js';
import { loadForWriting, rolesOf, writeEntry } from '../metadata/load.js';
import { headersToStore } from '../objects/stored-headers.js';
import { parentKey } from '../paths.js';
import type { Call } from '../request/call.js';
import { assertAllowed, roleTags } from '../request/permission.js';
import { respondEmpty } from '../request/respond.js';

export async function makeDirectory(call: Call): Promise<void> {
  const { kind } = call.target;
  if (kind === 'account root') throw httpError('OperationNotAllowedOnRootDirectory', call.method, call.path);
  const loaded = await loadForWriting(call);
  const roles = await roleTags(call);
  const headers = headersToStore(call.request.headers);
  assertAllowed(call, { action: 'putdirectory', key: call.key, roles: rolesOf(loaded) });
  assertNoObject(call, loaded.stored);
  if (!isSame(loaded.stored, headers, roles)) {
    await assertRoom(call, loaded.stored);
    const { key, owner, services } = call;
    await writeEntry(call, loaded.stored, (before): DirectoryEntry => {
      assertNoObject(call, before);
      const maker = { key, owner: owner.account.uuid, roles, headers, nowMs: services.clock.nowMs() };
      return directoryEntry(maker, kind === 'root');
    });
  }
  respondEmpty(call.response, 204, { 'Access-Control-Allow-Origin': call.request.headers.origin });
}

/** A directory never takes the place of an object: somebody's bytes would be gone. */
function assertNoObject(call: Call, stored: StoredEntry | undefined): void {
  if (stored !== undefined && isObject(stored)) throw httpError('ParentNotDirectory', call.path);
}

function isSame(stored: StoredEntry | undefined, headers: object, roles: readonly string[]): boolean {
  if (stored === undefined) return false;
  return isDeepStrictEqual(stored.entry.headers ?? {}, headers) && isDeepStrictEqual(stored.entry.roles ?? [], roles);
}

async function assertRoom(call: Call, stored: StoredEntry | undefined): Promise<void> {
  if (stored !== undefined || call.target.kind === 'root') return;
  const dirname = parentKey(call.key);
  if (!(await call.services.entries.hasRoom(dirname))) throw httpError('DirectoryLimitExceeded', dirname);
}
