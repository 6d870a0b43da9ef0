/** Small JSON bodies: read whole, up to a limit, and checked against their digest. */
import crypto from 'node:crypto';
import { httpError } from '../../http/errors.js';
import type { Call } from './call.js';

const defaultMaxBytes = 100_000;

/**
 * The body as JSON; a missing one, or one that does not say it is JSON, counts as `{}`.
 * @throws VError `RequestEntityTooLargeError`, `BadDigest`, `InvalidContent`.
 */
export async function readJson(call: Call, maxBodyBytes = defaultMaxBytes): Promise<unknown> {
  const { request, response } = call;
  if (request.headers.expect !== undefined) response.writeContinue();
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    sizeBytes += piece.length;
    if (sizeBytes > maxBodyBytes) throw httpError('RequestEntityTooLargeError', maxBodyBytes);
    pieces.push(piece);
  }
  const body = Buffer.concat(pieces);
  const digest = request.headers['content-md5'];
  if (typeof digest === 'string') {
    const computed = crypto.createHash('md5').update(body).digest('base64');
    if (digest !== computed) throw httpError('BadDigest', digest, computed);
  }
  const media = call.contentType?.media ?? 'application/octet-stream';
  if (body.length === 0 || media === 'application/octet-stream') return {};
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw httpError('InvalidContent', (error as Error).message);
  }
}
