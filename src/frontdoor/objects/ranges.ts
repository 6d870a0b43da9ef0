/** Byte ranges (RFC 7233): one range per request. */

export type RangeVerdict =
  | { readonly kind: 'whole' }
  /** Both ends are inclusive. */
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'several' } // 501
  | { readonly kind: 'unsatisfiable' }; // 416

/** @param sizeBytes of the object. An empty object has no parts: it is answered whole, whatever was asked for. */
export function parseRange(header: string | undefined, sizeBytes: number): RangeVerdict {
  if (header === undefined || sizeBytes === 0) return { kind: 'whole' };
  if (header.includes(',')) return { kind: 'several' };
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header);
  const [, from = '', to = ''] = match ?? [];
  if (match === null || (from === '' && to === '')) return { kind: 'unsatisfiable' };
  if (from === '') return part(Math.max(0, sizeBytes - Number(to)), sizeBytes - 1);
  const last = to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  return Number(from) < sizeBytes ? part(Number(from), last) : { kind: 'unsatisfiable' };
}

function part(first: number, last: number): RangeVerdict {
  return first <= last ? { kind: 'part', first, last } : { kind: 'unsatisfiable' };
}
