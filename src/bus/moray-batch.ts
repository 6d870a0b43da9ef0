/** One Moray batch from several transactions: the fence, their operations in order, and whom to wake. */
import type { BatchEntry, BatchRequest } from '../moray/client/types.js';
import type { BucketName } from '../records/buckets.js';
import { payloadOf } from './channels.js';
import type { Notification } from './push.js';
import type { BatchOptions, Operation, OperationResult } from './types.js';

interface Sendable {
  readonly operations: readonly Operation[];
  readonly options: BatchOptions;
}

interface MorayBatch {
  readonly requests: readonly BatchRequest[];
  readonly notifications: readonly Notification[];
  /** By transaction: where its operations begin. */
  readonly placeOf: readonly number[];
  readonly options: { readonly notify?: readonly (readonly [channel: string, payload: string])[] };
}

/** @param company have the same fence, if any. */
export function toMorayBatch(company: readonly Sendable[], buckets: Readonly<Record<BucketName, string>>): MorayBatch {
  const requests: BatchRequest[] = [];
  const placeOf: number[] = [];
  const fence = company[0]?.options.fence?.current();
  if (fence !== undefined) {
    const { bucket, key, value, etag } = fence;
    requests.push({ operation: 'put', bucket: buckets[bucket], key, value, options: { etag } });
  }
  for (const { operations } of company) {
    placeOf.push(requests.length);
    for (const operation of operations) requests.push(toRequest(operation, buckets));
  }
  const notifications = mergedNotifications(company.flatMap(({ options }) => options.notify ?? []));
  if (notifications.length === 0) return { requests, notifications, placeOf, options: {} };
  const notify = notifications.map(([channel, names]) => [channel, payloadOf(names)] as const);
  return { requests, notifications, placeOf, options: { notify } };
}

function toRequest(operation: Operation, buckets: Readonly<Record<BucketName, string>>): BatchRequest {
  const bucket = buckets[operation.bucket];
  switch (operation.op) {
    case 'put': {
      const { key, value, etag } = operation;
      return { operation: 'put', bucket, key, value, ...(etag === undefined ? {} : { options: { etag } }) };
    }
    case 'delete': {
      const { key, etag } = operation;
      return { operation: 'delete', bucket, key, ...(etag === undefined ? {} : { options: { etag } }) };
    }
    case 'update': {
      const { filter, fields, limit } = operation;
      return { operation: 'update', bucket, filter, fields, options: { limit } };
    }
    case 'deleteMany': {
      const { filter, limit } = operation;
      return { operation: 'deleteMany', bucket, filter, options: { limit } };
    }
  }
}

/** Each channel once. */
function mergedNotifications(notifications: readonly Notification[]): Notification[] {
  const merged = new Map<string, Set<BucketName>>();
  for (const [channel, names] of notifications) {
    const together = merged.get(channel) ?? new Set();
    for (const name of names) together.add(name);
    merged.set(channel, together);
  }
  return [...merged].map(([channel, names]) => [channel, [...names]]);
}

export function toEntry({ etag, count }: BatchEntry, repeated: boolean): OperationResult {
  return {
    ...(etag === undefined ? {} : { etag }),
    ...(count === undefined ? {} : { count }),
    ...(repeated ? { repeated } : {}),
  };
}
