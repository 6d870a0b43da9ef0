/**
 * What is over goes: parts when their upload is committed or aborted, the directories of uploads a day later. There is
 * no process for it: each new upload looks at some of its neighbours, so that an account has about as many directories
 * of old uploads as it makes uploads a day.
 */
import type { Entry } from '../metadata/entry.js';
import { isConflict } from '../metadata/entry-store.js';
import { keyOf, parentKey } from '../paths.js';
import type { Call } from '../request/call.js';
import { uploadComponents } from './upload.js';

const keptMs = 86_400_000;
/** Neighbours to look at, oldest first. */
const lookLimit = 20;
const pageLimit = 1000;

/** Removes the parts in this directory; what fails is left to a later sweep. */
export async function removeParts(call: Call, key: string): Promise<void> {
  const { entries, clock, log } = call.services;
  try {
    for (let found = pageLimit; found >= pageLimit; ) {
      const parts = await listed(call, key, pageLimit);
      found = parts.length;
      for (const part of parts) {
        const stored = await entries.get(part.key);
        if (stored !== undefined) await entries.remove(stored, clock.nowMs()).catch(ignoreConflict);
      }
    }
  } catch (error) {
    log.warn({ err: error, key, req_id: call.requestId }, 'parts of an upload are not removed yet');
  }
}

/** @param id of a new upload. */
export async function sweepUploads(call: Call, id: string): Promise<void> {
  const { entries, clock, log } = call.services;
  const directory = parentKey(keyOf(call.owner.account.uuid, uploadComponents(id)));
  try {
    for (const entry of await listed(call, directory, lookLimit)) {
      const isOver = entry.type === 'directory' && entry.upload?.state === 'done';
      if (!isOver || entry.mtime > clock.nowMs() - keptMs) continue;
      await removeParts(call, entry.key);
      const stored = await entries.get(entry.key);
      if (stored !== undefined) await entries.remove(stored, clock.nowMs()).catch(ignoreConflict);
    }
  } catch (error) {
    log.warn({ err: error, directory, req_id: call.requestId }, 'old uploads are not removed yet');
  }
}

async function listed(call: Call, key: string, limit: number): Promise<readonly Entry[]> {
  const options = { limit, sort: 'mtime', descending: false, type: undefined, marker: undefined } as const;
  const found: Entry[] = [];
  const { entries } = call.services;
  for await (const entry of entries.list(call.owner.account.uuid, key, { ...options, skipOwnerCheck: false }))
    found.push(entry);
  return found;
}

function ignoreConflict(error: unknown): void {
  if (!isConflict(error)) throw error; // somebody else removes the same
}
