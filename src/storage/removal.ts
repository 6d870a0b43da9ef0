/**
 * Removal of bytes that no entry names any more: theory of operation. Nobody tells a storage node to remove anything;
 * it finds out by itself, in two ways, and looks twice before it acts:
 *
 *   delete log   each write that takes an object out of an entry leaves a record, with the nodes that hold its bytes.
 *                15 minutes later each of them looks whether any entry names the object; if none does, the bytes go. A
 *                node that is through strikes itself off the record; the last one deletes it.
 *   walk         every few hours, all files older than 24 hours: those that no entry names (uploads whose entry was
 *                never written, records of the log that were lost) go.
 *
 * Why it is safe: a SnapLink needs an entry to copy, and is written minutes at most after that was read; an entry is
 * written at most an hour after its bytes. So what is unnamed after these times stays unnamed. When in doubt, bytes stay:
 * a look-up that fails removes nothing, and neither does a walk while the index has no object at all, which is rather
 * the wrong index than an empty one. Each step may be repeated after a crash.
 */
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import { repeat } from '../common/repeat.js';
import { and, eq, ge, or, present } from '../moray/client/filter.js';
import type { BatchRequest, MorayClient, MorayObject } from '../moray/client/types.js';
import { isUuid, type ObjectFiles, type ObjectName } from './object-files.js';

const entryBucket = 'manta';
const deleteLogBucket = 'manta_delete_log';
const pageSize = 1000;
const namesPerLookUp = 50;
/** After this long a record of the log waits for a node that is gone for good: its walk would do the rest. */
const maxLogAgeMs = 7 * 86_400_000;

export interface RemovalOptions {
  readonly moray: MorayClient;
  readonly nodes: readonly { readonly storageId: string; readonly files: ObjectFiles }[];
  readonly graceMs: number;
  readonly orphanGraceMs: number;
  readonly log: Logger;
  readonly clock: Clock;
}

interface Logged {
  readonly objectId?: unknown;
  readonly creator?: unknown;
  readonly owner?: unknown;
  readonly sharks?: readonly { readonly manta_storage_id?: unknown }[];
}

/** One pass over the delete log. @returns how many files were removed. */
export async function removeLogged(options: RemovalOptions): Promise<number> {
  const { moray, clock, graceMs } = options;
  const dueMs = clock.nowMs() - graceMs;
  let removed = 0;
  for (let marker = 0; ; ) {
    const filter = and(present('objectId'), ge('_id', marker));
    const sort = { attribute: '_id', order: 'ASC' } as const;
    const page: MorayObject<Logged>[] = [];
    for await (const record of moray.findObjects<Logged>(deleteLogBucket, filter, {
      limit: pageSize,
      sort,
      no_count: true,
    }))
      page.push(record);
    const due = page.filter((record) => loggedMs(record) <= dueMs);
    removed += await settle(due, options);
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize || due.length < page.length) return removed;
    marker = last._id + 1;
  }
}

/** One walk over all files. @returns how many were removed. */
export async function removeOrphans(options: RemovalOptions): Promise<number> {
  const { moray, nodes, clock, orphanGraceMs, log } = options;
  if (!(await anyObject(moray))) {
    log.warn('the index has no object at all: nothing is removed, in case it is the wrong index');
    return 0;
  }
  let removed = 0;
  for (const { files } of nodes) {
    let old: ObjectName[] = [];
    for await (const found of files.walk()) {
      if (found.mtimeMs > clock.nowMs() - orphanGraceMs) continue;
      old.push(found);
      if (old.length < namesPerLookUp) continue;
      removed += await removeUnnamed(old, files, options);
      old = [];
    }
    removed += await removeUnnamed(old, files, options);
  }
  return removed;
}

/** Both, again and again. */
export function startRemoval(options: RemovalOptions & { readonly everyMs: number; readonly walkEveryMs: number }): {
  stop(): Promise<void>;
} {
  const stops = [
    repeatLogged(options.everyMs, 'reading the delete log', () => removeLogged(options), options),
    repeatLogged(options.walkEveryMs, 'walking the files', () => removeOrphans(options), options),
  ];
  return {
    stop: async () => {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

function repeatLogged(
  everyMs: number,
  what: string,
  run: () => Promise<number>,
  { clock, log }: RemovalOptions,
): () => Promise<void> {
  let stopped = false;
  const stop = repeat({
    clock,
    pauseMs: everyMs,
    run: async () => {
      try {
        const removed = await run();
        if (removed > 0) log.info({ removed }, 'bytes removed that no entry names (%s)', what);
      } catch (error) {
        const isNew = (error as Error).name === 'BucketNotFoundError';
        if (isNew) log.debug({ err: error }, 'nothing was ever stored or deleted');
        else if (!stopped) log.warn({ err: error }, '%s failed: nothing more is removed until the next time', what);
      }
    },
  });
  return () => {
    stopped = true;
    return stop();
  };
}

async function settle(due: readonly MorayObject<Logged>[], options: RemovalOptions): Promise<number> {
  const { nodes, clock, log } = options;
  const own = new Map(nodes.map(({ storageId, files }) => [storageId, files]));
  const concerned = due.filter((record) => {
    const holders = holdersOf(record.value);
    return holders.length === 0 || holders.some((id) => own.has(id)) || loggedMs(record) < clock.nowMs() - maxLogAgeMs;
  });
  let removed = 0;
  for (let start = 0; start < concerned.length; start += namesPerLookUp) {
    const records = concerned.slice(start, start + namesPerLookUp);
    const named = await namedObjects(
      records.map(({ value }) => String(value.objectId)),
      options.moray,
    );
    for (const record of records) {
      const name = nameOf(record.value);
      if (name !== null && !named.has(name.objectId)) {
        for (const files of holdersOf(record.value).map((id) => own.get(id)))
          if (files !== undefined && (await files.remove(name))) removed++;
        log.debug({ ...name, logged: record.key }, 'bytes removed');
      }
    }
    await strikeOff(records, own, options);
  }
  return removed;
}

/** One batch; where another node was faster with a record, each for itself. */
async function strikeOff(
  records: readonly MorayObject<Logged>[],
  own: ReadonlyMap<string, ObjectFiles>,
  { moray, clock }: RemovalOptions,
): Promise<void> {
  const requests = records.map((record) => withoutNodes(record, own, clock.nowMs()));
  try {
    await moray.batch(requests);
  } catch (error) {
    if (!wasFaster(error)) throw error;
    for (const request of requests)
      await moray.batch([request]).catch((failure: unknown) => {
        if (!wasFaster(failure)) throw failure;
      });
  }
}

function wasFaster(error: unknown): boolean {
  const { name } = error as Error;
  return name === 'EtagConflictError' || name === 'ObjectNotFoundError';
}

/** The record goes when every node that it names is through, or when it is too old to wait any longer. */
function withoutNodes(record: MorayObject<Logged>, own: ReadonlyMap<string, ObjectFiles>, nowMs: number): BatchRequest {
  const { key, value, _etag: etag } = record;
  const sharks = (value.sharks ?? []).filter(({ manta_storage_id }) => !own.has(String(manta_storage_id)));
  const request = { bucket: deleteLogBucket, key, options: { etag } } as const;
  if (sharks.length === 0 || loggedMs(record) < nowMs - maxLogAgeMs) return { ...request, operation: 'delete' };
  return { ...request, operation: 'put', value: { ...value, sharks } };
}

/** When the entry went: part of the key, since striking a node off changes the record's own time. */
function loggedMs({ key, _mtime }: MorayObject<Logged>): number {
  const ms = /\/(\d+)$/.exec(key)?.[1];
  return ms === undefined ? _mtime : Number(ms);
}

function holdersOf(value: Logged): readonly string[] {
  return (value.sharks ?? []).map(({ manta_storage_id }) => String(manta_storage_id));
}

function nameOf({ creator, owner, objectId }: Logged): ObjectName | null {
  const name = { creator: String(creator ?? owner), objectId: String(objectId) };
  return isUuid(name.creator) && isUuid(name.objectId) ? name : null;
}

async function removeUnnamed(old: readonly ObjectName[], files: ObjectFiles, options: RemovalOptions): Promise<number> {
  if (old.length === 0) return 0;
  const named = await namedObjects(
    old.map(({ objectId }) => objectId),
    options.moray,
  );
  let removed = 0;
  for (const { creator, objectId } of old) {
    if (named.has(objectId)) continue;
    options.log.info({ creator, objectId }, 'no entry names these bytes: removed');
    if (await files.remove({ creator, objectId })) removed++;
  }
  return removed;
}

/** Which of the objects some entry names. @param objectIds at most `namesPerLookUp`. */
async function namedObjects(objectIds: readonly string[], moray: MorayClient): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  const look = async (ids: readonly string[], limit: number): Promise<number> => {
    let count = 0;
    const filter = or(...ids.map((id) => eq('objectId', id)));
    for await (const { value } of moray.findObjects(entryBucket, filter, { limit, no_count: true })) {
      named.add(String(value['objectId']));
      count++;
    }
    return count;
  };
  if (objectIds.length === 0) return named;
  if ((await look(objectIds, pageSize)) < pageSize) return named;
  // So many links that the others may have been crowded out: these are asked for one by one.
  for (const id of objectIds) if (!named.has(id)) await look([id], 1);
  return named;
}

async function anyObject(moray: MorayClient): Promise<boolean> {
  for await (const _entry of moray.findObjects(entryBucket, eq('type', 'object'), { limit: 1, no_count: true }))
    return true;
  return false;
}
