/** GET and HEAD of an object. HEAD is answered from the entry alone. */
import { customHttpError, httpError } from '../../http/errors.js';
import type { ObjectEntry, StoredEntry } from '../metadata/entry.js';
import type { Call } from '../request/call.js';
import { assertAllowed } from '../request/permission.js';
import { type HeaderValues, respondEmpty, respondStream, setHeaders } from '../request/respond.js';
import { checkConditions } from './check-conditions.js';
import { rangeCounts } from './conditions.js';
import { type ByteRange, readCopies } from './copies.js';
import { parseRange } from './ranges.js';
import { returnedHeaders } from './returned-headers.js';

export async function readObject(call: Call, stored: StoredEntry<ObjectEntry>): Promise<void> {
  const { entry } = stored;
  const { request, response, method } = call;
  assertAllowed(call, { action: 'getobject', key: call.key, roles: entry.roles });
  const notModified = checkConditions(call, stored);
  const headers: HeaderValues = {
    Etag: entry.etag,
    'Last-Modified': new Date(entry.mtime).toUTCString(),
    ...(await returnedHeaders(call, entry)),
  };
  if (notModified) {
    respondEmpty(response, 304, headers);
    return;
  }
  assertAcceptable(call, entry);
  const wantsPart = method === 'GET' && rangeCounts(request.headers, { etag: entry.etag, mtimeMs: entry.mtime });
  const range = parseRange(wantsPart ? request.headers.range : undefined, entry.contentLength);
  if (range.kind === 'several') throw httpError('NotImplemented');
  if (range.kind === 'unsatisfiable') {
    throw customHttpError({
      statusCode: 416,
      code: 'RequestedRangeNotSatisfiableError',
      message: '',
      headers: { 'Content-Range': `bytes */${entry.contentLength}` },
    });
  }
  setHeaders(response, {
    ...headers,
    'Content-Type': entry.contentType,
    'Durability-Level': entry.sharks.length,
    'Content-Disposition': entry.contentDisposition,
  });
  if (range.kind === 'part') {
    const { first, last } = range;
    setHeaders(response, { 'Content-Range': `bytes ${first}-${last}/${entry.contentLength}` });
    await send(call, entry, { status: 206, first, last });
    return;
  }
  setHeaders(response, { 'Content-MD5': entry.contentMD5, ...(method === 'GET' ? { 'Accept-Ranges': 'bytes' } : {}) });
  await send(call, entry, { status: 200, first: 0, last: entry.contentLength - 1 });
}

async function send(call: Call, entry: ObjectEntry, part: ByteRange & { readonly status: 200 | 206 }): Promise<void> {
  const { response } = call;
  const sizeBytes = part.last - part.first + 1;
  setHeaders(response, { 'Content-Length': sizeBytes });
  if (call.method === 'HEAD' || sizeBytes === 0) {
    response.writeHead(part.status);
    response.end();
    return;
  }
  await respondStream(response, readCopies(call, entry, part), () => response.writeHead(part.status));
}

/** @throws VError `NotAcceptable` */
function assertAcceptable(call: Call, entry: ObjectEntry): void {
  const { accept } = call.request.headers;
  if (accept === undefined || accept.trim() === '') return;
  const [type = ''] = entry.contentType.toLowerCase().split(';');
  const [major] = type.trim().split('/');
  const fits = accept.split(',').some((item) => {
    const [range = ''] = item.trim().toLowerCase().split(';');
    return ['*', '*/*', type.trim(), `${major}/*`].includes(range.trim());
  });
  if (!fits) throw httpError('NotAcceptable', call.path, entry.contentType);
}
