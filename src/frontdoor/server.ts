/**
 * The HTTP server: restify, with one handler in front of everything. Routing is ours (routes.ts): restify's router
 * decodes paths, and trips over names that are perfectly good here. Each request goes through the order of spec 07 §1.3
 * and is answered exactly once; whatever is thrown on the way becomes an answer here and nowhere else.
 *
 * A client that neither sends nor reads is cut off; a request that waits for us is not.
 */
import type http from 'node:http';
import os from 'node:os';
import querystring from 'node:querystring';
import restify, { type Next, type Request, type Response } from 'restify';
import VError from 'verror';
import { auditRequest } from '../http/audit.js';
import { httpError, isHttpError } from '../http/errors.js';
import { closeServer, listenRestify } from '../http/listen.js';
import { watchSilence } from '../http/silence.js';
import { cleanPath, isUploadPath, parsePath } from './paths.js';
import { identify } from './request/authentication.js';
import type { Arrival, Call, Services, Upgrade } from './request/call.js';
import { parseContentType } from './request/content-type.js';
import { respondEmpty, respondError } from './request/respond.js';
import { matchRoute } from './routes.js';
import { onUpgrade } from './upgrades.js';

export interface HttpServer {
  readonly port: number;
  stop(): Promise<void>;
}

const stopGraceMs = 5_000;

export async function startHttpServer(services: Services): Promise<HttpServer> {
  const { config } = services;
  const { connections } = services.limits;
  // "noWriteContinue": clients are told to send their bodies when all checks have passed, not before.
  const server = restify.createServer({ name: 'Manta', noWriteContinue: true });
  const inner = server.server as http.Server;
  const watch = watchSilence(
    inner,
    config.socketTimeoutMs,
    (request, response) => response.headersSent || !request.complete,
    connections.isDispensable,
  );
  server.pre((request: Request, response: Response, next: Next) => {
    watch(request, response);
    void serve(services, request, response).finally(() => next(false));
  });
  inner.keepAliveTimeout = 0;
  inner.requestTimeout = 0;
  inner.headersTimeout = config.headTimeoutMs;
  // Node looks after them every 30 s, unless told before it listens. Its types do not know the property.
  Object.assign(inner, { connectionsCheckingInterval: Math.ceil(config.headTimeoutMs / 4) });
  inner.on('connection', (socket) => {
    socket.setNoDelay(true);
    connections.opened(socket);
  });
  onUpgrade(inner, isSessionUrl, (request, response, head) => {
    const upgrade = { socket: request.socket, head };
    void serve(services, request as Request, response as Response, upgrade);
  });
  const port = await listenRestify(server, inner, { host: config.host, port: config.port });
  return { port, stop: () => closeServer(inner, stopGraceMs) };
}

async function serve(services: Services, request: Request, response: Response, upgrade?: Upgrade): Promise<void> {
  const nowMs = services.clock.nowMs();
  const given = request.headers['request-id'] ?? request.headers['x-request-id'];
  const requestId = typeof given === 'string' ? given : services.newId();
  response.setHeader('x-request-id', requestId);
  response.setHeader('x-server-name', serverName);
  response.once('header', () => response.setHeader('x-response-time', services.clock.nowMs() - nowMs));
  if (request.headers['user-agent']?.startsWith('curl')) response.setHeader('Connection', 'close');
  auditRequest(services.log, request, response, { req_id: requestId });
  try {
    services.limits.connections.begun(request, response);
    await answer(services, { request, response, requestId, nowMs, ...(upgrade ? { upgrade } : {}) });
  } catch (error) {
    const known = translated(error);
    const { method, url } = request;
    const details = { err: error, req_id: requestId, method, url };
    if (!isHttpError(known)) services.log.error(details, 'request failed');
    else if (known !== error) services.log.warn(details, 'request could not be served');
    respondError(request, response, known);
  }
}

/** Whether a request may become an interactive session. */
function isSessionUrl(url: string): boolean {
  return /^\/[^/?]+\/medusa\/attach\//.test(cleanPath(url.split('?', 1)[0] ?? ''));
}

const serverName = os.hostname();

async function answer(
  services: Services,
  { request, response, ...rest }: Pick<Arrival, 'request' | 'response' | 'requestId' | 'nowMs' | 'upgrade'>,
): Promise<void> {
  const method = request.method ?? '';
  const [rawPath = '', ...rawQuery] = (request.url ?? '').split('?');
  const path = cleanPath(rawPath);
  if (answerFixed(path, method, response)) return;
  const target = parsePath(path);
  if (target === null) throw httpError('InvalidResource', path);
  const query = querystring.parse(rawQuery.join('?'));
  if (isUploadPath(target) && !services.config.enableMPU) throw httpError('ResourceDoesNotExist', path);
  const match = matchRoute(method, target, query);
  if (!match.found) {
    if (match.allowed.length === 0) throw httpError('ResourceDoesNotExist', path);
    response.setHeader('Allow', match.allowed.join(', '));
    throw httpError('MethodNotAllowedError', method);
  }
  const contentType = parseContentType(request.headers['content-type']);
  const arrival: Arrival = { request, response, services, method, target, path, query, contentType, ...rest };
  services.metrics.observe(request, response, match.route.name);
  await services.limits.during(await identified(arrival, match.parameters), match.route.handle);
}

/** Whoever tries credentials that are good for nobody is held back as one who has none. */
async function identified(arrival: Arrival, parameters: Call['parameters']): Promise<Call> {
  try {
    return await identify(arrival, parameters);
  } catch (error) {
    if (isHttpError(error)) arrival.services.limits.countUnknown(arrival.request, arrival.nowMs);
    throw error;
  }
}

const documentation = 'https://apidocs.tritondatacenter.com/manta/';

/** What is answered to anybody, without looking at any account. */
function answerFixed(path: string, method: string, response: Response): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  if (path === '/ping') {
    respondEmpty(response, 200, { 'Content-Length': 0, Connection: 'close' });
    return true;
  }
  if (path !== '/' && path !== '/docs' && !path.startsWith('/docs/')) return false;
  respondEmpty(response, 302, { Location: documentation, 'Content-Length': 0 });
  return true;
}

/** Errors of those behind us, in the words of the public API: come again. */
const outages = [
  'EntryTooLateError',
  'FastTransportError',
  'FastProtocolError',
  'NoBackendsError',
  'NoDatabasePeersError',
  'NoDatabaseError',
  'ConnectTimeoutError',
  'OverloadedError',
  'NoCopyError',
  'StorageNodeError', // of a node that died in the middle of an upload: another try goes elsewhere
];

function translated(error: unknown): unknown {
  if (isHttpError(error) || !(error instanceof Error)) return error;
  return outages.some((name) => VError.hasCauseWithName(error, name)) ? httpError('ServiceUnavailable') : error;
}
