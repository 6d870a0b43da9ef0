/**
 * The HTTP service inside a zone: the task API by its table of routes, everything else to the front door. It listens on
 * one socket over all lives of the zone; at the end of a life what waits is turned away, and its connections are closed.
 */
import http from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PendingRequests } from '../../http/pending.js';
import { sanitizeUrl } from '../../taskapi/routes.js';
import { answerError, checkAccepted, controlErrors, readBody } from './answers.js';
import { type ControlParts, controlRoutes } from './control.js';
import { listenIn } from './listen.js';
import { expectsContinue, type ProxyParts, proxy, proxyUpgrade } from './proxy.js';
import { createLongPolls, createSlots, type LongPolls } from './zone-requests.js';

export interface ZoneServerParts extends Omit<ControlParts, 'polls'>, Omit<ProxyParts, 'slots' | 'nowMs' | 'table'> {
  readonly directory: string;
  /** Who hands over connections, instead of a socket in `directory`. */
  readonly onConnection: ((take: (connection: Socket) => void) => void) | undefined;
  readonly longPollMs: number;
  /** Requests to the front door at once: uploads, and as many others. */
  readonly maxProxied: number;
  readonly pending: PendingRequests;
}

export interface ZoneServer {
  readonly polls: Pick<LongPolls, 'wake' | 'size'>;
  /** Requests to the front door that are under way, and those that wait for their turn. */
  proxied(): { readonly running: number; readonly waiting: number };
  /** The zone's life is over: long polls get 410, connections are closed. */
  closeRequests(): void;
  stop(): Promise<void>;
}

/** A zone may be hostile: what its connections and bodies can take of the agent's descriptors and memory is limited. */
const maxConnections = 1_000;
const bodiesAtOnce = 8;
const lastAnswersMs = 1_000;

/** Made once: an abort without a reason makes an error, with its stack, at the end of every request. */
const clientGone = new Error('the client went away');

const proxiedMethods = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD']);

export async function startZoneServer(parts: ZoneServerParts): Promise<ZoneServer> {
  const polls = createLongPolls(parts.clock, parts.longPollMs);
  const routes = controlRoutes({ ...parts, polls });
  const proxyParts: ProxyParts = {
    ...parts,
    nowMs: () => parts.clock.nowMs(),
    slots: { uploads: createSlots(parts.maxProxied), others: createSlots(parts.maxProxied) },
  };
  const bodySlots = createSlots(bodiesAtOnce);
  const upgraded = new Set<Duplex>();

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = sanitizeUrl(request.url ?? '/');
    const [path = '/', query = ''] = url.split(/\?(.*)/s);
    const route = routes.find((row) => row.path === path && row.method === request.method);
    if (route === undefined) {
      if (!proxiedMethods.has(request.method ?? '')) throw controlErrors.method();
      await proxy(proxyParts, request, response, url);
      return;
    }
    checkAccepted(request.headers);
    const body = route.method === 'POST' ? await takeBody(request, response) : {};
    await route.handle({ query: new URLSearchParams(query), body, response });
  }

  async function takeBody(request: http.IncomingMessage, response: http.ServerResponse) {
    const gone = new AbortController();
    response.once('close', () => gone.abort(clientGone));
    const giveBack = await bodySlots.take(gone.signal);
    try {
      if (expectsContinue(request)) response.writeContinue();
      return await readBody(request);
    } finally {
      giveBack();
    }
  }

  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    parts.pending.add(request, response, { zone: parts.zone });
    response.setHeader('server', `${parts.zone} agent server`);
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) parts.log.debug({ err: error, zone: parts.zone, url: request.url }, 'request refused');
      // The rest of a refused body is read and dropped, so that the connection can be used again.
      request.resume();
      answerError(response, error);
    });
  };
  const server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, noDelay: true }, onRequest);
  server.maxConnections = maxConnections;
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.on('checkContinue', onRequest);
  server.on('upgrade', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    void proxyUpgrade(proxyParts, request, socket, head, sanitizeUrl(request.url ?? '/'));
  });
  const stop = await takeConnections(server, connections, parts);
  const { uploads, others } = proxyParts.slots;
  const endUpgraded = () => {
    for (const socket of upgraded) socket.destroy();
  };
  return {
    polls,
    proxied: () => ({ running: uploads.used + others.used, waiting: uploads.waiting + others.waiting }),
    closeRequests() {
      for (const response of polls.takeAll()) answerError(response, controlErrors.shuttingDown());
      endUpgraded();
      // Those of the life that ends: whoever spoke last still gets its answer. The next life has others.
      const old = [...connections];
      parts.clock.after(lastAnswersMs, () => {
        for (const socket of old) socket.destroy();
      });
    },
    async stop() {
      endUpgraded();
      await stop();
    },
  };
}

/** @returns what takes no more of them and closes every one. */
async function takeConnections(
  server: http.Server,
  connections: ReadonlySet<Socket>,
  { directory, onConnection }: Pick<ZoneServerParts, 'directory' | 'onConnection'>,
): Promise<() => Promise<void>> {
  if (onConnection === undefined) return listenIn(server, directory);
  let stopped = false;
  onConnection((connection) => {
    if (stopped || connections.size >= maxConnections) connection.destroy();
    else server.emit('connection', connection);
  });
  return async () => {
    stopped = true;
    for (const connection of connections) connection.destroy();
  };
}
