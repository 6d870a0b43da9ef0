/** What an upload announces about itself, checked before a byte of it is read. */
import { wholeNumber } from '../../common/whole-number.js';
import { httpError } from '../../http/errors.js';
import type { Call } from '../request/call.js';

export interface AnnouncedSize {
  /** undefined: the body is chunked. */
  readonly sizeBytes: number | undefined;
  /** Space to find: the size, or the most that a chunked body may have. */
  readonly maxBytes: number;
  /** Space without which the upload is refused: less than `maxBytes` when only we, not the client, named the most. */
  readonly neededBytes: number;
}

const megabyte = 1024 * 1024;

/** @throws VError `ContentLengthRequired`, `InvalidMaxContentLength`. */
export function announcedSize({ request: { headers }, services: { config } }: Call): AnnouncedSize {
  if (headers['transfer-encoding'] !== undefined) {
    const limit = headers['max-content-length'];
    const maxBytes = limit === undefined ? config.maxStreamingSizeMb * megabyte : wholeNumber(String(limit));
    if (!(maxBytes >= 0)) throw httpError('InvalidMaxContentLength', String(limit));
    return { sizeBytes: undefined, maxBytes, neededBytes: limit === undefined ? 1 : maxBytes };
  }
  const sizeBytes = Number(headers['content-length'] ?? 0);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw httpError('ContentLengthRequired');
  return { sizeBytes, maxBytes: sizeBytes, neededBytes: sizeBytes };
}

export function megabytes(bytes: number): number {
  return Math.ceil(bytes / megabyte);
}

/** Of an object that does not say how many it wants. */
export function defaultCopies({ maxObjectCopies }: Call['services']['config']): number {
  return Math.min(2, maxObjectCopies);
}

/** @throws VError `InvalidDurabilityLevel`. */
export function requestedCopies({ request: { headers }, services: { config } }: Call): number {
  const header = headers['durability-level'] ?? headers['x-durability-level'];
  if (header === undefined) return defaultCopies(config);
  const copies = wholeNumber(String(header));
  if (!(copies >= 1 && copies <= config.maxObjectCopies)) {
    throw httpError('InvalidDurabilityLevel', 1, config.maxObjectCopies);
  }
  return copies;
}

/** @throws VError `BadRequestError` unless the digest is the base64 form of 16 bytes. */
export function announcedDigest({ request: { headers } }: Call): string | undefined {
  const digest = headers['content-md5'];
  if (digest === undefined) return undefined;
  const text = Array.isArray(digest) ? digest.join(',') : digest;
  const wellFormed = /^[A-Za-z0-9+/]{22}==$/.test(text) && Buffer.from(text, 'base64').length === 16;
  if (!wellFormed) throw httpError('BadRequestError', 'Content-MD5 invalid');
  return text;
}
