/**
 * One logical storage node: PUT, GET and HEAD of `/:creator/:objectid` by plain HTTP (spec 07 §4.4), POST of many small
 * objects to `/:creator`, and nothing else. There is no DELETE: bytes are removed by the node itself once no entry names them (removal.ts).
 *
 * A PUT is checked before its body is asked for (`100 Continue`), so that a refusal costs no bytes. Whoever stops
 * sending is cut off after a time of silence; how long a body takes as a whole is nobody's business.
 */
import type http from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { FromSchema } from 'json-schema-to-ts';
import type { Logger } from '../common/logging.js';
import { auditRequest } from '../http/audit.js';
import { readBody } from '../http/body.js';
import { customHttpError, isHttpError } from '../http/errors.js';
import { closeServer, createInnerServer, listen, sendError } from '../http/listen.js';
import { watchSilence } from '../http/silence.js';
import { checkOf } from '../records/validation.js';
import { parseByteRange } from './byte-range.js';
import {
  createObjectFiles,
  isUuid,
  noRoom,
  type ObjectFiles,
  type ObjectName,
  type OpenedObject,
  smallBytes,
} from './object-files.js';

export interface StorageNodeOptions {
  readonly root: string;
  readonly host: string;
  readonly port: number;
  readonly log: Logger;
}

export interface StorageNode {
  readonly url: string;
  readonly files: ObjectFiles;
  stop(): Promise<void>;
}

const silenceMs = 120_000;
/** A client that was refused gets this long to read why before its connection ends. */
const lingerMs = 2000;

export async function startStorageNode(options: StorageNodeOptions): Promise<StorageNode> {
  const { log, root } = options;
  const files = createObjectFiles(root);
  await files.prepare();
  const availableBytes = rememberAvailable(files);
  const handle = (request: http.IncomingMessage, response: http.ServerResponse, isWaiting: boolean): void => {
    auditRequest(log, request, response);
    watch(request, response);
    answer({ files, root, availableBytes, request, response, isWaiting }).catch((error: unknown) => {
      if (!isHttpError(error) && !request.socket.destroyed)
        log.error({ err: error, url: request.url }, 'request failed');
      refuse(request, response, error);
    });
  };
  const server = createInnerServer((request, response) => handle(request, response, false));
  const watch = watchSilence(server, silenceMs, () => true);
  server.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) =>
    handle(request, response, true),
  );
  const port = await listen(server, options);
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { url: `http://${host}:${port}`, files, stop: () => closeServer(server) };
}

interface Exchange {
  readonly files: ObjectFiles;
  readonly root: string;
  readonly availableBytes: () => Promise<number>;
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  /** The client sends its body only after `100 Continue`. */
  readonly isWaiting: boolean;
}

async function answer(exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  if (request.url === '/ping' && request.method === 'GET') {
    response.writeHead(200, { 'Content-Length': 0 }).end();
    return;
  }
  switch (request.method) {
    case 'POST':
      return putTogether(exchange, parseCreator(request.url));
    case 'PUT':
      return put(exchange, parseName(request.url));
    case 'GET':
    case 'HEAD':
      return get(exchange, parseName(request.url));
    default:
      response.setHeader('Allow', 'GET, HEAD, POST, PUT');
      throw customHttpError({
        statusCode: 405,
        code: 'MethodNotAllowedError',
        message: `${request.method} is not allowed`,
      });
  }
}

/** Two UUIDs and nothing else: no other path leads to the disk. */
function parseName(url = ''): ObjectName {
  const [path = ''] = url.split('?');
  const [empty, creator = '', objectId = '', ...more] = path.split('/');
  if (empty === '' && more.length === 0 && isUuid(creator) && isUuid(objectId)) return { creator, objectId };
  throw customHttpError({ statusCode: 400, code: 'InvalidResource', message: `"${path}" is not /<uuid>/<uuid>` });
}

function parseCreator(url = ''): string {
  const creator = url.slice(1);
  if (isUuid(creator)) return creator;
  throw customHttpError({ statusCode: 400, code: 'InvalidResource', message: `"${url}" is not /<uuid>` });
}

async function put(
  { files, root, availableBytes, request, response, isWaiting }: Exchange,
  name: ObjectName,
): Promise<void> {
  const expectedMd5 = parseDigest(request.headers['content-md5']);
  const announced = request.headers['content-length'];
  const length = Number(announced ?? 0);
  const available = await availableBytes();
  if (length > available) throw noRoom(new Error(`${length} bytes wanted, ${available} available`), root);
  if (isWaiting) response.writeContinue();
  const isSmall = announced !== undefined && length <= smallBytes;
  const { md5, replaced } = isSmall
    ? await files.receiveSmall(name, await readBody(request), expectedMd5)
    : await files.receive(name, wholeBody(request), expectedMd5);
  response.writeHead(replaced ? 204 : 201, {
    'x-joyent-computed-content-md5': md5,
    ...(replaced ? {} : { 'Content-Length': 0 }),
  });
  response.end();
}

/** Of the body of a POST. */
const maxTogetherBytes = 4 * 1024 * 1024;

const togetherSchema = {
  type: 'object',
  required: ['objects'],
  properties: {
    objects: {
      type: 'array',
      items: {
        type: 'object',
        required: ['objectId', 'md5', 'body'],
        properties: { objectId: { type: 'string' }, md5: { type: 'string' }, body: { type: 'string' } },
      },
    },
  },
} as const;

const isTogether = checkOf<FromSchema<typeof togetherSchema>>('body', togetherSchema);

/** All or an error: what was stored of a request that failed has no entry, and is removed like any such bytes. */
async function putTogether({ files, root, availableBytes, request, response }: Exchange, creator: string) {
  const length = Number(request.headers['content-length'] ?? Number.NaN);
  if (!(length <= maxTogetherBytes)) {
    const message = `the objects of one request must have a length, of at most ${maxTogetherBytes} bytes`;
    throw customHttpError({ statusCode: 413, code: 'RequestEntityTooLargeError', message });
  }
  const available = await availableBytes();
  if (length > available) throw noRoom(new Error(`${length} bytes wanted, ${available} available`), root);
  const objects = parseTogether(await readBody(request));
  const stored = await Promise.allSettled(
    objects.map(({ objectId, md5, bytes }) => files.receiveSmall({ creator, objectId }, bytes, md5)),
  );
  for (const outcome of stored) if (outcome.status === 'rejected') throw outcome.reason;
  response.writeHead(204);
  response.end();
}

function parseTogether(body: Buffer) {
  const invalid = (problem: string) =>
    customHttpError({ statusCode: 400, code: 'BadRequestError', message: `invalid objects: ${problem}` });
  let given: unknown;
  try {
    given = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw invalid((error as Error).message);
  }
  if (!isTogether(given)) throw invalid(isTogether.problem(given) ?? '');
  return given.objects.map(({ objectId, md5, body }) => {
    if (!isUuid(objectId)) throw invalid(`"${objectId}" is not a UUID`);
    return { objectId, md5, bytes: Buffer.from(body, 'base64') };
  });
}

const rememberedMs = 1000;

/** Free space does not change so fast that each of a thousand small objects must ask; the disk itself refuses more. */
function rememberAvailable(files: ObjectFiles): () => Promise<number> {
  let askedMs = Number.NEGATIVE_INFINITY;
  let answer = Promise.resolve(0);
  return () => {
    const nowMs = performance.now();
    if (nowMs - askedMs >= rememberedMs) {
      askedMs = nowMs;
      answer = files.space().then(({ availableBytes }) => availableBytes);
      answer.catch(() => {
        askedMs = Number.NEGATIVE_INFINITY; // a failure is not remembered
      });
    }
    return answer;
  };
}

/** An upload that ends before its announced end is not an object. */
async function* wholeBody(request: http.IncomingMessage): AsyncIterable<Uint8Array> {
  yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>; // else no failure could be answered
  if (!request.complete) throw new Error('the client went away');
}

function parseDigest(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = String(header);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length === 16 && bytes.toString('base64') === text) return text;
  throw customHttpError({ statusCode: 400, code: 'BadRequestError', message: 'Content-MD5 invalid' });
}

async function get({ files, request, response }: Exchange, name: ObjectName): Promise<void> {
  const opened = await files.open(name);
  if (opened === null)
    throw customHttpError({ statusCode: 404, code: 'ResourceNotFound', message: `${request.url} was not found` });
  try {
    await sendBytes(opened, request, response);
  } finally {
    await opened.handle.close();
  }
}

async function sendBytes(
  { handle, sizeBytes, mtimeMs }: OpenedObject,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const range = parseByteRange(request.headers.range, sizeBytes);
  if (range === null) {
    response.setHeader('Content-Range', `bytes */${sizeBytes}`);
    const message = `${request.headers.range} is an invalid range`;
    throw customHttpError({ statusCode: 416, code: 'RequestedRangeNotSatisfiable', message });
  }
  const { first, last } = range ?? { first: 0, last: sizeBytes - 1 };
  response.writeHead(range === undefined ? 200 : 206, {
    'Accept-Ranges': 'bytes',
    'Content-Type': 'application/octet-stream',
    'Content-Length': last - first + 1,
    'Last-Modified': new Date(mtimeMs).toUTCString(),
    ...(range === undefined ? {} : { 'Content-Range': `bytes ${first}-${last}/${sizeBytes}` }),
  });
  if (request.method === 'HEAD' || last < first) {
    response.end();
    return;
  }
  const stream = handle.createReadStream({ start: first, end: last, highWaterMark: 256 * 1024, autoClose: false });
  await pipeline(stream, response);
}

/**
 * The rest of a refused body is thrown away for a moment, so that the client reads the answer before the end. Without
 * "Connection: close": with it, node closes at once, and what the client still sends resets the connection.
 */
function refuse(request: http.IncomingMessage, response: http.ServerResponse, error: unknown): void {
  const { socket } = request;
  if (response.headersSent || socket.destroyed) {
    socket.destroy();
    return;
  }
  sendError(response, error);
  if (request.complete) return;
  request.on('error', () => {}); // the client may go away as it likes now
  request.resume();
  setTimeout(() => request.complete || socket.destroy(), lingerMs).unref();
}
