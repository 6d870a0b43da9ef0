/** Errors of the bus, and what it reads from those of Moray. */
import VError from 'verror';
import type { BucketName } from '../records/buckets.js';

/** Anywhere in the chain of causes: the store or the way to it is away, and will be back. Source: spec 02 §2.10.2. */
const transientNames = [
  'BusTimeoutError',
  'ConnectionClosedError',
  'ConnectionTimeoutError',
  'DNSError',
  'FastProtocolError',
  'FastTransportError',
  'NoBackendsError',
  'NoConnectionError',
  'UnsolicitedMessageError',
  'ConnectTimeoutError',
  'NoDatabasePeersError',
  'PoolShuttingDownError',
  'QueryTimeoutError',
];
/** Errors without a name of their own are known by their text only. */
const transientMessages = [
  'connect ECONNREFUSED',
  'connect ECONNRESET',
  'read ECONNRESET',
  'no active connections',
  'cannot execute SELECT FOR UPDATE in a read-only transaction',
  'cannot execute UPDATE in a read-only transaction',
  'deadlock detected',
  'remaining connection slots are reserved for non-replication superuser connections',
  'sorry, too many clients already',
  'Stream unexpectedly ended during query execution',
  'the database system is starting up',
];

export function isTransient(error: Error): boolean {
  return causes(error).some(
    ({ name, message }) =>
      transientNames.includes(name) || (/^[eE]rror$/.test(name) && transientMessages.includes(message)),
  );
}

/** What Moray says about a conflict: names are those of the wire. */
export interface ConflictContext {
  readonly bucket?: string;
  readonly key?: string;
  /** Etag of what is stored; `"null"`: nothing is. */
  readonly actual?: string;
}

/** null: the error is no conflict. */
export function conflictOf(error: Error): ConflictContext | null {
  const conflict = causes(error).find(({ name }) => name === 'EtagConflictError');
  if (conflict === undefined) return null;
  return (conflict as Error & { readonly context?: ConflictContext }).context ?? {};
}

export function isNotFound(error: Error): boolean {
  return causes(error).some(({ name }) => name === 'ObjectNotFoundError');
}

export function etagConflict(cause: Error, info: { readonly bucket: BucketName; readonly key: string }): Error {
  const text = '%s record "%s" was changed by somebody else';
  return new VError({ name: 'EtagConflictError', cause, info }, text, info.bucket, info.key);
}

export function fenceLost(info: { readonly bucket: BucketName; readonly key: string }): Error {
  const text = 'nothing was written: %s record "%s" now says that this process may not';
  return new VError({ name: 'FenceLostError', info }, text, info.bucket, info.key);
}

export function busStopped(): Error {
  return new VError({ name: 'BusStoppedError' }, 'the bus is stopping: nothing more is written or read');
}

export function busTimeout(what: string, timeoutMs: number): Error {
  return new VError({ name: 'BusTimeoutError', info: { timeoutMs } }, '%s: no answer within %d ms', what, timeoutMs);
}

/** @returns the error and what caused it, outermost first. */
function causes(error: Error): Error[] {
  const chain: Error[] = [];
  for (let next: unknown = error; next instanceof Error && chain.length < 32; next = VError.cause(next)) {
    chain.push(next);
  }
  return chain;
}
