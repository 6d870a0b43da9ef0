/**
 * The storage endpoint for user commands: plain HTTP on the zone's port 80, passed on to the agent, which adds the job's
 * credentials. The zone itself holds none. Clients come and go as they like: one that leaves takes its request with it
 * and disturbs nobody. Source: spec 06 §1.3.
 */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { decodeObjectName } from '../taskapi/object-names.js';
import { sanitizeUrl, streamHeader, taskRoutePrefix, taskRoutes } from '../taskapi/routes.js';
import type { Log } from './log.js';
import { passUpgradeOn } from './upgrade.js';

const maxRequests = 16;
const methods = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD'];

export interface ProxyOptions {
  readonly socketPath: string;
  readonly port: number;
  /** Address to listen on; absent: all. */
  readonly host: string | undefined;
  /** A request says that the command emits its outputs itself; called when it arrives, whatever becomes of it. */
  readonly onEmit: () => void;
  readonly log: Log;
}

/** @returns the port it listens on. @throws when it cannot. */
export function startProxy({ socketPath, port, host, onEmit, log }: ProxyOptions): Promise<number> {
  // A connection per request: on a unix socket it costs next to nothing, and clients that hang up in the middle of their
  // request, or are answered before its end, leave no connection behind that the next request would stumble over.
  const connections = new http.Agent({ keepAlive: false, maxSockets: maxRequests });
  const handle = (request: http.IncomingMessage, response: http.ServerResponse) => {
    const path = sanitizeUrl(request.url ?? '/');
    if (isPrivate(path)) return refuse(response, 404, { code: 'ResourceNotFound', message: `${path} does not exist` });
    if (!methods.includes(request.method ?? '')) {
      return refuse(response, 405, { code: 'BadMethod', message: `${request.method} is not allowed` });
    }
    if (isEmitting(request, path)) onEmit();
    passOn(request, response, { socketPath, path, agent: connections, log });
  };
  const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, handle);
  server.on('checkContinue', handle);
  server.on('upgrade', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    passUpgradeOn(request, socket, head, { socketPath, path: sanitizeUrl(request.url ?? '/'), log });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const listening = () => resolve((server.address() as AddressInfo).port);
    if (host === undefined) server.listen(port, listening);
    else server.listen(port, host, listening);
  });
}

function isEmitting(request: http.IncomingMessage, path: string): boolean {
  return request.method === 'PUT' && request.headers[streamHeader] === 'stdout' && !path.startsWith(taskRoutePrefix);
}

/** The answer to a report is the zone's next task: user code must not take it, not even by accident. */
function isPrivate(path: string): boolean {
  const name = path.split('?', 1)[0] ?? '';
  try {
    return sanitizeUrl(decodeObjectName(name)) === taskRoutes.report;
  } catch {
    return false; // malformed escapes: the agent says so
  }
}

function refuse(response: http.ServerResponse, status: number, body: { code?: string; message: string }): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    connection: 'close', // a body that nobody reads may follow
  });
  response.end(text);
}

interface Upstream {
  readonly socketPath: string;
  readonly path: string;
  readonly agent: http.Agent;
  readonly log: Log;
}

function passOn(request: http.IncomingMessage, response: http.ServerResponse, upstream: Upstream): void {
  const { socketPath, path, agent, log } = upstream;
  const waitsForContinue = request.headers.expect?.toLowerCase() === '100-continue';
  const onward = http.request({ socketPath, path, agent, method: request.method, headers: requestHeaders(request) });
  let sendingBody = !waitsForContinue;

  onward.on('continue', () => {
    sendingBody = true;
    response.writeContinue();
    request.pipe(onward);
  });
  onward.on('response', (answer) => {
    const headers = responseHeaders(answer);
    // Answered before the body came: what the client sends next could be either, so this connection ends here.
    const unfinished = !sendingBody || !request.complete;
    if (unfinished) headers.push('Connection', 'close');
    response.writeHead(answer.statusCode ?? 500, answer.statusMessage, headers);
    answer.pipe(response);
    answer.on('error', () => response.destroy()); // the client sees a body cut short, as the lackey did
    if (!sendingBody) answer.on('end', () => onward.destroy());
  });
  onward.on('error', (error) => {
    if (response.destroyed || response.writableEnded) return;
    if (response.headersSent) {
      request.unpipe(onward);
      request.resume();
      return;
    }
    log.warn('request not passed on', { method: request.method, path, error: error.message });
    refuse(response, 500, { message: error.message });
  });
  response.on('close', () => {
    if (!response.writableFinished) onward.destroy();
  });
  request.on('error', () => onward.destroy());
  if (!waitsForContinue) request.pipe(onward);
}

/** In the client's own order and spelling, without `Connection`. */
function requestHeaders(request: http.IncomingMessage): string[] {
  const headers = without(request.rawHeaders, ['connection']);
  const saysLength = 'content-length' in request.headers || 'transfer-encoding' in request.headers;
  const mayHaveBody = request.method === 'PUT' || request.method === 'POST';
  if (mayHaveBody && !saysLength) headers.push('Content-Length', '0'); // else Node would send an empty body in chunks
  return headers;
}

function responseHeaders(answer: http.IncomingMessage): string[] {
  return without(answer.rawHeaders, ['connection', 'keep-alive', 'transfer-encoding']);
}

function without(rawHeaders: readonly string[], names: readonly string[]): string[] {
  return rawHeaders.filter((_, index) => !names.includes((rawHeaders[index & ~1] ?? '').toLowerCase()));
}
