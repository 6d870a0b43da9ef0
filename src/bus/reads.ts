/**
 * Single reads, each repeated until it succeeds: the callers are in the middle of something that cannot go on without
 * the answer. A limited number is under way at a time; the others wait in line.
 */
import { sleep } from '../common/clock.js';
import { and, eq, ge, le, not } from '../moray/client/filter.js';
import type { FindOptions, MorayObject } from '../moray/client/types.js';
import type { BucketName } from '../records/buckets.js';
import { backOffMs } from './back-off.js';
import { answered, type BusContext } from './context.js';
import { busStopped, isNotFound, isTransient } from './errors.js';
import { toStored } from './stored.js';
import type { ThrottledWarning } from './throttled-log.js';
import type { Stored } from './types.js';

/** What a search asks Moray for at a time. */
export const pageSize = 1000;
const readsInFlight = 32;

export interface Reads {
  get<Value>(bucket: BucketName, key: string): Promise<Stored<Value> | null>;
  find<Value>(bucket: BucketName, filter: string): AsyncIterable<Stored<Value>>;
  count(bucket: BucketName, filter: string): Promise<number>;
}

export function createReads(context: BusContext, warn: ThrottledWarning, stopping: AbortSignal): Reads {
  const { moray, buckets, clock } = context;
  let free = readsInFlight;
  const waiting: (() => void)[] = [];

  async function repeated<Result>(what: string, read: () => Promise<Result>): Promise<Result> {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      for (let failures = 1; ; failures++) {
        if (stopping.aborted) throw busStopped();
        try {
          context.counters.reads++;
          return await answered(context, what, read());
        } catch (error) {
          if (!isTransient(error as Error)) throw error;
          warn(what, error as Error, 'read failed, will be repeated');
          await sleep(clock, backOffMs(failures), stopping);
        }
      }
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  }

  async function page<Value>(bucket: BucketName, filter: string, options: FindOptions): Promise<MorayObject<Value>[]> {
    return repeated(`search of "${bucket}"`, async () => {
      const objects: MorayObject<Value>[] = [];
      for await (const object of moray.findObjects<Value>(buckets[bucket], filter, options)) objects.push(object);
      return objects;
    });
  }

  return {
    get: <Value>(bucket: BucketName, key: string) =>
      repeated(`read of "${bucket}"`, async () => {
        try {
          return toStored(bucket, await moray.getObject<Value>(buckets[bucket], key));
        } catch (error) {
          if (isNotFound(error as Error)) return null;
          throw error;
        }
      }),
    async *find<Value>(bucket: BucketName, filter: string) {
      let marker = 0;
      for (;;) {
        const objects = await page<Value>(bucket, pageFilter(filter, marker), pageOptions);
        for (const object of objects) yield toStored(bucket, object);
        const last = objects.at(-1);
        if (last === undefined || objects.length < pageSize) return;
        marker = last._id + 1;
      }
    },
    async count(bucket, filter) {
      const [object] = await page(bucket, filter, { limit: 1 });
      return object?._count ?? 0;
    },
  };
}

export const pageOptions: FindOptions = {
  limit: pageSize,
  no_count: true,
  sort: { attribute: '_id', order: 'ASC' },
};

/** @param marker the least `_id` wanted; 0 from the start. */
export function pageFilter(filter: string, marker: number): string {
  return marker === 0 ? filter : and(filter, ge('_id', marker));
}

/** A filter of more conditions costs the store more than a page more. */
const namedRuns = 100;

/**
 * A page without certain records. Only so many fit into a filter: then the page ends where the next of them begins, and
 * another goes on from there. Neighbours are named together.
 * @param leftOut `_id`s, ascending.
 * @returns also where the page ends; null: nowhere.
 */
export function pageWithout(
  filter: string,
  marker: number,
  leftOut: readonly number[],
): { readonly filter: string; readonly end: number | null } {
  const runs: { readonly first: number; last: number }[] = [];
  let end: number | null = null;
  for (const id of leftOut) {
    const run = runs.at(-1);
    if (id < marker) continue;
    if (run?.last === id - 1) run.last = id;
    else if (runs.length < namedRuns) runs.push({ first: id, last: id });
    else {
      end = id;
      break;
    }
  }
  if (runs.length === 0) return { filter: pageFilter(filter, marker), end };
  const named = runs.map(({ first, last }) =>
    not(first === last ? eq('_id', first) : and(ge('_id', first), le('_id', last))),
  );
  return { filter: and(pageFilter(filter, marker), ...named, ...(end === null ? [] : [le('_id', end - 1)])), end };
}
