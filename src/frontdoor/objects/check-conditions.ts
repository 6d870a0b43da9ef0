/** Conditions of a request against a stored entry: the verdict as an error, or as "answer 304". */
import { httpError } from '../../http/errors.js';
import { isObject, type StoredEntry } from '../metadata/entry.js';
import type { Call } from '../request/call.js';
import { judgeConditions } from './conditions.js';

/** @returns whether a read must be answered 304. @throws VError `PreconditionFailed`. */
export function checkConditions(call: Call, stored: StoredEntry | undefined): boolean {
  const target =
    stored !== undefined && isObject(stored) ? { etag: stored.entry.etag, mtimeMs: stored.entry.mtime } : undefined;
  const verdict = judgeConditions(call.method, call.request.headers, target);
  if (verdict.status === 'failed') throw httpError('PreconditionFailed', verdict.message);
  return verdict.status === 'not modified';
}
