/**
 * What the RPCs ask of a database. Arguments have been checked for their types; everything that depends on the
 * configuration of a bucket is the engine's business. Every write is one transaction, durable when its promise resolves;
 * failures are `MorayError`s.
 */
import type { RequestOptions } from '../query.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** A bucket as clients read it. */
export interface BucketRow {
  readonly name: string;
  readonly index: string;
  readonly pre: string;
  readonly post: string;
  readonly options: string;
  readonly mtime: string;
  readonly reindex_active: string | null;
}

export interface Notification {
  readonly channel: string;
  readonly payload: string;
}

export type BatchItem =
  | {
      readonly operation: 'put';
      readonly bucket: string;
      readonly key: string;
      readonly value: JsonObject;
      readonly options: RequestOptions;
    }
  | {
      readonly operation: 'delete';
      readonly bucket: string;
      readonly key: string;
      readonly etag: unknown;
      readonly options: RequestOptions;
    }
  | {
      readonly operation: 'update';
      readonly bucket: string;
      readonly fields: JsonObject;
      readonly filter: string;
      readonly options: RequestOptions;
    }
  | {
      readonly operation: 'deleteMany';
      readonly bucket: string;
      readonly filter: string;
      readonly options: RequestOptions;
    };

export interface Engine {
  createBucket(name: string, config: JsonObject): Promise<void>;
  /** @param options.tracked whether new fields wait for reindexing. */
  updateBucket(name: string, config: JsonObject, options: { readonly tracked: boolean }): Promise<void>;
  getBucket(name: string): Promise<BucketRow>;
  listBuckets(): Promise<readonly BucketRow[]>;
  delBucket(name: string): Promise<void>;
  putObject(
    bucket: string,
    key: string,
    value: JsonObject,
    options: RequestOptions,
  ): Promise<{ readonly etag: string }>;
  /** @returns the object's JSON text. */
  getObject(bucket: string, key: string): Promise<string>;
  delObject(bucket: string, key: string, etag: unknown): Promise<void>;
  /**
   * @param onAccepted called when the bucket is known and its indexes suffice, before the filter is compiled.
   * @returns the objects' JSON texts.
   */
  findObjects(
    bucket: string,
    filter: string,
    options: RequestOptions,
    onAccepted: () => void,
  ): Promise<readonly string[]>;
  updateObjects(bucket: string, fields: JsonObject, filter: string, options: RequestOptions): Promise<object>;
  deleteMany(bucket: string, filter: string, options: RequestOptions): Promise<object>;
  reindexObjects(bucket: string, count: number, options: RequestOptions): Promise<object>;
  /** In order, in one transaction; the notifications are delivered when it is committed. @returns an entry per item. */
  batch(items: readonly BatchItem[], notifications: readonly Notification[]): Promise<readonly object[]>;
  notify(notification: Notification): Promise<void>;
  /** Touches the database. */
  ping(): Promise<void>;
  /** Finishes the writes that were accepted. */
  close(): Promise<void>;
}
