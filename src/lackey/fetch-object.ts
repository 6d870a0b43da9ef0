/**
 * Fetching one input of a reducer, as a stream that survives what a network does: a connection that fails and a server
 * that stumbles are tried again with growing pauses, a body that ends early goes on where it stopped. What cannot be
 * mended ends the task: a 4xx, an object that changed meanwhile, bytes that do not add up. Source: spec 06 §1.7.
 */
import { createHash } from 'node:crypto';
import http from 'node:http';
import { encodeObjectName } from '../taskapi/object-names.js';
import { parseErrorBody } from '../taskapi/save-object.js';
import { readText } from './agent-client.js';

const maxAttempts = 5;
const firstPauseMs = 1000;
const longestPauseMs = 8000;

export interface FetchOptions {
  readonly socketPath: string;
  readonly connections: http.Agent;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<unknown>;
  readonly signal: AbortSignal;
}

interface Progress {
  receivedBytes: number;
  /** Of the first answer; every later one must agree. */
  first?: {
    readonly etag: string | undefined;
    readonly md5: string | undefined;
    readonly sizeBytes: number | undefined;
  };
}

/**
 * Writes the object's bytes in order.
 * @param write resolves when there is room for more. @throws Error with the cause as its message.
 */
export async function fetchObject(
  name: string,
  write: (chunk: Buffer) => Promise<void>,
  options: FetchOptions,
): Promise<void> {
  const progress: Progress = { receivedBytes: 0 };
  const hash = createHash('md5');
  const take = async (chunk: Buffer) => {
    hash.update(chunk);
    progress.receivedBytes += chunk.length;
    await write(chunk);
  };
  let attempt = 1;
  for (;;) {
    const before = progress.receivedBytes;
    const problem = await fetchOnce(name, progress, take, options);
    if (problem === undefined) break;
    options.signal.throwIfAborted();
    if (progress.receivedBytes > before) {
      attempt = 1; // a body that was cut goes on at once: it got further
      continue;
    }
    if (attempt >= maxAttempts) throw new Error(problem);
    await options.pause(Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1)), options.signal);
    attempt++;
  }
  const md5 = hash.digest('base64');
  const expected = progress.first?.md5;
  if (expected !== undefined && expected !== md5) {
    throw new Error(`"${name}": content MD5 is ${md5}, expected ${expected}`);
  }
}

/** @returns undefined when complete, else why to try again. @throws what trying again does not mend. */
async function fetchOnce(
  name: string,
  progress: Progress,
  take: (chunk: Buffer) => Promise<void>,
  { socketPath, connections, signal }: FetchOptions,
): Promise<string | undefined> {
  const resuming = progress.receivedBytes > 0;
  if (resuming && progress.receivedBytes === progress.first?.sizeBytes) return undefined;
  let response: http.IncomingMessage;
  try {
    const headers = resuming ? { range: `bytes=${progress.receivedBytes}-` } : {};
    response = await get({ socketPath, path: encodeObjectName(name), headers, agent: connections, signal });
  } catch (error) {
    return (error as Error).message;
  }
  const status = response.statusCode ?? 0;
  if (status >= 400) {
    const text = await readText(response).catch(() => '');
    const message = parseErrorBody(status, text).message ?? `"${name}": unexpected status ${status}`;
    if (status >= 500) return message;
    throw new Error(message);
  }
  checkSameObject(name, response, progress);
  try {
    for await (const chunk of response) await take(chunk as Buffer);
  } catch (error) {
    return `"${name}": ${(error as Error).message}`;
  }
  const size = progress.first?.sizeBytes;
  return size !== undefined && progress.receivedBytes < size ? `"${name}": body ended early` : undefined;
}

function checkSameObject(name: string, response: http.IncomingMessage, progress: Progress): void {
  const { etag } = response.headers;
  if (progress.first === undefined || progress.receivedBytes === 0) {
    const length = response.headers['content-length'];
    progress.first = {
      etag,
      md5: response.headers['content-md5'] as string | undefined,
      sizeBytes: length === undefined ? undefined : Number(length),
    };
    return;
  }
  if (etag !== progress.first.etag) throw new Error(`"${name}": etag changed while the object was read`);
  if (response.statusCode !== 206) throw new Error(`"${name}": cannot go on at byte ${progress.receivedBytes}`);
}

function get(options: http.RequestOptions): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.get(options, resolve);
    request.on('error', reject);
  });
}
