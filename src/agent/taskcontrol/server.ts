/**
 * The HTTP service inside a zone: the task API by its table of routes, everything else to the front door. It listens on
 * one socket over all lives of the zone; at the end of a life what is waiting or under way is turned away.
 */
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { sanitizeUrl } from '../../taskapi/routes.js';
import { answerError, controlErrors, readBody } from './answers.js';
import { type ControlParts, controlRoutes } from './control.js';
import { listenIn } from './listen.js';
import { expectsContinue, type ProxyParts, proxy, proxyUpgrade } from './proxy.js';
import { createLongPolls, createSlots, type LongPolls } from './zone-requests.js';

export interface ZoneServerParts extends Omit<ControlParts, 'polls'>, Omit<ProxyParts, 'slots' | 'nowMs' | 'table'> {
  readonly directory: string;
  readonly longPollMs: number;
  readonly maxProxied: number;
}

export interface ZoneServer {
  readonly polls: Pick<LongPolls, 'wake' | 'size'>;
  /** The zone's life is over: long polls get 410, connections are closed. */
  closeRequests(): void;
  stop(): Promise<void>;
}

const proxiedMethods = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);

export async function startZoneServer(parts: ZoneServerParts): Promise<ZoneServer> {
  const polls = createLongPolls(parts.clock, parts.longPollMs);
  const routes = controlRoutes({ ...parts, polls });
  const proxyParts: ProxyParts = {
    ...parts,
    nowMs: () => parts.clock.nowMs(),
    slots: createSlots(parts.maxProxied),
  };

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = sanitizeUrl(request.url ?? '/');
    const [path = '/', query = ''] = url.split(/\?(.*)/s);
    const route = routes.find((row) => row.path === path && row.method === request.method);
    if (route === undefined) {
      if (!proxiedMethods.has(request.method ?? '')) throw controlErrors.method();
      await proxy(proxyParts, request, response, url);
      return;
    }
    if (expectsContinue(request)) response.writeContinue();
    const body = route.method === 'POST' ? await readBody(request) : {};
    await route.handle({ query: new URLSearchParams(query), body, response });
  }

  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) parts.log.debug({ err: error, zone: parts.zone, url: request.url }, 'request refused');
      // The rest of a refused body is read and dropped, so that the connection can be used again.
      request.resume();
      answerError(response, error);
    });
  };
  const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, noDelay: true }, onRequest);
  server.on('checkContinue', onRequest);
  server.on('upgrade', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    void proxyUpgrade(proxyParts, request, socket, head, sanitizeUrl(request.url ?? '/'));
  });
  const stop = await listenIn(server, parts.directory);
  return {
    polls,
    closeRequests() {
      for (const response of polls.takeAll()) answerError(response, controlErrors.shuttingDown());
      setImmediate(() => server.closeAllConnections());
    },
    stop,
  };
}
