/** What we use of the published client, which has no types of its own. */
declare module 'moray' {
  import type { EventEmitter } from 'node:events';

  namespace moray {
    export type Done = (error?: Error | null) => void;
    export type Answer<Result> = (error: Error | null | undefined, result: Result) => void;

    export interface Listener extends EventEmitter {
      /** Absent when there was no connection to listen on. */
      unlisten?(done: Done): void;
    }

    export interface Client extends EventEmitter {
      createBucket(bucket: string, config: object, options: object, done: Done): void;
      putBucket(bucket: string, config: object, options: object, done: Done): void;
      getBucket(bucket: string, options: object, done: Answer<unknown>): void;
      delBucket(bucket: string, options: object, done: Done): void;
      putObject(bucket: string, key: string, value: object, options: object, done: Answer<unknown>): void;
      getObject(bucket: string, key: string, options: object, done: Answer<unknown>): void;
      delObject(bucket: string, key: string, options: object, done: Done): void;
      updateObjects(bucket: string, fields: object, filter: string, options: object, done: Answer<unknown>): void;
      deleteMany(bucket: string, filter: string, options: object, done: Answer<unknown>): void;
      batch(requests: readonly object[], options: object, done: Answer<unknown>): void;
      findObjects(bucket: string, filter: string, options: object): EventEmitter;
      reindexObjects(bucket: string, count: number, options: object, done: Answer<unknown>): void;
      ping(options: object, done: Done): void;
      listen(channel: string, options: object): Listener;
      notify(channel: string, payload: string, options: object, done: Done): void;
      close(): void;
    }
  }

  const moray: { createClient(options: object): Client };
  export = moray;
}
