/** `POST …/commit`: the parts named by their etags, in order, become one object. See record.ts. */
import crypto from 'node:crypto';
import { httpError } from '../../http/errors.js';
import { isObject, type ObjectEntry, objectEntry } from '../metadata/entry.js';
import { isConflict } from '../metadata/entry-store.js';
import { assertInTime, type Deadline } from '../metadata/in-time.js';
import { type Loaded, loadForWriting, rolesOf } from '../metadata/load.js';
import { readCopies } from '../objects/copies.js';
import { canonicalDisposition } from '../objects/disposition.js';
import { destination } from '../objects/place.js';
import { assertReplaceable, assertRoom, emptyMd5 } from '../objects/put.js';
import { type ByteSource, openUploads, type Received, receive } from '../objects/receive.js';
import { headersToStore } from '../objects/stored-headers.js';
import { keyOf, parsePath } from '../paths.js';
import type { StorageNode } from '../placement/choose.js';
import type { Call } from '../request/call.js';
import { defaultContentType } from '../request/content-type.js';
import { readJson } from '../request/json-body.js';
import { assertAllowed } from '../request/permission.js';
import { respondEmpty } from '../request/respond.js';
import type { UploadRecord } from './record.js';
import { removeParts } from './sweep.js';
import { assertOpen, loadUpload, type Upload } from './upload.js';

const maxParts = 10_000;
/** Of every part but the last. */
const minPartBytes = 5_242_880;
/** Room for the etags of all parts. */
const maxBodyBytes = 1_000_000;
const lookAtOnce = 50;
const maxAttempts = 3;

export async function commitUpload(call: Call): Promise<void> {
  const upload = await loadUpload(call);
  const etags = etagsIn(await readJson(call, maxBodyBytes), upload.record);
  const partsMD5Summary = crypto.createHash('md5').update(etags.join('')).digest('base64');
  const md5 = committedBefore(upload.record, partsMD5Summary) ?? (await commit(call, upload, etags, partsMD5Summary));
  const { targetObject } = upload.record;
  respondEmpty(call.response, 201, { Location: targetObject, 'Computed-MD5': md5, 'Content-Length': 0 });
  await removeParts(call, upload.stored.entry.key);
}

/** @returns the digest if this very commit was made already. @throws VError when the upload ended otherwise. */
function committedBefore(record: UploadRecord, partsMD5Summary: string): string | undefined {
  if (record.result === 'committed' && record.partsMD5Summary === partsMD5Summary) return record.contentMD5;
  assertOpen(record);
  return undefined;
}

async function commit(call: Call, upload: Upload, etags: readonly string[], partsMD5Summary: string): Promise<string> {
  const { record } = upload;
  const at = callOfTarget(call, record);
  const loaded = await loadForWriting(at);
  const overwrite = loaded.stored !== undefined;
  assertAllowed(at, { action: 'putobject', key: at.key, roles: rolesOf(loaded), conditions: { overwrite } });
  assertReplaceable(at, loaded.stored);
  await assertRoom(at, loaded);
  const parts = await partsOf(call, upload, etags);
  const { entry, lastByteMs: sinceMs } = await storeParts(at, record, parts);
  const deadline = { sinceMs, withinMs: call.services.config.entryWithinMs };
  return writeBoth(at, { upload, loaded, entry, partsMD5Summary, deadline });
}

function etagsIn(body: unknown, { id }: UploadRecord): readonly string[] {
  const { parts } = (typeof body === 'object' && body !== null ? body : {}) as { readonly parts?: unknown };
  const isList = Array.isArray(parts) && parts.every((part): part is string => typeof part === 'string');
  if (!isList) throw refused(id, '"parts" must be a list of etags');
  if (parts.length > maxParts) throw refused(id, `more than ${maxParts} parts`);
  return parts;
}

/** The call that a PUT of the object itself would be. */
function callOfTarget(call: Call, { targetObject }: UploadRecord): Call {
  const target = parsePath(targetObject);
  if (target === null) throw httpError('InvalidResource', targetObject);
  const key = keyOf(call.owner.account.uuid, target.components);
  return { ...call, method: 'PUT', target, path: target.path, key };
}

async function partsOf(call: Call, { stored, record }: Upload, etags: readonly string[]) {
  const parts: ObjectEntry[] = [];
  for (let start = 0; start < etags.length; start += lookAtOnce) {
    const keys = etags.slice(start, start + lookAtOnce).map((_etag, index) => `${stored.entry.key}/${start + index}`);
    for (const found of await Promise.all(keys.map((key) => call.services.entries.get(key)))) {
      const number = parts.length;
      const isThere = found !== undefined && isObject(found) && found.entry.etag === etags[number];
      if (!isThere) throw refused(record.id, `part ${number} does not have etag ${etags[number]}`);
      parts.push(found.entry);
    }
  }
  const short = parts.slice(0, -1).findIndex(({ contentLength }) => contentLength < minPartBytes);
  if (short >= 0) {
    const size = parts[short]?.contentLength;
    throw refused(record.id, `part ${short} has ${size} bytes: only the last may have fewer than ${minPartBytes}`);
  }
  return parts;
}

/** Copies the bytes of the parts to where a new object's would go. */
async function storeParts(at: Call, record: UploadRecord, parts: readonly ObjectEntry[]) {
  const { services } = at;
  const sizeBytes = parts.reduce((sum, { contentLength }) => sum + contentLength, 0);
  const { 'content-length': length, 'content-md5': digest } = record.headers;
  if (length !== undefined && Number(length) !== sizeBytes) {
    throw refused(record.id, `content-length is ${length}, but the parts have ${sizeBytes} bytes`);
  }
  const objectId = services.newId();
  let nodes: readonly StorageNode[] = [];
  let received: Received = { sizeBytes, md5: emptyMd5, lastByteMs: services.clock.nowMs() };
  if (sizeBytes > 0) {
    const wanted = { copies: record.numCopies, maxBytes: sizeBytes, neededBytes: sizeBytes };
    const to = await destination(at, wanted);
    const uploads = await openUploads(to, objectId, sizeBytes);
    const stallMs = services.config.dataTimeoutMs;
    const source = joinedParts(at, parts);
    const nowMs = () => services.clock.nowMs();
    const { onRefused: onFailed } = to;
    received = await receive({ source, uploads, sizeBytes, maxBytes: sizeBytes, stallMs, onFailed, nowMs });
    nodes = uploads.map(({ node }) => node);
  }
  const { md5, lastByteMs } = received;
  if (digest !== undefined && digest !== md5) {
    throw refused(record.id, `content-md5 is ${digest}, but that of the parts is ${md5}`);
  }
  const { 'content-type': contentType = defaultContentType, 'content-disposition': disposition } = record.headers;
  const headers = headersToStore(record.headers);
  if (at.target.components[0] === 'public') headers['access-control-allow-origin'] ??= '*';
  const { key, owner } = at;
  const maker = { key, owner: owner.account.uuid, roles: record.roles, headers, nowMs: services.clock.nowMs() };
  const shownAs = disposition === undefined ? undefined : canonicalDisposition(disposition);
  const stored = { sizeBytes, md5, contentType, disposition: shownAs, objectId, nodes };
  return { entry: objectEntry(maker, stored), lastByteMs };
}

function joinedParts(call: Call, parts: readonly ObjectEntry[]): ByteSource {
  async function* bytes(): AsyncGenerator<Buffer> {
    for (const part of parts)
      if (part.contentLength > 0) yield* readCopies(call, part, { first: 0, last: part.contentLength - 1 });
  }
  return { iterator: bytes, complete: true, destroyed: false };
}

interface Commit {
  readonly upload: Upload;
  readonly loaded: Loaded;
  readonly entry: ObjectEntry;
  readonly partsMD5Summary: string;
  readonly deadline: Deadline;
}

/** @returns the digest: of a commit that was faster, if it was the same. */
async function writeBoth(at: Call, { upload, loaded, entry, partsMD5Summary, deadline }: Commit): Promise<string> {
  const { entries, clock } = at.services;
  const { stored, record } = upload;
  const { contentMD5 } = entry;
  const ended: UploadRecord = { ...record, state: 'done', result: 'committed', partsMD5Summary, contentMD5 };
  let { stored: before } = loaded;
  for (let attempt = 1; ; attempt++) {
    const nowMs = clock.nowMs();
    const done = { entry: { ...stored.entry, upload: ended, mtime: nowMs }, replaces: stored };
    assertInTime(deadline, nowMs);
    try {
      await entries.putTogether([{ entry: { ...entry, mtime: nowMs }, replaces: before }, done], nowMs);
      return contentMD5;
    } catch (error) {
      if (!isConflict(error)) throw error;
      const faster = committedBefore((await loadUpload(at)).record, partsMD5Summary);
      if (faster !== undefined) return faster;
      if (attempt === maxAttempts) throw httpError('ConcurrentRequest', at.path);
      before = await entries.get(at.key);
      assertReplaceable(at, before);
    }
  }
}

function refused(id: string, problem: string): Error {
  return httpError('MultipartUploadInvalidArgument', `upload ${id}: ${problem}`);
}
