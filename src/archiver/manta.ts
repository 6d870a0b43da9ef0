/**
 * What an archiver asks of the front door: objects, directories, removal. Lists are uploaded as they are read, so that
 * their length costs no memory; nothing of an upload that breaks off is ever visible. What is short, as nearly every
 * list is, goes in one piece with its length and digest.
 */
import crypto from 'node:crypto';
import http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import VError from 'verror';

export interface MantaClient {
  /** @throws VError `MantaError`: info has `statusCode` and `code` when the front door refused. */
  put(path: string, object: NewObject, token: string): Promise<void>;
  makeDirectory(path: string, token: string): Promise<void>;
  /** What is not there is removed already. */
  remove(path: string, token: string): Promise<void>;
  close(): void;
}

export interface NewObject {
  readonly contentType: string;
  readonly lines: Iterable<string> | AsyncIterable<string>;
}

/** Characters that go in one piece. */
const pieceLength = 1024 * 1024;
/** Silence of the front door. */
const timeoutMs = 60_000;

/** @param signal ends what is under way. */
export function createMantaClient(url: string, signal: AbortSignal): MantaClient {
  const base = new URL(url);
  const agent = new http.Agent({ keepAlive: true, noDelay: true, maxFreeSockets: 16 });

  interface Asked {
    readonly method: string;
    readonly path: string;
    readonly token: string;
    readonly headers: http.OutgoingHttpHeaders;
  }

  async function ask({ method, path, token, headers }: Asked, body: string | AsyncIterable<string>): Promise<void> {
    const request = http.request(new URL(encodeURI(path), base), {
      method,
      agent,
      headers: { ...headers, authorization: `Token ${token}` },
      timeout: timeoutMs,
      signal,
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', reject);
    });
    answered.catch(() => {}); // whoever waits for it is told
    try {
      if (typeof body === 'string') request.end(body);
      else await sendWhenWanted(request, answered, body);
      await assertDone(await answered);
    } catch (cause) {
      request.destroy();
      if (VError.hasCauseWithName(cause as Error, mantaError)) throw cause;
      throw new VError({ name: mantaError, cause: cause as Error }, '%s of "%s"', method, path);
    }
  }

  return {
    async put(path, { contentType, lines }, token) {
      const headers = { 'content-type': contentType, 'access-control-allow-origin': '*' };
      const asked = { method: 'PUT', path, token };
      const pieces = inPieces(lines);
      try {
        const first = await pieces.next();
        const second = first.done ? first : await pieces.next();
        const whole = first.done ? '' : first.value;
        if (second.done) return await ask({ ...asked, headers: { ...headers, ...describe(whole) } }, whole);
        const chunked = { 'transfer-encoding': 'chunked', expect: '100-continue' };
        await ask({ ...asked, headers: { ...headers, ...chunked } }, following([whole, second.value], pieces));
      } finally {
        await pieces.return(undefined); // refused or broken off: nobody reads the rest
      }
    },
    makeDirectory: (path, token) => {
      const headers = { 'content-type': 'application/json; type=directory', 'content-length': 0 };
      return ask({ method: 'PUT', path, token, headers }, '');
    },
    async remove(path, token) {
      try {
        await ask({ method: 'DELETE', path, token, headers: { 'content-length': 0 } }, '');
      } catch (error) {
        if (statusOf(error) !== 404) throw error;
      }
    },
    close: () => agent.destroy(),
  };
}

const mantaError = 'MantaError';

/** The status with which the front door refused; undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  const { statusCode } = VError.info(error as Error) as { readonly statusCode?: unknown };
  return typeof statusCode === 'number' ? statusCode : undefined;
}

function describe(text: string): http.OutgoingHttpHeaders {
  return {
    'content-length': Buffer.byteLength(text),
    'content-md5': crypto.createHash('md5').update(text).digest('base64'),
  };
}

/** Nothing is read of the body before the front door wants it, or after it has refused. */
async function sendWhenWanted(
  request: http.ClientRequest,
  answered: Promise<http.IncomingMessage>,
  body: AsyncIterable<string>,
): Promise<void> {
  request.flushHeaders();
  const wanted = new Promise<true>((resolve) => request.once('continue', () => resolve(true)));
  if ((await Promise.race([wanted, answered])) !== true) return;
  await pipeline(Readable.from(body, { objectMode: false }), request);
}

async function assertDone(response: http.IncomingMessage): Promise<void> {
  const { statusCode = 0 } = response;
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  if (statusCode >= 200 && statusCode < 300) return;
  const { method, path } = (response as { readonly req?: http.ClientRequest }).req ?? {};
  const says = Buffer.concat(chunks).toString('utf8').slice(0, 500);
  const info = { statusCode };
  throw new VError({ name: mantaError, info }, '%s of "%s" was answered with %d: %s', method, path, statusCode, says);
}

async function* inPieces(lines: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string, undefined> {
  let piece = '';
  for await (const line of lines) {
    piece += `${line}\n`;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

async function* following(first: readonly string[], rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield* first;
  yield* rest;
}
