/** The entry that a request names, with the directory it is in, and writing it back against others who do the same. */
import { httpError } from '../../http/errors.js';
import { isConditional } from '../objects/conditions.js';
import { parentKey, parentPath } from '../paths.js';
import type { Call } from '../request/call.js';
import type { DirectoryEntry, Entry, StoredEntry } from './entry.js';
import { isConflict } from './entry-store.js';
import { assertInTime, type Deadline } from './in-time.js';

export interface Loaded {
  /** undefined: nothing is there. */
  readonly stored: StoredEntry | undefined;
  /** undefined: roots have none, and exist without a record. */
  readonly parent: StoredEntry<DirectoryEntry> | undefined;
}

/**
 * For requests that write: both look-ups at once.
 * @throws VError `DirectoryDoesNotExist`, `ParentNotDirectory`.
 */
export async function loadForWriting(call: Call): Promise<Loaded> {
  const { entries } = call.services;
  const { kind } = call.target;
  if (kind === 'root' || kind === 'job stor') return { stored: await entries.get(call.key), parent: undefined };
  const upper = parentKey(call.key);
  const [stored, parent] = await Promise.all([entries.get(call.key), entries.get(upper)]);
  if (parent === undefined && stored === undefined && !parentIsImplicit(call)) {
    throw httpError('DirectoryDoesNotExist', parentPath(call.path));
  }
  if (parent !== undefined && parent.entry.type !== 'directory') {
    throw httpError('ParentNotDirectory', parentPath(call.path));
  }
  return { stored, parent: parent as StoredEntry<DirectoryEntry> | undefined };
}

/** Whether the directory above is a root, which needs no record. */
function parentIsImplicit({ target: { components } }: Call): boolean {
  const [root, , third] = components;
  return components.length === 2 || (root === 'jobs' && components.length === 4 && third === 'stor');
}

/** Role tags that decide about the request: those of the entry, or of its directory when there is none. */
export function rolesOf({ stored, parent }: Loaded): readonly string[] {
  return stored?.entry.roles ?? parent?.entry.roles ?? [];
}

const maxAttempts = 3;

/**
 * Writes what `make` makes of the entry that is stored. When somebody else was faster the request is repeated with what
 * they wrote, unless it was conditional: then it has lost.
 * @param deadline for entries that give bytes a name.
 * @throws VError `ConcurrentRequest`, `EntryTooLateError`, and whatever `make` throws.
 */
export async function writeEntry<E extends Entry>(
  call: Call,
  first: StoredEntry | undefined,
  make: (before: StoredEntry | undefined) => E,
  deadline?: Deadline,
): Promise<E> {
  const { entries, clock } = call.services;
  let before = first;
  for (let attempt = 1; ; attempt++) {
    const entry = make(before);
    const nowMs = clock.nowMs();
    if (deadline !== undefined) assertInTime(deadline, nowMs);
    try {
      await entries.put(entry, before, nowMs);
      return entry;
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (attempt === maxAttempts || isConditional(call.request.headers)) {
        throw httpError('ConcurrentRequest', call.path);
      }
      before = await entries.get(call.key);
    }
  }
}

/** Removes what is stored, with the same rules. `check` is asked again about what others wrote meanwhile. */
export async function removeEntry(call: Call, first: StoredEntry, check: (now: StoredEntry) => void): Promise<void> {
  const { entries, clock } = call.services;
  let stored = first;
  for (let attempt = 1; ; attempt++) {
    try {
      await entries.remove(stored, clock.nowMs());
      return;
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (attempt === maxAttempts || isConditional(call.request.headers)) {
        throw httpError('ConcurrentRequest', call.path);
      }
      const now = await entries.get(call.key);
      if (now === undefined) throw httpError('ResourceNotFound', call.path);
      check(now);
      stored = now;
    }
  }
}
