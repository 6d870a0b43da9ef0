/** What users of Moray see: promises and async iterables over buckets and objects. Names are those of the wire. */

/** Types with full support; the server knows more (dates, addresses, ranges, arrays). */
export interface IndexDefinition {
  readonly type: string;
  readonly unique?: boolean;
}

export interface BucketConfig {
  readonly index: Readonly<Record<string, IndexDefinition>>;
  readonly options?: BucketOptions;
}

export interface BucketOptions {
  /** An update needs a greater one than is stored. */
  readonly version?: number;
  /**
   * Keeps, in the same transaction as every write to this bucket, a count of its objects per value of `attribute` in
   * bucket `bucket`: key = the value, value = `{ entries: count }`, gone at 0. Ours only; other servers store it.
   */
  readonly countBy?: { readonly bucket: string; readonly attribute: string };
  /**
   * The indexes to keep instead of one per field: lists of columns, with a condition on which rows are in it. Fields
   * stay searchable without one. Ours only; other servers store it and keep an index per field.
   */
  readonly accessPaths?: readonly AccessPath[];
}

export interface AccessPath {
  /** Indexed fields, or `_id`, `_mtime`, in order. */
  readonly fields: readonly string[];
  /** Only objects that have all of these. */
  readonly present?: readonly string[];
  /** Only objects that have none of these. */
  readonly absent?: readonly string[];
}

/** A bucket as stored. `reindex_active`: fields being reindexed, by version. */
export interface StoredBucket extends BucketConfig {
  readonly name: string;
  readonly mtime: Date;
  readonly reindex_active?: Readonly<Record<string, readonly string[]>>;
}

export interface MorayObject<Value = Record<string, unknown>> {
  readonly bucket: string;
  readonly key: string;
  readonly value: Value;
  readonly _id: number;
  readonly _etag: string;
  readonly _mtime: number;
  readonly _txn_snap: number | null;
  /** Of a search: how many objects match, whatever the limit. */
  readonly _count?: number | null;
}

/** `etag`: absent unconditional, null must not exist, text must be this one. */
export interface PutOptions {
  readonly etag?: string | null;
}

export interface FindOptions {
  readonly limit?: number;
  readonly offset?: number;
  readonly noLimit?: boolean;
  readonly sort?: SortKey | readonly SortKey[];
  /** Leaves out `_count`, which costs a count. */
  readonly no_count?: boolean;
  /** Refuses filters on fields without index. */
  readonly requireIndexes?: boolean;
  readonly timeout?: number;
}

export interface SortKey {
  readonly attribute: string;
  readonly order?: 'ASC' | 'DESC';
}

export type BatchRequest =
  | {
      readonly operation?: 'put';
      readonly bucket: string;
      readonly key: string;
      readonly value: object;
      readonly options?: PutOptions;
    }
  | {
      readonly operation: 'delete';
      readonly bucket: string;
      readonly key: string;
      readonly options?: { readonly etag?: string };
    }
  | {
      readonly operation: 'update';
      readonly bucket: string;
      readonly filter: string;
      readonly fields: Readonly<Record<string, unknown>>;
      readonly options?: { readonly limit?: number };
    }
  | {
      readonly operation: 'deleteMany';
      readonly bucket: string;
      readonly filter: string;
      readonly options?: { readonly limit?: number };
    };

export interface BatchOptions {
  /** Delivered when the batch is committed: [channel, payload]. */
  readonly notify?: readonly (readonly [channel: string, payload: string])[];
  readonly timeout?: number;
}

/** One per request, in order: puts have key and etag, deletes a key, updates count and etag, deleteMany a count. */
export interface BatchEntry {
  readonly bucket: string;
  readonly key?: string;
  readonly etag?: string;
  readonly count?: number;
}

/**
 * Errors keep the server's `name` (`ObjectNotFoundError`, `EtagConflictError`, …) and `context`; transport failures are
 * `FastTransportError`, `FastProtocolError` or `NoBackendsError`. Nothing is retried here.
 */
export interface MorayClient {
  createBucket(bucket: string, config: BucketConfig): Promise<void>;
  /** Creates or updates; nothing happens when the stored version is the same. @throws BucketVersionError if newer. */
  putBucket(bucket: string, config: BucketConfig): Promise<void>;
  getBucket(bucket: string): Promise<StoredBucket>;
  delBucket(bucket: string): Promise<void>;
  putObject(bucket: string, key: string, value: object, options?: PutOptions): Promise<{ readonly etag: string }>;
  /** @throws ObjectNotFoundError */
  getObject<Value = Record<string, unknown>>(bucket: string, key: string): Promise<MorayObject<Value>>;
  delObject(bucket: string, key: string, options?: { readonly etag?: string }): Promise<void>;
  /** Sets indexed fields of matching objects, 1000 unless `limit` says otherwise. */
  updateObjects(
    bucket: string,
    fields: Readonly<Record<string, unknown>>,
    filter: string,
    options?: FindOptions,
  ): Promise<{ readonly count: number; readonly etag: string }>;
  deleteMany(bucket: string, filter: string, options?: FindOptions): Promise<{ readonly count: number }>;
  /** In order, in one transaction. */
  batch(requests: readonly BatchRequest[], options?: BatchOptions): Promise<{ readonly etags: readonly BatchEntry[] }>;
  /** Sent at the first step of the iteration. 1000 objects unless `limit` or `noLimit` say otherwise. */
  findObjects<Value = Record<string, unknown>>(
    bucket: string,
    filter: string,
    options?: FindOptions,
  ): AsyncIterable<MorayObject<Value>>;
  /** Repeat until `processed` is 0. */
  reindexObjects(bucket: string, count: number): Promise<{ readonly processed: number; readonly remaining?: number }>;
  ping(options?: { readonly deep?: boolean; readonly timeout?: number }): Promise<void>;
  /**
   * Listens until the returned function is called or the connection is lost. Nothing says when listening has begun:
   * whoever must not miss anything proves it with a notification of its own.
   * @param onEnd called once if listening ends otherwise than by the returned function.
   */
  listen(channel: string, onPayload: (payload: string) => void, onEnd: (cause: Error | null) => void): () => void;
  notify(channel: string, payload: string): Promise<void>;
  /** Fails what is outstanding. */
  close(): Promise<void>;
}
