/**
 * Finding objects in the index: many names in one search. While a search is under way, names gather for the next, so a
 * single name waits for nobody and a thousand cost ten calls. An index that spreads its records over shards knows an
 * object only by its key: when it refuses the search, names are looked up one by one.
 */
import VError from 'verror';
import type { Logger } from '../../common/logging.js';
import { eq, or } from '../../moray/client/filter.js';
import type { MorayClient } from '../../moray/client/types.js';

const indexBucket = 'manta';
const searchesAtATime = 4;

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

export function createLocator(index: MorayClient, namesAtATime: number, log: Logger): Locator {
  const waiting: Waiting[] = [];
  let running = 0;
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

  const oneByOne = (batch: readonly Waiting[]) =>
    Promise.all(batch.map(({ key, resolve, reject }) => lookUp(key).then(resolve, reject)));

  const serve = async (batch: readonly Waiting[]): Promise<void> => {
    const keys = [...new Set(batch.map(({ key }) => key))];
    if (!searches || keys.length === 1) {
      await oneByOne(batch);
      return;
    }
    try {
      const found = await search(keys);
      for (const { key, resolve } of batch) resolve(found.get(key) ?? null);
    } catch (error) {
      if (isRefusal(error as Error)) {
        searches = false;
        log.warn({ err: error }, 'the index does not search by key: names are looked up one by one');
      }
      await oneByOne(batch);
    }
  };

  const pump = (): void => {
    while (running < searchesAtATime && waiting.length > 0) {
      const batch = waiting.splice(0, namesAtATime);
      running++;
      void serve(batch).finally(() => {
        running--;
        pump();
      });
    }
  };

  return {
    locate: (key) =>
      new Promise((resolve, reject) => {
        waiting.push({ key, resolve, reject });
        if (waiting.length === 1) setImmediate(pump); // names of one page come in one go
      }),
  };
}

function isRefusal(error: Error): boolean {
  return ['NotIndexedError', 'InvalidQueryError', 'InvocationError', 'NoSuchFunctionError'].some((name) =>
    VError.hasCauseWithName(error, name),
  );
}
