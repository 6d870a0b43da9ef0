/**
 * Conflicts: theory of operation. Moray refuses a conditional put when the record is not what it was when we read it,
 * and says which record and what its etag is now. There are three stories behind that:
 *
 *   the stored value is the very value we sent --> our own earlier attempt, whose answer was lost: success
 *   it is the fence, first in the batch        --> its owner looks: still ours, send again; else everything is lost
 *   somebody else changed the record           --> the writer merges, or gives up
 *
 * A transaction is atomic, so one operation recognised as our own tells that all were done. Equal content alone does
 * not tell that (two writers, or two transactions of ours, may write the same value), so for more than one operation an
 * earlier attempt without an answer is needed too, and what the transaction would make must be there.
 */
import type { BucketName } from '../records/buckets.js';
import { type ConflictContext, etagConflict, fenceLost } from './errors.js';
import { etagOf } from './etag.js';
import type { BatchOptions, Operation, Stored } from './types.js';

export type Put = Operation & { readonly op: 'put' };

export interface Conflicting {
  /** What is sent: a merge replaces one. */
  readonly operations: Operation[];
  readonly options: BatchOptions;
  /** An attempt ended without an answer. */
  readonly mayBeDone: boolean;
}

export type Resolution =
  | { readonly verdict: 'done' }
  /** The transaction was changed. */
  | { readonly verdict: 'send again' }
  | { readonly verdict: 'failed'; readonly error: Error };

export interface ConflictEnv {
  /** Logical name by Moray's. */
  readonly bucketOf: (name: string) => BucketName | undefined;
  readonly get: (bucket: BucketName, key: string) => Promise<Stored<object> | null>;
}

/** @param cause the conflict as Moray reported it. */
export async function resolveConflict(
  transaction: Conflicting,
  context: ConflictContext,
  cause: Error,
  env: ConflictEnv,
): Promise<Resolution> {
  const culprit = findCulprit(transaction.operations, context, env);
  if (culprit === null) return { verdict: 'failed', error: cause };
  const { index, put } = culprit;
  const isOwnValue = context.actual !== undefined && context.actual === etagOf(put.value);
  const isOne = transaction.operations.length === 1;
  if (isOwnValue && (isOne || (transaction.mayBeDone && (await isMade(transaction.operations, env)))))
    return { verdict: 'done' };
  const conflict = etagConflict(cause, { bucket: put.bucket, key: put.key });
  if (transaction.options.merge === undefined) return { verdict: 'failed', error: conflict };
  const stored = await env.get(put.bucket, put.key);
  const merged = stored === null ? null : transaction.options.merge(put, stored);
  if (stored === null || merged === null) return { verdict: 'failed', error: conflict };
  transaction.operations[index] = { ...put, value: copyOf(merged), etag: stored.etag };
  return { verdict: 'send again' };
}

/** Whether there is what a transaction would make, if it would make anything: all of it, or nothing. */
async function isMade(operations: readonly Operation[], { get }: ConflictEnv): Promise<boolean> {
  const made = operations.find((operation): operation is Put => operation.op === 'put' && operation.etag === null);
  return made === undefined || (await get(made.bucket, made.key)) !== null;
}

/** Without usable context the record can be guessed only if a single put is conditional. */
export function findCulprit(
  operations: readonly Operation[],
  { bucket, key }: ConflictContext,
  { bucketOf }: Pick<ConflictEnv, 'bucketOf'>,
): { readonly index: number; readonly put: Put } | null {
  const conditional = operations.flatMap((operation, index) =>
    operation.op === 'put' && operation.etag !== undefined ? [{ index, put: operation }] : [],
  );
  if (bucket === undefined || key === undefined) return conditional.length === 1 ? (conditional[0] ?? null) : null;
  return conditional.find(({ put }) => put.bucket === bucketOf(bucket) && put.key === key) ?? null;
}

/**
 * @returns null when the conflict is not about the fence. `send again`: the fence was changed, but not by a robber.
 */
export async function resolveFence(
  { options, operations }: Pick<Conflicting, 'options' | 'operations'>,
  context: ConflictContext,
  { bucketOf, get }: ConflictEnv,
): Promise<Resolution | null> {
  const fence = options.fence;
  const record = fence?.current();
  if (fence === undefined || record === undefined) return null;
  const { bucket, key, etag } = record;
  if (bucketOf(context.bucket ?? '') !== bucket || context.key !== key) return null;
  // What is stored is what the fence says by now. Either it has learned that meanwhile, or a put of ours is meant.
  if (context.actual === etag) {
    const isMeant = operations.some((operation) => isPutOf(operation, record));
    return isMeant ? null : { verdict: 'send again' };
  }
  const next = fence.changed(await get(bucket, key));
  return next === null ? { verdict: 'failed', error: fenceLost({ bucket, key }) } : { verdict: 'send again' };
}

function isPutOf(operation: Operation, record: Stored<object>): boolean {
  return operation.op === 'put' && operation.bucket === record.bucket && operation.key === record.key;
}

/** As it will be after the journey: a caller may go on changing its own. */
export function copyOf<Value extends object>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}
