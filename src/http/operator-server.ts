/**
 * The HTTP server that operators ask (agent and supervisor have one): `GET /metrics`, `GET /kang/snapshot`,
 * `GET /kang/schema`, and the routes of the service. No authentication: it belongs on a network of operators.
 */
import type http from 'node:http';
import type { Registry } from 'prom-client';
import restify, { type Next, type Request, type Response } from 'restify';
import type { Logger } from '../common/logging.js';
import { httpAnswer, isHttpError } from './errors.js';
import { closeServer, listenRestify } from './listen.js';
import { createRequestMetrics, type RequestMetrics } from './metrics.js';
import { createPendingRequests, type PendingRequests } from './pending.js';

export interface OperatorRoute {
  readonly method: 'get' | 'post' | 'put' | 'del';
  /** `/zones/:zone`; names are in `request.params`, and so are those of the query. */
  readonly path: string;
  /** Answers; what it throws is answered as an error. */
  readonly handle: (request: Request, response: Response) => Promise<void>;
}

export interface OperatorServerOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly log: Logger;
  readonly routes?: readonly OperatorRoute[];
  /** Body of `GET /kang/snapshot`, taken anew at each request. */
  readonly snapshot: () => object | Promise<object>;
  /** Body of `GET /kang/schema`. */
  readonly schema?: object;
  /** Where requests under way are listed; by default nobody sees that list. */
  readonly pending?: PendingRequests;
  /** Those of the service's own door, when it has one; by default this server's alone. */
  readonly metrics?: RequestMetrics;
}

export interface OperatorServer {
  readonly port: number;
  /** For the service's own metrics. */
  readonly registry: Registry;
  stop(): Promise<void>;
}

export async function createOperatorServer(options: OperatorServerOptions): Promise<OperatorServer> {
  const { log } = options;
  const metrics = options.metrics ?? createRequestMetrics();
  const pending = options.pending ?? createPendingRequests(log, Date.now);
  const server = restify.createServer({ name: options.name, handleUncaughtExceptions: false });
  const routes: readonly OperatorRoute[] = [
    {
      method: 'get',
      path: '/metrics',
      handle: async (_request, response) => {
        response.setHeader('Content-Type', metrics.registry.contentType);
        response.sendRaw(200, await metrics.registry.metrics());
      },
    },
    { method: 'get', path: '/kang/snapshot', handle: async (_, response) => send(response, await options.snapshot()) },
    { method: 'get', path: '/kang/schema', handle: async (_, response) => send(response, options.schema ?? {}) },
    ...(options.routes ?? []),
  ];
  server.pre((request: Request, response: Response, next: Next) => {
    pending.add(request, response);
    next();
  });
  server.use(restify.plugins.queryParser({ mapParams: true }));
  for (const { method, path, handle } of routes) {
    const handler = (request: Request, response: Response, next: Next): void => {
      metrics.observe(request, response, `${method} ${path}`);
      handle(request, response).then(
        () => next(),
        (error: unknown) => {
          sendOperatorError(response, error, log);
          next(false);
        },
      );
    };
    server[method](path, handler);
  }
  const inner = server.server as http.Server;
  inner.keepAliveTimeout = 0;
  inner.requestTimeout = 0;
  const port = await listenRestify(server, inner, options);
  return { port, registry: metrics.registry, stop: () => closeServer(inner) };
}

function send(response: Response, body: object): void {
  response.json(200, body);
}

/** Operators are told the message of an error, users never are. */
function sendOperatorError(response: Response, error: unknown, log: Logger): void {
  const { statusCode, code, message } = httpAnswer(error);
  if (isHttpError(error)) {
    response.json(statusCode, { code, message });
    return;
  }
  log.error({ err: error }, 'request failed');
  response.json(500, { code, message: error instanceof Error ? error.message : message });
}
