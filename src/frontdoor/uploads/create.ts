/** `POST /:login/uploads`: checks what is to become of the parts, and makes the directory for them. */
import { wholeNumber } from '../../common/whole-number.js';
import { httpError, isHttpError } from '../../http/errors.js';
import { directoryEntry } from '../metadata/entry.js';
import { canonicalDisposition } from '../objects/disposition.js';
import type { StoredHeaders } from '../objects/stored-headers.js';
import { cleanPath, keyOf, parsePath, type ResourcePath } from '../paths.js';
import type { Call } from '../request/call.js';
import { readJson } from '../request/json-body.js';
import { roleTags } from '../request/permission.js';
import { respondJson } from '../request/respond.js';
import type { UploadRecord } from './record.js';
import { sweepUploads } from './sweep.js';
import { assertMayUpload, partsDirectory, uploadComponents } from './upload.js';

const defaultCopies = 2;

export async function createUpload(call: Call): Promise<void> {
  assertMayUpload(call);
  const body = await readJson(call);
  const { objectPath, headers: given } = (typeof body === 'object' && body !== null ? body : {}) as Definition;
  if (typeof objectPath !== 'string') throw refused('"objectPath" must be the path of an object');
  const target = targetOf(objectPath, call);
  const headers = headersOf(given);
  const id = call.services.newId();
  const record: UploadRecord = {
    id,
    state: 'created',
    targetObject: target.path,
    headers,
    numCopies: copiesOf(headers, call),
    creationTimeMs: call.nowMs,
    roles: await rolesFor(headers, call),
  };
  await makeDirectories(call, record);
  respondJson(call.response, 201, { id, partsDirectory: partsDirectory(call, id) });
  await sweepUploads(call, id);
}

interface Definition {
  readonly objectPath?: unknown;
  readonly headers?: unknown;
}

/** @throws VError `MultipartUploadInvalidArgument` unless it is the path of an object of the same account. */
function targetOf(objectPath: string, call: Call): ResourcePath {
  const target = parsePath(cleanPath(objectPath));
  const { login } = call.owner.account;
  if (target === null || target.kind !== 'entry' || target.components[0] === 'uploads') {
    throw refused(`"${objectPath}" cannot be the path of an object`);
  }
  if (target.login !== login) throw refused(`"${objectPath}" does not belong to ${login}`);
  return target;
}

function headersOf(given: unknown): StoredHeaders {
  if (given === undefined || given === null) return {};
  if (typeof given !== 'object' || Array.isArray(given)) throw refused('"headers" must be an object');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'string' && typeof value !== 'number') throw refused(`header "${name}" must be text`);
    if (/^if-/i.test(name)) throw refused(`conditional header "${name}" is not supported`);
    headers[name.toLowerCase()] = String(value);
  }
  assertHeaders(headers);
  return headers;
}

function assertHeaders(headers: StoredHeaders): void {
  const { 'content-length': length, 'content-md5': digest, 'content-disposition': disposition } = headers;
  if (length !== undefined && !/^\d{1,15}$/.test(length)) throw refused('content-length must be >= 0');
  if (digest !== undefined && !/^[A-Za-z0-9+/]{22}==$/.test(digest)) throw refused('content-md5 invalid');
  for (const [name, value] of Object.entries(headers))
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw refused(`"${name}" cannot be sent as a header`);
  try {
    if (disposition !== undefined) canonicalDisposition(disposition);
  } catch (error) {
    throw isHttpError(error) ? refused('content-disposition invalid') : error;
  }
}

function copiesOf(headers: StoredHeaders, { services: { config } }: Call): number {
  const wanted = headers['durability-level'] ?? headers['x-durability-level'];
  if (wanted === undefined) return Math.min(defaultCopies, config.maxObjectCopies);
  const copies = wholeNumber(String(wanted));
  if (copies >= 1 && copies <= config.maxObjectCopies) return copies;
  throw refused(`durability-level must be between 1 and ${config.maxObjectCopies}`);
}

function rolesFor(headers: StoredHeaders, call: Call): Promise<readonly string[]> {
  const { roleTag: _ofRequest, ...caller } = call.caller;
  const { 'role-tag': roleTag } = headers;
  return roleTags({ ...call, caller: roleTag === undefined ? caller : { ...caller, roleTag } });
}

async function makeDirectories(call: Call, upload: UploadRecord): Promise<void> {
  const { owner, services, nowMs } = call;
  const components = uploadComponents(upload.id);
  const maker = { owner: owner.account.uuid, roles: [], headers: {}, nowMs };
  const [above, own] = [components.slice(0, -1), components].map((parts) => {
    return directoryEntry({ ...maker, key: keyOf(owner.account.uuid, parts) });
  });
  if (above === undefined || own === undefined) return;
  const isFirst = (await services.entries.get(above.key)) === undefined;
  await services.entries.putAll([...(isFirst ? [above] : []), { ...own, upload }]);
}

function refused(problem: string): Error {
  return httpError('MultipartUploadInvalidArgument', `cannot create upload: ${problem}`);
}
