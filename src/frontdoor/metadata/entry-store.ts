/**
 * The namespace in Moray: theory of operation. Reading a path is one look-up by key; a change is one batch, conditional
 * on the version that the decision was made on, so that two front doors never both believe they won. The batch that
 * takes an object id out of an entry also writes the delete-log record from which storage nodes learn that the bytes
 * may go: both happen or neither does.
 *
 * A directory may hold a million entries. Its size is kept by the store, in the same transaction; it is looked up only
 * now and then, since every look-up would cost as much as the write that it guards: after a look that found room for
 * n entries, n/10 writes go by unchecked, which leaves room for ten front doors that do the same.
 *
 * Every write looks at the directory above: writes to one directory that arrive together share a look, which begins
 * after the last of them arrived.
 */
import VError from 'verror';
import { shareRuns } from '../../common/share-runs.js';
import { and, eq, ge, le } from '../../moray/client/filter.js';
import type { BatchRequest, MorayClient, MorayObject } from '../../moray/client/types.js';
import type { ListOptions } from '../directories/list-options.js';
import { countBucket, deleteLogBucket, entryBucket } from './buckets.js';
import { type Entry, isObject, type StoredEntry } from './entry.js';

export interface EntryStore {
  /** undefined: no such entry. */
  get(key: string): Promise<StoredEntry | undefined>;
  /**
   * Writes the entry in place of what was read (undefined: nothing). @throws VError `EtagConflictError` when that is not
   * there any more.
   */
  put(entry: Entry, replaces: StoredEntry | undefined, nowMs: number): Promise<void>;
  /** Several of these, all or none. */
  putTogether(changes: readonly EntryChange[], nowMs: number): Promise<void>;
  /** Writes several entries that nobody else writes. */
  putAll(entries: readonly Entry[]): Promise<void>;
  /** @throws VError `EtagConflictError` when another version, or none, is there. */
  remove(stored: StoredEntry, nowMs: number): Promise<void>;
  list(owner: string, dirname: string, options: ListOptions): AsyncIterable<Entry>;
  isEmpty(owner: string, dirname: string): Promise<boolean>;
  /** Entries in a directory; 0 when it is not known. */
  count(dirname: string): Promise<number>;
  /** Whether the directory can take another entry; tells the truth within about a tenth. */
  hasRoom(dirname: string): Promise<boolean>;
}

export interface EntryChange {
  readonly entry: Entry;
  readonly replaces: StoredEntry | undefined;
}

export const maxDirectoryEntries = 1_000_000;
const maxRememberedDirectories = 10_000;

export function createEntryStore(moray: MorayClient): EntryStore {
  const uncheckedWrites = new Map<string, number>();

  async function get(key: string): Promise<StoredEntry | undefined> {
    try {
      return storedEntry(await moray.getObject<Entry>(entryBucket, key));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async function count(dirname: string): Promise<number> {
    try {
      const { value } = await moray.getObject<{ count?: unknown; entries?: unknown }>(countBucket, dirname);
      return Number(value.count ?? value.entries ?? 0); // `entries` is what the original's trigger keeps
    } catch (error) {
      if (isNotFound(error)) return 0;
      throw error;
    }
  }

  async function putTogether(changes: readonly EntryChange[], nowMs: number): Promise<void> {
    const requests = changes.flatMap(({ entry, replaces }): readonly BatchRequest[] => {
      const options = { etag: replaces?.version ?? null };
      const put = { operation: 'put', bucket: entryBucket, key: entry.key, value: entry, options } as const;
      return [put, ...deleteLog(replaces, entry, nowMs)];
    });
    await moray.batch(requests);
  }

  return {
    get: shareRuns(get),
    put: (entry, replaces, nowMs) => putTogether([{ entry, replaces }], nowMs),
    putTogether,
    async putAll(entries) {
      await moray.batch(
        entries.map((entry) => ({ operation: 'put', bucket: entryBucket, key: entry.key, value: entry })),
      );
    },
    async remove(stored, nowMs) {
      const { key } = stored.entry;
      const remove: BatchRequest = {
        operation: 'delete',
        bucket: entryBucket,
        key,
        options: { etag: stored.version },
      };
      await moray.batch([remove, ...deleteLog(stored, undefined, nowMs)]);
    },
    list: (owner, dirname, options) => list(moray, { owner, dirname, options }),
    async isEmpty(owner, dirname) {
      const options: ListOptions = {
        limit: 1,
        sort: 'none',
        descending: false,
        type: undefined,
        marker: undefined,
        skipOwnerCheck: false,
      };
      for await (const _entry of list(moray, { owner, dirname, options })) return false;
      return true;
    },
    count,
    async hasRoom(dirname) {
      const left = uncheckedWrites.get(dirname) ?? 0;
      if (left > 0) {
        uncheckedWrites.set(dirname, left - 1);
        return true;
      }
      const room = maxDirectoryEntries - (await count(dirname));
      if (uncheckedWrites.size >= maxRememberedDirectories) uncheckedWrites.clear();
      uncheckedWrites.set(dirname, Math.floor(Math.max(0, room) / 10));
      return room >= 0;
    },
  };
}

/** The previous entry, when nothing at its key names the object's bytes any more. */
function deleteLog(before: StoredEntry | undefined, after: Entry | undefined, nowMs: number): readonly BatchRequest[] {
  if (before === undefined || !isObject(before)) return [];
  const { objectId } = before.entry;
  if (after?.type === 'object' && after.objectId === objectId) return [];
  return [{ operation: 'put', bucket: deleteLogBucket, key: `/${objectId}/${nowMs}`, value: before.entry }];
}

interface Listing {
  readonly owner: string;
  readonly dirname: string;
  readonly options: ListOptions;
}

async function* list(moray: MorayClient, { owner, dirname, options }: Listing): AsyncGenerator<Entry> {
  const { limit, sort, descending, marker, type, skipOwnerCheck } = options;
  const attribute = sort === 'mtime' ? '_mtime' : 'name';
  const from = marker !== undefined && sort !== 'none' ? [(descending ? le : ge)(attribute, marker)] : [];
  const filter = and(
    ...(skipOwnerCheck ? [] : [eq('owner', owner)]),
    eq('dirname', dirname),
    ...(type === undefined ? [] : [eq('type', type)]),
    ...from,
  );
  const order = { attribute, order: descending ? 'DESC' : 'ASC' } as const;
  const found = moray.findObjects<Entry>(entryBucket, filter, {
    limit: limit + 1, // the record of a root lists itself
    no_count: true,
    ...(sort === 'none' ? {} : { sort: order }),
  });
  let left = limit;
  for await (const { key, value, _mtime } of found) {
    if (key === dirname) continue;
    if (left-- === 0) return;
    // The time that a listing is sorted by is the one it shows: clients send it back as the marker of the next page.
    yield sort === 'mtime' ? { ...value, mtime: _mtime } : value;
  }
}

function storedEntry(object: MorayObject<Entry>): StoredEntry {
  return { entry: object.value, version: object._etag };
}

function isNotFound(error: unknown): boolean {
  return VError.hasCauseWithName(error as Error, 'ObjectNotFoundError');
}

/** Whether a write lost against another one. */
export function isConflict(error: unknown): boolean {
  return (
    VError.hasCauseWithName(error as Error, 'EtagConflictError') ||
    VError.hasCauseWithName(error as Error, 'UniqueAttributeError') ||
    VError.hasCauseWithName(error as Error, 'ObjectNotFoundError')
  );
}
