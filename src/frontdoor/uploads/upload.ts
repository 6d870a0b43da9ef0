/** The upload that a path names, for all routes about uploads. */
import { principalName } from '../../accounts/authorize.js';
import { httpError } from '../../http/errors.js';
import { type DirectoryEntry, isObject, type StoredEntry } from '../metadata/entry.js';
import { keyOf } from '../paths.js';
import type { Call } from '../request/call.js';
import { assertAllowed } from '../request/permission.js';
import { respondEmpty } from '../request/respond.js';
import type { UploadRecord } from './record.js';

export interface Upload {
  readonly stored: StoredEntry<DirectoryEntry>;
  readonly record: UploadRecord;
}

/** Where an upload is, below the account. */
export function uploadComponents(id: string): readonly string[] {
  return ['uploads', id.slice(0, 1), id];
}

export function partsDirectory(call: Call, id: string): string {
  return `/${encodeURIComponent(call.owner.account.login)}/${uploadComponents(id).join('/')}`;
}

/** @throws VError `ResourceNotFound`, `AuthorizationFailed`. */
export async function loadUpload(call: Call): Promise<Upload> {
  assertMayUpload(call);
  const { prefix = '', upload: id = '' } = call.parameters;
  const key = keyOf(call.owner.account.uuid, uploadComponents(id));
  const stored = id.startsWith(prefix) && prefix.length === 1 ? await call.services.entries.get(key) : undefined;
  if (stored === undefined || isObject(stored)) throw httpError('ResourceNotFound', call.path);
  const { entry, version } = stored as StoredEntry<DirectoryEntry>;
  if (entry.upload === undefined) throw httpError('ResourceNotFound', call.path);
  return { stored: { entry, version }, record: entry.upload };
}

/** Uploads are not for the users of an account. @throws VError `AuthorizationFailed`. */
export function assertMayUpload(call: Call): void {
  const { principal } = call.caller;
  if (principal?.user) throw httpError('AuthorizationFailed', principalName(principal), call.path);
  assertAllowed(call, { action: 'putobject', key: keyOf(call.owner.account.uuid, ['uploads']), roles: [] });
}

/** @throws VError `InvalidMultipartUploadState` when it is committed or aborted. */
export function assertOpen({ id, state, result }: UploadRecord): void {
  if (state !== 'created') throw httpError('InvalidMultipartUploadState', id, `already ${result}`);
}

/** Clients that know nothing but the id ask here where the upload is. */
export async function redirectToUpload(call: Call): Promise<void> {
  const { upload = '', part } = call.parameters;
  call.request.resume();
  const location = [partsDirectory(call, upload), ...(part === undefined ? [] : [encodeURIComponent(part)])].join('/');
  respondEmpty(call.response, 301, { Location: location, 'Content-Length': 0 });
}
