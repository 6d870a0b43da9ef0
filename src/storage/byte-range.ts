/** Which bytes of an object a Range header asks for. */

/** Both ends included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * One range, as `a-b`, `a-` or `-n`, cut at the end of the object. Several ranges are answered by the whole object, which
 * the protocol allows. @returns undefined: the whole object; null: cannot be satisfied.
 */
export function parseByteRange(header: string | undefined, sizeBytes: number): ByteRange | undefined | null {
  if (header === undefined || header.includes(',')) return undefined;
  const match = /^bytes=(\d*)-(\d*)$/.exec(header.trim());
  if (match === null) return null;
  const [, from = '', to = ''] = match;
  if (from === '') {
    const length = Number(to);
    if (to === '' || length === 0 || sizeBytes === 0) return null;
    return { first: Math.max(0, sizeBytes - length), last: sizeBytes - 1 };
  }
  const first = Number(from);
  const last = to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  return first >= sizeBytes || (to !== '' && Number(to) < first) ? null : { first, last };
}
