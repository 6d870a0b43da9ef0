/** Entries: what the namespace is made of. One record in bucket `manta` per object or directory. Source: spec 07 §4.1. */
import type { StoredHeaders } from '../objects/stored-headers.js';
import { lastName, parentKey } from '../paths.js';
import type { UploadRecord } from '../uploads/record.js';

/** One copy of an object's bytes. */
export interface Shark {
  readonly datacenter: string;
  readonly manta_storage_id: string;
}

interface CommonFields {
  readonly dirname: string;
  readonly key: string;
  readonly name: string;
  readonly headers: StoredHeaders;
  /** ms since the epoch */
  readonly mtime: number;
  /** UUID of the account whose namespace holds the entry. */
  readonly owner: string;
  /** UUID of the account whose bytes these are; absent in old records: the owner. */
  readonly creator?: string;
  /** UUIDs of role tags. */
  readonly roles?: readonly string[];
}

export interface ObjectEntry extends CommonFields {
  readonly type: 'object';
  readonly contentLength: number;
  /** base64 */
  readonly contentMD5: string;
  readonly contentType: string;
  readonly contentDisposition?: string;
  readonly etag: string;
  readonly objectId: string;
  /** Empty for an object of no bytes. */
  readonly sharks: readonly Shark[];
  /** Only in links: key of the source. */
  readonly createdFrom?: string;
}

export interface DirectoryEntry extends CommonFields {
  readonly type: 'directory';
  /** Only in the directory of the parts of a multipart upload. */
  readonly upload?: UploadRecord;
}

export type Entry = ObjectEntry | DirectoryEntry;

/** An entry as read: `version` is the precondition of the next write. */
export interface StoredEntry<E extends Entry = Entry> {
  readonly entry: E;
  readonly version: string;
}

export function isObject(stored: StoredEntry): stored is StoredEntry<ObjectEntry> {
  return stored.entry.type === 'object';
}

export interface EntryMaker {
  readonly key: string;
  readonly owner: string;
  readonly roles: readonly string[];
  readonly headers: StoredHeaders;
  readonly nowMs: number;
}

export function commonFields(maker: EntryMaker, isRoot = false) {
  const { key, owner, roles, headers, nowMs } = maker;
  // A root has no directory above it, and names itself.
  return {
    dirname: isRoot ? key : parentKey(key),
    key,
    name: lastName(key),
    headers,
    mtime: nowMs,
    owner,
    creator: owner,
    roles,
  };
}

export function directoryEntry(maker: EntryMaker, isRoot = false): DirectoryEntry {
  return { ...commonFields(maker, isRoot), type: 'directory' };
}

export interface StoredBytes {
  readonly sizeBytes: number;
  /** base64 */
  readonly md5: string;
  readonly contentType: string;
  readonly disposition: string | undefined;
  readonly objectId: string;
  readonly nodes: readonly { readonly id: string; readonly datacenter: string }[];
}

export function objectEntry(maker: EntryMaker, bytes: StoredBytes): ObjectEntry {
  const { sizeBytes, md5, contentType, disposition, objectId, nodes } = bytes;
  return {
    ...commonFields(maker),
    type: 'object',
    contentLength: sizeBytes,
    contentMD5: md5,
    contentType,
    ...(disposition === undefined ? {} : { contentDisposition: disposition }),
    etag: objectId,
    objectId,
    sharks: nodes.map(({ datacenter, id }): Shark => ({ datacenter, manta_storage_id: id })),
  };
}

/** One line of a directory listing. */
export function listLine(entry: Entry): string {
  const mtime = new Date(entry.mtime).toISOString();
  if (entry.type === 'directory') return `${JSON.stringify({ name: entry.name, type: 'directory', mtime })}\n`;
  const { name, etag, contentLength: size, contentType, contentDisposition, contentMD5, sharks } = entry;
  const line = { name, etag, size, type: 'object', contentType, contentDisposition, contentMD5, mtime };
  return `${JSON.stringify({ ...line, durability: sharks.length })}\n`;
}
