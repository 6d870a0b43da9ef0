/** Answers: the forms that all routes share. */
import crypto from 'node:crypto';
import type { Request, Response } from 'restify';
import { httpAnswer } from '../../http/errors.js';

export type HeaderValues = Readonly<Record<string, string | number | undefined>>;

export function setHeaders(response: Response, headers: HeaderValues): void {
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value);
}

/** An answer without a body. */
export function respondEmpty(response: Response, status: number, headers: HeaderValues = {}): void {
  setHeaders(response, headers);
  response.writeHead(status);
  response.end();
}

/** Clients check the digest: it is always the right one. */
export function respondJson(response: Response, status: number, body: object, headers: HeaderValues = {}): void {
  const text = Buffer.from(JSON.stringify(body));
  setHeaders(response, {
    ...headers,
    'Content-Type': 'application/json',
    'Content-Length': text.length,
    'Content-MD5': crypto.createHash('md5').update(text).digest('base64'),
  });
  response.writeHead(status);
  response.end(text); // to HEAD, Node sends the headers alone
}

/** Largest unread body that is read and dropped to keep a connection; others are cut off. */
const maxDrainedBytes = 1024 * 1024;

/** After the head has gone nothing can be said any more: the client learns it from a cut connection. */
export function respondError(request: Request, response: Response, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { statusCode, code, message, headers } = httpAnswer(error);
  for (const name of response.getHeaderNames()) {
    if (/^(content-|accept-ranges|etag|last-modified|result-set-size)/.test(name)) response.removeHeader(name);
  }
  const expected = Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  const hasBody = request.headers['transfer-encoding'] !== undefined || request.headers['content-length'] !== undefined;
  if (hasBody && !request.complete && expected > maxDrainedBytes) response.setHeader('Connection', 'close');
  respondJson(response, statusCode, { code, message }, headers);
}

/**
 * Writes what comes, as fast as the client reads it. An error before the first piece is still answered as an error.
 * @param writeHead called before the first piece, or at the end of an empty stream.
 */
export async function respondStream(
  response: Response,
  pieces: AsyncIterable<string | Buffer>,
  writeHead: () => void,
): Promise<void> {
  let started = false;
  const start = () => {
    if (!started) writeHead();
    started = true;
  };
  for await (const piece of pieces) {
    start();
    if (response.destroyed) return; // the client went away
    if (!response.write(piece)) await drained(response);
  }
  start();
  response.end();
}

/**
 * Resolves when more may be written, or when nobody reads any more. Waited for once per piece of a large object: an abort
 * signal, with the error that it makes, took a quarter of the processor time of a download.
 */
function drained(response: Response): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

/** Joins many short lines into pieces worth a write. */
export async function* joined(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let piece = '';
  for await (const line of lines) {
    piece += line;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

const pieceLength = 16 * 1024;
