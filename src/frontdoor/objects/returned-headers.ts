/** What is given back with every read of an entry: the headers stored with it, and the names of its role tags. */
import type { Entry } from '../metadata/entry.js';
import type { Call } from '../request/call.js';
import type { HeaderValues } from '../request/respond.js';
import { headersToReturn } from './stored-headers.js';

export async function returnedHeaders(call: Call, entry: Entry): Promise<HeaderValues> {
  const headers = headersToReturn(entry.headers ?? {}, call.method, call.request.headers.origin);
  if (entry.roles === undefined || entry.roles.length === 0) return headers;
  const names = await call.services.accounts.names(entry.roles);
  const known = entry.roles.map((uuid) => names[uuid]).filter((name) => name !== undefined);
  return known.length === 0 ? headers : { ...headers, 'role-tag': known.join(', ') };
}
