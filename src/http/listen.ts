/** Listening, closing and answering with `node:http`, the same way everywhere. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Server } from 'restify';
import { httpAnswer } from './errors.js';

/**
 * A server between our own parts: it never closes an idle connection first, else a reused one fails now and then, and
 * puts no limit on the time that a body may take.
 */
export function createInnerServer(handle: http.RequestListener): http.Server {
  const server = http.createServer({ noDelay: true, keepAliveTimeout: 0, requestTimeout: 0 }, handle);
  server.headersTimeout = 60_000;
  return server;
}

interface Place {
  readonly host: string;
  readonly port: number;
}

/** @returns the port, which differs from the one asked for when that was 0. */
export async function listen(server: http.Server, at: Place): Promise<number> {
  server.listen(at.port, at.host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/**
 * Restify says again what its inner server says. Nobody listens to its "error", which would end the process with a stack
 * trace; that of a port in use rejects here, and its sentence is the last line of who cannot start.
 */
export async function listenRestify(server: Server, inner: http.Server, at: Place): Promise<number> {
  const saidAgain = () => {};
  server.on('error', saidAgain);
  const port = await listen(inner, at);
  server.off('error', saidAgain);
  return port;
}

const sweepMs = 20;

/** Idle connections end now, others when their request has been answered, all of them after `graceMs`. */
export async function closeServer(server: Closable, graceMs = 5000): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const sweep = setInterval(() => server.closeIdleConnections(), sweepMs);
  const limit = setTimeout(() => server.closeAllConnections(), graceMs);
  server.closeIdleConnections();
  await closed;
  clearInterval(sweep);
  clearTimeout(limit);
}

type Closable = Pick<http.Server, 'close' | 'closeIdleConnections' | 'closeAllConnections'>;

export function sendJson(response: http.ServerResponse, statusCode: number, body: unknown): void {
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(statusCode, { 'Content-Type': 'application/json', 'Content-Length': text.length });
  response.end(text);
}

export function sendError(response: http.ServerResponse, error: unknown): void {
  const { statusCode, code, message, headers } = httpAnswer(error);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  sendJson(response, statusCode, { code, message });
}
