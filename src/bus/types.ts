/**
 * The bus, as its users see it: subscriptions to records, and transactions. Everything else about Moray (paging, push
 * and its proof, conflicts, lost answers, back-off) is the bus's own business.
 */
import type { BucketName } from '../records/buckets.js';
import type { HealthRecord } from '../records/health.js';

/** A record as last read. `etag` is the precondition of the next write, `id` its place in the order of creation. */
export interface Stored<Value> {
  readonly bucket: BucketName;
  readonly key: string;
  readonly value: Value;
  readonly id: number;
  readonly etag: string;
  readonly mtimeMs: number;
}

export type Operation =
  /** `etag`: absent unconditional, null must not exist, text must be this one. */
  | {
      readonly op: 'put';
      readonly bucket: BucketName;
      readonly key: string;
      readonly value: object;
      readonly etag?: string | null;
    }
  /** Sets indexed fields of at most `limit` matching records. */
  | {
      readonly op: 'update';
      readonly bucket: BucketName;
      readonly filter: string;
      readonly fields: Readonly<Record<string, unknown>>;
      readonly limit: number;
    }
  | { readonly op: 'delete'; readonly bucket: BucketName; readonly key: string; readonly etag?: string }
  | { readonly op: 'deleteMany'; readonly bucket: BucketName; readonly filter: string; readonly limit: number };

/** What one operation of a batch did, in the order of the operations: puts have an etag, updates a count and an etag. */
export interface OperationResult {
  readonly etag?: string;
  /** Absent when the answer was lost but the batch is known to be done. */
  readonly count?: number;
  /** An earlier attempt may have been done already: the count is of the last one only, and to be taken anew. */
  readonly repeated?: boolean;
}

export interface BatchOptions {
  /** Woken at commit: [channel, logical bucket names]. */
  readonly notify?: readonly (readonly [channel: string, buckets: readonly BucketName[]])[];
  /**
   * Called when a conditional put lost: returns the value to write instead (conditional on what is stored now), or
   * `null` to give up, which rejects with the conflict. Absent: every conflict rejects.
   */
  readonly merge?: (mine: Operation & { op: 'put' }, stored: Stored<object>) => object | null;
  /** Sent before the others: heartbeats. */
  readonly urgent?: boolean;
  /**
   * First in the batch: this record as last read, so that a robbed supervisor cannot write. When somebody else changed
   * it, `changed` decides: the batch is sent again behind what it returns, or rejected with `FenceLostError`.
   */
  readonly fence?: BatchFence;
}

export interface BatchFence {
  /** @throws VError `FenceLostError` when it is known to be lost: nothing is sent then. */
  current(): Stored<object>;
  /** Told the record as it is stored now (null: gone). Returns the record to go on with, or null when it was lost. */
  changed(stored: Stored<object> | null): Stored<object> | null;
}

export interface Query<Value> {
  readonly name: string;
  readonly bucket: BucketName;
  /** LDAP filter, evaluated at every pass. */
  readonly filter: () => string;
  /** `_id`s of records that are not even read, in ascending order, any number of them. */
  readonly leaveOut?: () => readonly number[];
  /** Channels whose notifications that name `bucket` start a pass at once. None: the query always runs `everyMs`. */
  readonly channels: readonly string[];
  /** Milliseconds between passes while push is proven to work. */
  readonly everyMs: number;
  /** Milliseconds between passes otherwise; 200 by default. */
  readonly unprovenEveryMs?: number;
  /**
   * Called for each record of a pass, oldest first. A record is "in hand" until the promise settles: it is not
   * delivered again with the same etag before. A rejection is logged and the record is delivered again later.
   */
  readonly onRecord: (record: Stored<Value>) => Promise<void> | void;
  /** Called when a pass has read every page and delivered every record (not: handled). */
  readonly onPass?: () => void;
}

export interface Subscription {
  /**
   * Resolves after a pass that started after this call has delivered everything that matched.
   * @throws VError `BusStoppedError` when the subscription ends before.
   */
  fence(): Promise<void>;
  /** Starts a pass now, or right after the one that runs. */
  wake(): void;
  stop(): void;
}

/** Calls made since the start. */
export interface BusCounters {
  /** Pages read by passes. */
  readonly queries: number;
  /** Single reads, counts, and pages of searches. */
  readonly reads: number;
  readonly batches: number;
  /** In these batches, without fences. */
  readonly operations: number;
  /** Batches that were refused, or not answered. */
  readonly refusals: number;
}

/** A query and a write as operators see them. Names are those of the snapshots. Source: spec 05 §1.7. */
export interface SubscriptionState {
  readonly name: string;
  readonly bucket: BucketName;
  readonly lastQuery: string | null;
  readonly lastStart: string | null;
  readonly lastNonEmptyStart: string | null;
  readonly lastNonEmptyNRecords: number;
  readonly running: boolean;
  /** Records that were handed out and are not dealt with. */
  readonly nBarrierPending: number;
  readonly nRequests: number;
  readonly nRecords: number;
}

export interface TransactionState {
  /** Counted since the start of the process. */
  readonly id: number;
  /** `bucket/key` of what it puts or deletes. */
  readonly records: readonly string[];
  readonly running: boolean;
  readonly nFails: number;
  /** Since when it waits: for others, or for its next attempt; null while it does not. */
  readonly waitStart: string | null;
  /** ms from there to the next attempt, if it failed. */
  readonly waitDelay: number | null;
}

export interface BusState {
  readonly subscriptions: readonly SubscriptionState[];
  readonly transactions: readonly TransactionState[];
}

export interface Bus {
  subscribe<Value>(query: Query<Value>): Subscription;
  /**
   * Writes atomically. Transient failures are retried for as long as it takes; a batch that names a record with a
   * pending write waits for it; a lost answer is recognised.
   * Batches handed in together travel together, as long as they have the same fence (the same object).
   * @throws VError `EtagConflictError` (info: bucket, key), `FenceLostError`, `BusStoppedError`, or what Moray said.
   */
  batch(operations: readonly Operation[], options?: BatchOptions): Promise<readonly OperationResult[]>;
  /** Retries until it succeeds. null: no such record. */
  get<Value>(bucket: BucketName, key: string): Promise<Stored<Value> | null>;
  /** Every match in `_id` order, page by page. Retries until it succeeds. */
  find<Value>(bucket: BucketName, filter: string): AsyncIterable<Stored<Value>>;
  /** Retries until it succeeds. */
  count(bucket: BucketName, filter: string): Promise<number>;
  /** Writes the heartbeat of this process, unconditionally and ahead of everything; its echo proves that push works. */
  heartbeat(record: HealthRecord, options?: { readonly notify?: BatchOptions['notify'] }): Promise<void>;
  /** Wakes listeners without a write. Best effort. */
  notify(channel: string, buckets: readonly BucketName[]): void;
  /** Whether echoes of this process's own heartbeats come back in time. */
  readonly pushProven: boolean;
  /** For operators: what is subscribed to, and what is being written. */
  state(): BusState;
  readonly counters: BusCounters;
  /** Writes in flight are finished, subscriptions end. */
  stop(): Promise<void>;
}
