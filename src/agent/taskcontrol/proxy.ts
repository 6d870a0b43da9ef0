/**
 * Passes a zone's requests on to the front door, with the job's token, and notes what they emit for the task. Nothing
 * else is added or checked: what a task may do is the front door's decision. A client that goes away ends its request
 * there and leaves no trace. Source: spec 05 §7.6; spec 06 §2.3.
 */
import { once } from 'node:events';
import type http from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Logger } from '../../common/logging.js';
import { wholeNumber } from '../../common/whole-number.js';
import { reducerLimit } from '../../records/limits.js';
import { decodeObjectName } from '../../taskapi/object-names.js';
import { reducerHeader, referenceHeader, streamHeader } from '../../taskapi/routes.js';
import type { Instruments } from '../instruments.js';
import type { Stream, Streams } from '../streams/streams.js';
import type { TaskTable } from '../tasks/table.js';
import type { Task } from '../tasks/task.js';
import type { Upstream } from '../upstream.js';
import { answerEmpty, controlErrors } from './answers.js';
import { kindOf, recordOutput } from './outputs.js';
import type { Slots } from './zone-requests.js';

export interface ProxyParts {
  readonly zone: string;
  readonly streams: Streams;
  readonly table: Pick<TaskTable, 'addOutput'>;
  readonly upstream: Upstream;
  readonly random: () => number;
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly instruments: Instruments;
  /** Apart: downloads that nobody reads hold up no upload. */
  readonly slots: { readonly uploads: Slots; readonly others: Slots };
}

type Busy = Stream & { readonly task: Task };

interface Emitted {
  readonly task: Task;
  readonly kind: 'stdout' | 'stderr' | 'core' | null;
  readonly path: string;
  readonly reducer: number | null;
  readonly isReference: boolean;
}

/** @param url sanitized. */
export async function proxy(
  parts: ProxyParts,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  url: string,
): Promise<void> {
  const stream = busy(parts);
  const reducer = reducerOf(request.headers[reducerHeader]);
  if (stream.failProbability > 0 && parts.random() < stream.failProbability) throw controlErrors.injected();
  const emitted = emittedBy(request, url, { task: stream.task, reducer });
  const abort = new AbortController();
  response.once('close', () => abort.abort());
  const isUpload = request.method === 'PUT' || request.method === 'POST';
  const giveBack = await (isUpload ? parts.slots.uploads : parts.slots.others).take(abort.signal);
  try {
    if (parts.streams.current(parts.zone)?.task !== stream.task) throw controlErrors.noTask();
    if (emitted?.isReference === true) await answerReference(parts, emitted, response);
    else await forward(parts, { stream, request, response, url, signal: abort.signal, emitted });
  } catch (error) {
    if (response.headersSent) response.destroy();
    if (!abort.signal.aborted) throw error;
  } finally {
    giveBack();
  }
}

function busy(parts: ProxyParts): Busy {
  const stream = parts.streams.current(parts.zone);
  if (stream === null || !stream.told) throw controlErrors.noTask();
  stream.lastContactMs = parts.nowMs();
  return stream;
}

/** @returns what the request emits if it succeeds; null for what emits nothing. */
function emittedBy(request: http.IncomingMessage, url: string, by: Pick<Emitted, 'task' | 'reducer'>): Emitted | null {
  let path: string;
  try {
    path = decodeObjectName(url.replace(/\?.*$/s, ''));
  } catch (error) {
    throw controlErrors.argument(`bad object name: ${(error as Error).message}`);
  }
  if (request.method !== 'PUT' || isDirectory(request.headers['content-type'])) return null;
  const kind = kindOf(request.headers[streamHeader]);
  const isReference = (request.headers[referenceHeader] ?? '') !== '';
  if (kind === null && !isReference) return null;
  return { ...by, kind, path, isReference };
}

function reducerOf(header: string | string[] | undefined): number | null {
  if (header === undefined) return null;
  const reducer = wholeNumber(String(header));
  if (!(reducer >= 0 && reducer < reducerLimit)) throw controlErrors.argument('invalid reducer');
  return reducer;
}

function isDirectory(contentType = ''): boolean {
  return /^\s*application\/json\s*;/i.test(contentType) && /;\s*type\s*=\s*"?directory"?\s*(;|$)/i.test(contentType);
}

async function answerReference(parts: ProxyParts, emitted: Emitted, response: http.ServerResponse): Promise<void> {
  const full = record(parts, emitted);
  answerEmpty(response, 204);
  await full;
}

function record(parts: ProxyParts, emitted: Emitted): Promise<void> | null {
  const { task, path, reducer } = emitted;
  if (parts.streams.current(parts.zone)?.task !== task) {
    parts.log.warn({ task: task.id, path }, 'stream has moved on by the time the object was finished writing');
    return null;
  }
  return recordOutput(parts.table, task, { kind: emitted.kind ?? 'stdout', path, reducer });
}

interface Forwarding {
  readonly stream: Busy;
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly url: string;
  readonly signal: AbortSignal;
  readonly emitted: Emitted | null;
}

async function forward(parts: ProxyParts, one: Forwarding): Promise<void> {
  const { request, response, signal } = one;
  const method = request.method ?? 'GET';
  const headers = headersFor(request, one.stream.details.token);
  parts.instruments.counts.mantarq_proxy_sent++;
  try {
    const upstream = await parts.upstream.open({ method, path: one.url, headers, signal });
    const answered = once(upstream, 'response') as Promise<[http.IncomingMessage]>;
    const sent = sendBody(request, response, upstream);
    sent.catch((error: Error) => upstream.destroy(error));
    const [answer] = await answered;
    relayHead(answer, response);
    await pipeline(answer, response);
    if (one.emitted !== null && (answer.statusCode ?? 500) < 400) await record(parts, one.emitted);
  } finally {
    parts.instruments.counts.mantarq_proxy_return++;
  }
}

/** The body of a client that asks first is sent when the front door agrees. */
async function sendBody(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  upstream: http.ClientRequest,
): Promise<void> {
  if (expectsContinue(request)) {
    upstream.once('continue', () => {
      response.writeContinue();
      void pipeline(request, upstream).catch((error: Error) => upstream.destroy(error));
    });
    upstream.flushHeaders();
    return;
  }
  await pipeline(request, upstream);
}

export function expectsContinue(request: http.IncomingMessage): boolean {
  return /^100-continue$/i.test(request.headers.expect ?? '');
}

/** Whoever speaks from a zone speaks for its job: credentials that the client sends are dropped. */
function headersFor(request: http.IncomingMessage, token: string): http.OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = { authorization: `Token ${token}` };
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    if (name === 'connection' || name === 'authorization' || values === undefined) continue;
    headers[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  if (!hasBody && (request.method === 'PUT' || request.method === 'POST')) headers['content-length'] = '0';
  return headers;
}

function relayHead(answer: http.IncomingMessage, response: http.ServerResponse): void {
  const headers: string[] = [];
  for (let index = 0; index + 1 < answer.rawHeaders.length; index += 2) {
    const [name = '', value = ''] = answer.rawHeaders.slice(index, index + 2);
    if (!/^(connection|keep-alive|transfer-encoding)$/i.test(name)) headers.push(name, value);
  }
  response.writeHead(answer.statusCode ?? 500, answer.statusMessage ?? '', headers);
  if (answer.readableLength === 0 && !answer.complete) response.flushHeaders(); // the body may take its time
}

/** Passes a change of protocol on, and then bytes both ways: the in-job end of an interactive session. */
export async function proxyUpgrade(
  parts: ProxyParts,
  request: http.IncomingMessage,
  client: Duplex,
  head: Buffer,
  url: string,
): Promise<void> {
  client.on('error', () => client.destroy());
  try {
    const stream = busy(parts);
    const headers = { ...headersFor(request, stream.details.token), connection: 'Upgrade' };
    const upstream = await parts.upstream.open({ method: request.method ?? 'GET', path: url, headers });
    upstream.on('error', () => client.destroy());
    upstream.once('response', (answer) => {
      client.write(headText(answer));
      answer.pipe(client);
    });
    upstream.once('upgrade', (answer: http.IncomingMessage, server: Duplex, serverHead: Buffer) => {
      client.write(headText(answer));
      if (serverHead.length > 0) client.write(serverHead);
      if (head.length > 0) server.write(head);
      server.on('error', () => client.destroy());
      server.once('close', () => client.destroy());
      client.once('close', () => server.destroy());
      server.pipe(client).pipe(server);
    });
    client.once('close', () => upstream.destroy());
    upstream.end();
  } catch (error) {
    parts.log.warn({ err: error, url }, 'change of protocol was not passed on');
    client.end('HTTP/1.1 409 Conflict\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  }
}

function headText(answer: http.IncomingMessage): string {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
  for (let index = 0; index + 1 < answer.rawHeaders.length; index += 2) {
    lines.push(`${answer.rawHeaders[index]}: ${answer.rawHeaders[index + 1]}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}
