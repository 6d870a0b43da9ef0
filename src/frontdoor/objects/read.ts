/**
 * GET and HEAD of an object. HEAD is answered from the entry alone. For GET the copies are asked in random order; when
 * one breaks off, the next goes on where it stopped, so that an answer that was begun is finished if any copy is whole.
 */
import VError from 'verror';
import { customHttpError, httpError } from '../../http/errors.js';
import type { ObjectEntry, StoredEntry } from '../metadata/entry.js';
import { shuffled } from '../placement/choose.js';
import type { Call } from '../request/call.js';
import { assertAllowed } from '../request/permission.js';
import { type HeaderValues, respondEmpty, respondStream, setHeaders } from '../request/respond.js';
import { checkConditions } from './check-conditions.js';
import { rangeCounts } from './conditions.js';
import { parseRange } from './ranges.js';
import { returnedHeaders } from './returned-headers.js';

interface Part {
  readonly first: number;
  readonly last: number;
}

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

async function send(call: Call, entry: ObjectEntry, part: Part & { readonly status: 200 | 206 }): Promise<void> {
  const { response } = call;
  const sizeBytes = part.last - part.first + 1;
  setHeaders(response, { 'Content-Length': sizeBytes });
  if (call.method === 'HEAD' || sizeBytes === 0) {
    response.writeHead(part.status);
    response.end();
    return;
  }
  await respondStream(response, copiesOf(call, entry, part), () => response.writeHead(part.status));
}

/** Bytes from `first` to `last`, of whichever copies give them. @throws VError when no copy is left. */
async function* copiesOf(call: Call, entry: ObjectEntry, { first, last }: Part): AsyncGenerator<Buffer> {
  const { nodes, picker, random } = call.services;
  const path = `/${entry.creator ?? entry.owner}/${entry.objectId}`;
  let at = first;
  for (const shark of shuffled(entry.sharks, random)) {
    const url = await picker.urlOf(shark.manta_storage_id);
    const whole = at === 0 && last === entry.contentLength - 1;
    try {
      const range = whole ? undefined : { first: at, last };
      const bytes = await nodes.read({ url, path, requestId: call.requestId, range });
      for await (const chunk of bytes as AsyncIterable<Buffer>) {
        const wanted = at + chunk.length > last + 1 ? chunk.subarray(0, last + 1 - at) : chunk;
        at += wanted.length;
        yield wanted;
      }
      if (at > last) return;
      call.services.log.error({ req_id: call.requestId, url, path, at, last }, 'a copy of an object is too short');
    } catch (error) {
      call.services.log.warn(
        { err: error, req_id: call.requestId, url, path, at },
        'a copy of an object cannot be read',
      );
    }
  }
  throw new VError({ name: 'NoCopyError', info: { path } }, 'no copy of object %s could be read', path);
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
