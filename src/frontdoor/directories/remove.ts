/**
 * rmdir: only of an empty directory. The store has no lock on "no entry has this dirname", so an entry may slip in
 * between the look and the deletion: we look again afterwards, and put the directory back if one did. The entry is never
 * lost, and whoever wrote it never sees that the directory was away.
 */
import { httpError } from '../../http/errors.js';
import type { DirectoryEntry, StoredEntry } from '../metadata/entry.js';
import { isConflict } from '../metadata/entry-store.js';
import { removeEntry } from '../metadata/load.js';
import type { Call } from '../request/call.js';
import { assertAllowed } from '../request/permission.js';
import { respondEmpty } from '../request/respond.js';

export async function removeDirectory(call: Call, stored: StoredEntry<DirectoryEntry>): Promise<void> {
  const { entries } = call.services;
  const owner = call.owner.account.uuid;
  assertAllowed(call, { action: 'deletedirectory', key: call.key, roles: stored.entry.roles });
  if (!(await entries.isEmpty(owner, call.key))) throw httpError('DirectoryNotEmpty', call.path);
  await removeEntry(call, stored, (now) => {
    if (now.entry.type !== 'directory') throw httpError('ConcurrentRequest', call.path);
  });
  if (!(await entries.isEmpty(owner, call.key))) {
    await putBack(call, stored);
    throw httpError('DirectoryNotEmpty', call.path);
  }
  respondEmpty(call.response, 204);
}

async function putBack(call: Call, stored: StoredEntry<DirectoryEntry>): Promise<void> {
  const { entries, clock } = call.services;
  try {
    await entries.put(stored.entry, undefined, clock.nowMs());
  } catch (error) {
    if (!isConflict(error)) throw error; // a conflict means that somebody else has made it again: that will do
  }
}
