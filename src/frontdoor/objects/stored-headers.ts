/**
 * Headers that are kept with an entry and given back with it: the user's own (`m-*`), caching, and CORS. Whether CORS
 * headers are given back depends on who asks.
 */
import type { IncomingHttpHeaders } from 'node:http';

export type StoredHeaders = Readonly<Record<string, string>>;

const keptNames: ReadonlyMap<string, string> = new Map([
  ['access-control-allow-headers', 'access-control-allow-headers'],
  ['access-control-allow-origin', 'access-control-allow-origin'],
  ['access-control-expose-headers', 'access-control-expose-headers'],
  ['access-control-max-age', 'access-control-max-age'],
  ['access-control-allow-methods', 'access-control-allow-methods'],
  ['cache-control', 'Cache-Control'],
  ['surrogate-key', 'Surrogate-Key'],
]);

/** Of `m-*` values, in the order of their arrival; what does not fit any more is dropped. */
const maxUserHeaderBytes = 4096;

/** What a request asks to keep. */
export function headersToStore(headers: IncomingHttpHeaders): Record<string, string> {
  const kept: Record<string, string> = {};
  let userBytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== 'string') continue;
    const keptName = keptNames.get(name);
    if (keptName !== undefined) kept[keptName] = value;
    if (!name.startsWith('m-') || userBytes >= maxUserHeaderBytes) continue;
    userBytes += value.length; // one character per byte
    if (userBytes <= maxUserHeaderBytes) kept[name] = value;
  }
  return kept;
}

/** What of the stored headers this request is given. */
export function headersToReturn(stored: StoredHeaders, method: string, origin: string | undefined) {
  const all = { ...stored };
  if (origin === undefined) return all;
  const methods = all['access-control-allow-methods'];
  if (!lists(all['access-control-allow-origin'], origin)) return withoutCors(all);
  if (methods !== undefined && !lists(methods, method)) delete all['access-control-allow-methods'];
  return { ...all, 'access-control-allow-origin': origin };
}

function withoutCors(headers: StoredHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('access-control-')));
}

function lists(list: string | undefined, wanted: string): boolean {
  if (list === undefined) return false;
  return list.split(',').some((item) => item.trim() === '*' || item.trim().toLowerCase() === wanted.toLowerCase());
}
