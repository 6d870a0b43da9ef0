/**
 * What storage nodes are asked: to take the bytes of an object, and to give them back. Source: spec 07 §4.4.
 *
 * An upload is open once the node has said 100: only then does the front door tell its own client to go on, so that a
 * client never sends bytes that nobody can take. A kept connection may have been closed by a node that restarted; what
 * fails before the node said anything is tried again, and costs nothing.
 */
import http from 'node:http';
import VError from 'verror';

export interface NodeClient {
  /** Rejects with VError `StorageNodeError` (info: status, when the node answered). */
  open(options: UploadOptions): Promise<Upload>;
  /** All at once, for what is small: half the messages. Resolves to the MD5 that the node has computed. */
  store(options: Omit<UploadOptions, 'sizeBytes'> & { readonly bytes: Buffer }): Promise<string | undefined>;
  /** Several small objects of one creator at once. The node answers when it has them all, each with the right digest. */
  storeTogether(options: StoreTogetherOptions): Promise<void>;
  /** The answer's body, with status 200 or 206. Rejects when the node does not have it, or cannot be reached. */
  read(options: ReadOptions): Promise<http.IncomingMessage>;
  close(): void;
}

export interface UploadOptions {
  readonly url: string;
  /** `/<creator>/<objectId>` */
  readonly path: string;
  /** undefined: not known before the end. */
  readonly sizeBytes: number | undefined;
  readonly contentType: string;
  readonly requestId: string;
}

export interface StoreTogetherOptions {
  readonly url: string;
  readonly creator: string;
  readonly objects: readonly { readonly objectId: string; readonly bytes: Buffer; readonly md5: string }[];
  readonly requestId: string;
}

export interface Upload {
  /** Resolves when the next chunk may be written. @throws VError `StorageNodeError`. */
  write(chunk: Buffer): Promise<void> | undefined;
  /** Ends the bytes, and resolves to their MD5 as the node has computed it (undefined: it did not say). */
  finish(): Promise<string | undefined>;
  /** The node forgets what it got. */
  abort(): void;
}

export interface ReadOptions {
  readonly url: string;
  readonly path: string;
  readonly requestId: string;
  /** Inclusive; undefined: all. */
  readonly range: { readonly first: number; readonly last: number } | undefined;
}

const maxAttempts = 3;
const retryAfterMs = 100;

export function createNodeClient(connectTimeoutMs: number): NodeClient {
  const agent = new http.Agent({ keepAlive: true, noDelay: true, maxFreeSockets: 64 });
  return {
    open: (options) => persistently(() => openOnce(agent, connectTimeoutMs, options)),
    async store({ url, path, bytes, contentType, requestId }) {
      const headers = { 'content-type': contentType, 'x-request-id': requestId };
      const answer = await persistently(() => sendOnce(agent, { method: 'PUT', url, path, headers, bytes }));
      return single(answer['x-joyent-computed-content-md5']);
    },
    async storeTogether({ url, creator, objects, requestId }) {
      const listed = objects.map(({ objectId, bytes, md5 }) => ({ objectId, md5, body: bytes.toString('base64') }));
      const bytes = Buffer.from(JSON.stringify({ objects: listed }));
      const headers = { 'content-type': 'application/json', 'x-request-id': requestId };
      await persistently(() => sendOnce(agent, { method: 'POST', url, path: `/${creator}`, headers, bytes }));
    },
    read: (options) => persistently(() => readOnce(agent, connectTimeoutMs, options)),
    close: () => agent.destroy(),
  };
}

/** An answer is final; silence is asked again. */
async function persistently<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (failures === maxAttempts || statusOf(error) !== undefined) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryAfterMs * failures));
    }
  }
}

/** HTTP status with which a storage node refused, undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  const status: unknown = error instanceof Error ? VError.info(error)['status'] : undefined;
  return typeof status === 'number' ? status : undefined;
}

function openOnce(agent: http.Agent, connectTimeoutMs: number, options: UploadOptions): Promise<Upload> {
  const { url, path, sizeBytes, contentType, requestId } = options;
  const length = sizeBytes === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': sizeBytes };
  const request = http.request(`${url}${path}`, {
    method: 'PUT',
    agent,
    headers: { ...length, 'content-type': contentType, expect: '100-continue', 'x-request-id': requestId },
  });
  request.flushHeaders();

  let failure: Error | undefined;
  let wake = () => {};
  const answered = new Promise<string | undefined>((resolve, reject) => {
    request.once('response', (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      if (status === 201 || status === 204) resolve(single(response.headers['x-joyent-computed-content-md5']));
      else reject(nodeError(url, `answered ${status}`, { status }));
    });
    request.once('error', (cause) => reject(nodeError(url, 'failed', {}, cause)));
    request.once('close', () => reject(nodeError(url, 'closed the connection')));
  });
  answered.catch((error: Error) => {
    failure = error;
    wake();
  });
  request.on('drain', () => wake());

  const upload: Upload = {
    write(chunk) {
      if (failure === undefined && request.write(chunk)) return undefined;
      return new Promise((resolve, reject) => {
        wake = () => (failure === undefined ? resolve() : reject(failure));
        if (failure !== undefined) wake();
      });
    },
    finish() {
      request.end();
      return answered;
    },
    abort: () => request.destroy(),
  };
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => request.destroy(new Error('no answer in time')), connectTimeoutMs);
    request.once('continue', () => {
      clearTimeout(timer);
      resolve(upload);
    });
    answered.catch((error: Error) => {
      clearTimeout(timer);
      request.destroy();
      reject(error);
    });
  });
}

/** Longest silence of a node that was given something small: it writes it to disk before it answers. */
const storeTimeoutMs = 30_000;

interface Sending {
  readonly method: 'PUT' | 'POST';
  readonly url: string;
  readonly path: string;
  readonly headers: http.OutgoingHttpHeaders;
  readonly bytes: Buffer;
}

/** Resolves to the headers of the node's consent. */
function sendOnce(agent: http.Agent, sending: Sending): Promise<http.IncomingHttpHeaders> {
  const { method, url, path, bytes } = sending;
  const headers = { ...sending.headers, 'content-length': bytes.length };
  return new Promise((resolve, reject) => {
    const request = http.request(`${url}${path}`, { method, agent, headers });
    const timer = setTimeout(() => request.destroy(new Error('no answer in time')), storeTimeoutMs);
    request.once('error', (cause) => {
      clearTimeout(timer);
      reject(nodeError(url, 'failed', {}, cause));
    });
    request.once('response', (response) => {
      clearTimeout(timer);
      response.resume();
      const status = response.statusCode ?? 0;
      if (status === 201 || status === 204) resolve(response.headers);
      else reject(nodeError(url, `answered ${status}`, { status }));
    });
    request.end(bytes);
  });
}

function readOnce(agent: http.Agent, connectTimeoutMs: number, options: ReadOptions): Promise<http.IncomingMessage> {
  const { url, path, requestId, range } = options;
  const headers = {
    'x-request-id': requestId,
    ...(range === undefined ? {} : { range: `bytes=${range.first}-${range.last}` }),
  };
  return new Promise((resolve, reject) => {
    const request = http.get(`${url}${path}`, { agent, headers });
    const timer = setTimeout(() => request.destroy(new Error('no answer in time')), connectTimeoutMs);
    request.once('error', (cause) => {
      clearTimeout(timer);
      reject(nodeError(url, 'failed', {}, cause));
    });
    request.once('response', (response) => {
      clearTimeout(timer);
      const status = response.statusCode ?? 0;
      if (status === (range === undefined ? 200 : 206)) {
        resolve(response);
        return;
      }
      response.resume();
      reject(nodeError(url, `answered ${status}`, { status }));
    });
  });
}

function nodeError(url: string, what: string, info: { readonly status?: number } = {}, cause?: Error): Error {
  const options = { name: 'StorageNodeError', info };
  return new VError(cause === undefined ? options : { ...options, cause }, 'storage node %s %s', url, what);
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
