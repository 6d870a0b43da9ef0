/**
 * Single reads, each repeated until it succeeds: the callers are in the middle of something that cannot go on without
 * the answer. A limited number is under way at a time; the others wait in line.
 */
import { sleep } from '../common/clock.js';
import { and, ge } from '../moray/client/filter.js';
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
