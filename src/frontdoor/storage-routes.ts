/** The namespace's own methods: what a GET, PUT or DELETE means depends on the type that is stored, or that is sent. */
import { httpError } from '../http/errors.js';
import { readAccountRoot, readDirectory } from './directories/list.js';
import { makeDirectory } from './directories/make.js';
import { removeDirectory } from './directories/remove.js';
import { isObject, type StoredEntry } from './metadata/entry.js';
import { putLink } from './objects/link.js';
import { putObject } from './objects/put.js';
import { readObject } from './objects/read.js';
import { removeObject } from './objects/remove.js';
import { updateMetadata } from './objects/update.js';
import { isUploadPath } from './paths.js';
import type { Call } from './request/call.js';
import { isDirectoryType, isLinkType } from './request/content-type.js';
import { respondEmpty } from './request/respond.js';

/** GET and HEAD. */
export async function storageRead(call: Call): Promise<void> {
  const { kind } = call.target;
  if (kind === 'account root') return readAccountRoot(call);
  const stored = await call.services.entries.get(call.key);
  if (stored === undefined) {
    if (kind === 'entry') throw httpError('ResourceNotFound', call.path);
    return readDirectory(call, undefined);
  }
  return isObject(stored) ? readObject(call, stored) : readDirectory(call, asDirectory(stored));
}

export async function storagePut(call: Call): Promise<void> {
  // Below the uploads there are parts, and directories that we make.
  if (isUploadPath(call.target) && call.target.kind === 'entry') throw httpError('MethodNotAllowedError', call.method);
  const { metadata } = call.query;
  if (metadata !== undefined && metadata !== '') return updateMetadata(call);
  if (isDirectoryType(call.contentType)) return makeDirectory(call);
  if (isLinkType(call.contentType)) return putLink(call);
  return putObject(call);
}

export async function storageDelete(call: Call): Promise<void> {
  const { kind } = call.target;
  if (kind === 'account root' || kind === 'root') throw rootRefused(call);
  const stored = await call.services.entries.get(call.key);
  if (stored === undefined) throw httpError('ResourceNotFound', call.path);
  return isObject(stored) ? removeObject(call, stored) : removeDirectory(call, asDirectory(stored));
}

/** A preflight of a browser; it never fails. */
export async function storageOptions(call: Call): Promise<void> {
  respondEmpty(call.response, 200, { 'Content-Length': 0 });
}

export async function refuseOnRoot(call: Call): Promise<void> {
  throw rootRefused(call);
}

function rootRefused(call: Call): Error {
  return httpError('OperationNotAllowedOnRootDirectory', call.method, call.path);
}

function asDirectory(stored: StoredEntry) {
  const { entry, version } = stored;
  if (entry.type !== 'directory') throw new Error(`entry "${entry.key}" has the unknown type "${entry.type}"`);
  return { entry, version };
}
