/**
 * Finding objects in the index: many names in one search. While searches are under way, names gather for the next, so a
 * single name waits for nobody and a thousand cost ten calls. An index that spreads its records over shards knows an
 * object only by its key: when it refuses the search, names are looked up one by one.
 *
 *   waiting --a turn is free--> searching --answered--> over
 *                                  |--slow: gives its turn to others, up to `slowAtATime` of them--> answered, or given up
 *
 * So a part of the index that does not answer holds up only the names that are in it.
 */
import VError from 'verror';
import type { Clock } from '../../common/clock.js';
import type { Logger } from '../../common/logging.js';
import { eq, or } from '../../moray/client/filter.js';
import type { MorayClient } from '../../moray/client/types.js';

const indexBucket = 'manta';
const searchesAtATime = 4;
const slowAtATime = 60;
const slowMs = 1_000;
const givenUpMs = 15_000;

/** What the index says of a key, unchecked: the index is not ours. */
export type IndexRecord = Readonly<Record<string, unknown>>;

export interface Locator {
  /** @param key `/uuid/stor/…`. null: no such key. Rejects when the index did not answer. */
  locate(key: string): Promise<IndexRecord | null>;
}

interface Waiting {
  readonly key: string;
  readonly resolve: (record: IndexRecord | null) => void;
  readonly reject: (error: unknown) => void;
}

export interface LocatorOptions {
  readonly namesAtATime: number;
  readonly clock: Clock;
  /** Runs an action soon, after all that is ready to run. */
  readonly defer: (action: () => void) => void;
  readonly log: Logger;
}

export function createLocator(
  index: Pick<MorayClient, 'findObjects' | 'getObject'>,
  { namesAtATime, clock, defer, log }: LocatorOptions,
): Locator {
  const waiting: Waiting[] = [];
  let running = 0;
  let slow = 0;
  let searches = true;

  const search = async (keys: readonly string[]): Promise<Map<string, IndexRecord>> => {
    const found = new Map<string, IndexRecord>();
    const filter = or(...keys.map((key) => eq('_key', key)));
    for await (const object of index.findObjects(indexBucket, filter, { limit: keys.length, no_count: true }))
      found.set(object.key, object.value);
    return found;
  };

  const lookUp = async (key: string): Promise<IndexRecord | null> => {
    try {
      return (await index.getObject(indexBucket, key)).value;
    } catch (error) {
      if (VError.hasCauseWithName(error as Error, 'ObjectNotFoundError')) return null;
      throw error;
    }
  };

  /** Rejects when no answer comes: the fault of a part of the index, that may pass. */
  const timed = <Answer>(answer: Promise<Answer>): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const silent = new VError({ name: 'LocateTimeoutError' }, 'the index did not answer within %d ms', givenUpMs);
      const cancel = clock.after(givenUpMs, () => reject(silent));
      answer.then(resolve, reject).finally(cancel);
    });

  const oneByOne = (batch: readonly Waiting[]) =>
    Promise.all(batch.map(({ key, resolve, reject }) => timed(lookUp(key)).then(resolve, reject)));

  const serve = async (batch: readonly Waiting[]): Promise<void> => {
    const keys = [...new Set(batch.map(({ key }) => key))];
    if (!searches || keys.length === 1) {
      await oneByOne(batch);
      return;
    }
    try {
      const found = await timed(search(keys));
      for (const { key, resolve } of batch) resolve(found.get(key) ?? null);
    } catch (error) {
      if (!isRefusal(error as Error)) {
        for (const { reject } of batch) reject(error);
        return;
      }
      searches = false;
      log.warn({ err: error }, 'the index does not search by key: names are looked up one by one');
      await oneByOne(batch);
    }
  };

  const pump = (): void => {
    while (running < searchesAtATime && waiting.length > 0) {
      const batch = waiting.splice(0, namesAtATime);
      running++;
      let isSlow = false;
      const cancel = clock.after(slowMs, () => {
        if (slow >= slowAtATime) return;
        isSlow = true;
        slow++;
        running--;
        pump();
      });
      void serve(batch).finally(() => {
        cancel();
        if (isSlow) slow--;
        else running--;
        pump();
      });
    }
  };

  return {
    locate: (key) =>
      new Promise((resolve, reject) => {
        waiting.push({ key, resolve, reject });
        if (waiting.length === 1) defer(pump); // names of one page come in one go
      }),
  };
}

function isRefusal(error: Error): boolean {
  return ['NotIndexedError', 'InvalidQueryError', 'InvocationError', 'NoSuchFunctionError'].some((name) =>
    VError.hasCauseWithName(error, name),
  );
}
