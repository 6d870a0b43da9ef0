/**
 * Conditional requests (RFC 7232, in the dialect that the published clients know): a decision over the request's
 * headers and the entry as it is stored. What race is left is closed by the write itself, which is conditional on the
 * version that was judged here.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** What the conditions are held against; undefined when nothing is stored. */
export interface ConditionTarget {
  readonly etag: string;
  readonly mtimeMs: number;
}

export type ConditionVerdict =
  | { readonly status: 'go on' }
  | { readonly status: 'not modified' } // 304
  | { readonly status: 'failed'; readonly message: string }; // 412

const goOn: ConditionVerdict = { status: 'go on' };

/** Whether the final write must fail when the entry changed meanwhile, instead of being repeated. */
export function isConditional(headers: IncomingHttpHeaders): boolean {
  return headers['if-match'] !== undefined || headers['if-none-match'] !== undefined;
}

export function judgeConditions(
  method: string,
  headers: IncomingHttpHeaders,
  target: ConditionTarget | undefined,
): ConditionVerdict {
  const reading = method === 'GET' || method === 'HEAD';
  const byTag = judgeTags(reading, headers, target);
  return byTag.status === 'go on' ? judgeTimes(reading, headers, target) : byTag;
}

function judgeTags(reading: boolean, headers: IncomingHttpHeaders, target: ConditionTarget | undefined) {
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined && !listed(ifMatch, target?.etag, true)) {
    return failed(`if-match '${ifMatch}' didn't match etag '${target?.etag ?? ''}'`);
  }
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined && listed(ifNoneMatch, target?.etag, target !== undefined)) {
    if (reading) return { status: 'not modified' } as const;
    return failed(`if-none-match '${ifNoneMatch}' matched etag '${target?.etag ?? ''}'`);
  }
  return goOn;
}

/**
 * `If-Range` (RFC 7233): a download is resumed only of the very object that it began with. When this is false, the range
 * does not count and the object is given whole: the parts of two objects are never joined.
 */
export function rangeCounts(headers: IncomingHttpHeaders, target: ConditionTarget): boolean {
  const ifRange = headers['if-range'];
  if (typeof ifRange !== 'string' || listed(ifRange, target.etag, false)) return true;
  return seconds(ifRange) === Math.floor(target.mtimeMs / 1000);
}

/** HTTP dates count whole seconds, so times are compared in seconds. A date that cannot be read is ignored. */
function judgeTimes(reading: boolean, headers: IncomingHttpHeaders, target: ConditionTarget | undefined) {
  if (target === undefined) return goOn;
  const mtimeS = Math.floor(target.mtimeMs / 1000);
  const mtime = new Date(target.mtimeMs).toUTCString();
  const modifiedSince = headers['if-modified-since'];
  if (modifiedSince !== undefined && headers['if-none-match'] === undefined && mtimeS <= seconds(modifiedSince)) {
    if (reading) return { status: 'not modified' } as const;
    return failed(`object was modified at '${mtime}'; if-modified-since '${modifiedSince}'`);
  }
  const unmodifiedSince = headers['if-unmodified-since'];
  if (unmodifiedSince !== undefined && mtimeS > seconds(unmodifiedSince)) {
    return failed(`object was modified at '${mtime}'; if-unmodified-since '${unmodifiedSince}'`);
  }
  return goOn;
}

/** NaN, which compares false with everything, when the text is no date. */
function seconds(date: string): number {
  return Math.floor(Date.parse(date) / 1000);
}

function listed(header: string, etag: string | undefined, starMatches: boolean): boolean {
  return header.split(',').some((item) => {
    const tag = item
      .trim()
      .replace(/^W\//, '')
      .replace(/^"(.*)"$/, '$1');
    return tag === '*' ? starMatches : tag === etag;
  });
}

function failed(message: string): ConditionVerdict {
  return { status: 'failed', message };
}
