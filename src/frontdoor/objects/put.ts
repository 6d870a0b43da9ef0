/**
 * PUT of an object. Everything that can be refused is refused before the client is told to send (100 Continue): clients
 * keep their unread stream for another try. Order: spec 07 §3.3. Bytes first, then the entry: an object
 * that was acknowledged has its bytes.
 */
import crypto from 'node:crypto';
import { httpError } from '../../http/errors.js';
import { isObject, type ObjectEntry, objectEntry, type StoredEntry } from '../metadata/entry.js';
import { type Loaded, loadForWriting, rolesOf, writeEntry } from '../metadata/load.js';
import { parentKey } from '../paths.js';
import type { StorageNode } from '../placement/choose.js';
import type { Call } from '../request/call.js';
import { defaultContentType } from '../request/content-type.js';
import { assertAllowed, roleTags } from '../request/permission.js';
import { respondEmpty } from '../request/respond.js';
import { checkConditions } from './check-conditions.js';
import { canonicalDisposition } from './disposition.js';
import { destination } from './place.js';
import { openUploads, type Received, readSmall, receive, storeEverywhere } from './receive.js';
import { announcedDigest, announcedSize, requestedCopies } from './size.js';
import { headersToStore } from './stored-headers.js';

/** Bodies up to this size are kept in memory while they are stored. */
const smallBytes = 64 * 1024;

export const emptyMd5 = '1B2M2Y8AsgTpgAmY7PhCfg==';

/** Headers that cannot be meant for a directory. */
const objectHeaders = ['content-length', 'content-md5', 'durability-level'];

export async function putObject(call: Call): Promise<void> {
  if (call.target.kind !== 'entry') throw httpError('OperationNotAllowedOnRootDirectory', call.method, call.path);
  const loaded = await loadForWriting(call);
  const overwrite = loaded.stored !== undefined;
  const roles = await roleTags(call);
  assertAllowed(call, { action: 'putobject', key: call.key, roles: rolesOf(loaded), conditions: { overwrite } });
  checkConditions(call, loaded.stored);
  assertReplaceable(call, loaded.stored);

  const upload = announce(call);
  await assertRoom(call, loaded);
  const objectId = call.services.newId();
  const { received, nodes } = await takeBytes(call, upload, objectId);

  const make = (before: StoredEntry | undefined): ObjectEntry => {
    assertReplaceable(call, before);
    const { key, owner } = call;
    const nowMs = call.services.clock.nowMs();
    return objectEntry(
      { key, owner: owner.account.uuid, roles, headers: upload.headers, nowMs },
      {
        sizeBytes: received.sizeBytes,
        md5: received.md5,
        contentType: call.contentType?.text ?? defaultContentType,
        disposition: upload.disposition,
        objectId,
        nodes,
      },
    );
  };
  const deadline = { sinceMs: received.lastByteMs, withinMs: call.services.config.entryWithinMs };
  const entry = await writeEntry(call, loaded.stored, make, deadline);
  const { origin } = call.request.headers;
  respondEmpty(call.response, 204, {
    Etag: entry.etag,
    'Last-Modified': new Date(entry.mtime).toUTCString(),
    'Computed-MD5': entry.contentMD5,
    'Access-Control-Allow-Origin': origin,
  });
}

/** @throws VError `InvalidUpdate`, `OperationNotAllowedOnDirectory` when a directory is there. */
export function assertReplaceable(call: Call, stored: StoredEntry | undefined): void {
  if (stored === undefined || isObject(stored)) return;
  const header = objectHeaders.find((name) => call.request.headers[name] !== undefined);
  if (header !== undefined) throw httpError('InvalidUpdate', header, ' on a directory');
  throw httpError('OperationNotAllowedOnDirectory', call.path, call.method);
}

interface Announced {
  readonly sizeBytes: number | undefined;
  readonly maxBytes: number;
  readonly neededBytes: number;
  readonly copies: number;
  readonly digest: string | undefined;
  readonly disposition: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

function announce(call: Call): Announced {
  const headers = headersToStore(call.request.headers);
  const isPublic = call.target.components[0] === 'public';
  if (isPublic) headers['access-control-allow-origin'] ??= '*';
  const disposition = call.request.headers['content-disposition'];
  return {
    ...announcedSize(call),
    copies: requestedCopies(call),
    digest: announcedDigest(call),
    disposition: disposition === undefined ? undefined : canonicalDisposition(disposition),
    headers,
  };
}

export async function assertRoom(call: Call, { stored }: Loaded): Promise<void> {
  if (stored !== undefined) return;
  const dirname = parentKey(call.key);
  if (!(await call.services.entries.hasRoom(dirname))) throw httpError('DirectoryLimitExceeded', dirname);
}

async function takeBytes(
  call: Call,
  { sizeBytes, maxBytes, neededBytes, copies, digest }: Announced,
  objectId: string,
): Promise<{ received: Received; nodes: readonly StorageNode[] }> {
  const { services, request, response } = call;
  const nowMs = () => services.clock.nowMs();
  if (sizeBytes === 0) return { received: { sizeBytes: 0, md5: emptyMd5, lastByteMs: nowMs() }, nodes: [] };
  const to = await destination(call, { copies, maxBytes, neededBytes });
  const stallMs = services.config.dataTimeoutMs;
  if (request.headers.expect === undefined && sizeBytes !== undefined && sizeBytes <= smallBytes) {
    const bytes = await readSmall(request, stallMs);
    const md5 = crypto.createHash('md5').update(bytes).digest('base64');
    assertDigest(digest, md5); // before anything is stored
    const lastByteMs = nowMs();
    return { received: { sizeBytes, md5, lastByteMs }, nodes: await storeEverywhere(to, { objectId, bytes, md5 }) };
  }
  const uploads = await openUploads(to, objectId, sizeBytes);
  if (request.headers.expect !== undefined) response.writeContinue();
  const received = await receive({
    source: request,
    uploads,
    sizeBytes,
    maxBytes,
    stallMs,
    onFailed: to.onRefused,
    nowMs,
  });
  assertDigest(digest, received.md5);
  return { received, nodes: received.sizeBytes === 0 ? [] : uploads.map(({ node }) => node) };
}

/** @throws VError `ContentMD5Mismatch` */
function assertDigest(announced: string | undefined, computed: string): void {
  if (announced !== undefined && announced !== computed) throw httpError('ContentMD5Mismatch', computed, announced);
}
