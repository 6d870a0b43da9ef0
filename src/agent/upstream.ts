/**
 * The way to the front door, shared by all zones: kept-alive connections, without delay. The front door may be restarted
 * at any time; a request that finds nobody there waits, with nothing sent, until there is a connection or its time is
 * over. Once sent, a request is never repeated here: only its author knows whether it may be.
 */
import http from 'node:http';
import VError from 'verror';
import { type Clock, sleep } from '../common/clock.js';
import type { Instruments } from './instruments.js';

export interface UpstreamRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: http.OutgoingHttpHeaders;
  readonly signal?: AbortSignal;
}

export interface Upstream {
  /** Resolves when the request has a connection: the body can follow. Its `error` events are the caller's from then. */
  open(request: UpstreamRequest): Promise<http.ClientRequest>;
  /** The whole request, with a body that is at hand. */
  fetch(request: UpstreamRequest & { readonly body?: Uint8Array }): Promise<http.IncomingMessage>;
  /** Connections at work, idle ones, and requests that wait for one. */
  connections(): { readonly busy: number; readonly idle: number; readonly waiting: number };
  stop(): void;
}

export interface UpstreamOptions {
  readonly url: string;
  readonly maxSockets: number;
  readonly spareSockets: number;
  readonly keepAliveMs: number;
  /** How long a request waits for a connection. */
  readonly connectMs: number;
  readonly clock: Clock;
  readonly instruments: Pick<Instruments, 'upstreamAnswered' | 'upstreamFailed'>;
}

const firstPauseMs = 50;
const maxPauseMs = 1_000;

export function createUpstream(options: UpstreamOptions): Upstream {
  const { hostname, port } = new URL(options.url);
  const target = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) };
  const agent = new http.Agent({
    keepAlive: true,
    keepAliveMsecs: options.keepAliveMs,
    maxSockets: options.maxSockets,
    maxFreeSockets: options.spareSockets,
    noDelay: true,
  });

  async function open(wanted: UpstreamRequest): Promise<http.ClientRequest> {
    const deadlineMs = options.clock.nowMs() + options.connectMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(maxPauseMs, pauseMs * 2)) {
      try {
        return watched(await connect(wanted));
      } catch (error) {
        if (wanted.signal?.aborted !== true) options.instruments.upstreamFailed('connect');
        const inTime = options.clock.nowMs() + pauseMs < deadlineMs;
        if (wanted.signal?.aborted === true || !inTime || !(await sleep(options.clock, pauseMs, wanted.signal))) {
          throw new VError({ name: 'UpstreamError', cause: error as Error }, 'cannot reach %s', options.url);
        }
      }
    }
  }

  function watched(request: http.ClientRequest): http.ClientRequest {
    const sentMs = performance.now();
    request.once('response', ({ statusCode = 0 }) => {
      options.instruments.upstreamAnswered((performance.now() - sentMs) / 1000);
      if (statusCode >= 500) options.instruments.upstreamFailed('status');
    });
    request.once('error', (error: NodeJS.ErrnoException) => {
      if (error.name !== 'AbortError') options.instruments.upstreamFailed('cut_off');
    });
    return request;
  }

  function connect(wanted: UpstreamRequest): Promise<http.ClientRequest> {
    return new Promise((resolve, reject) => {
      const { method, path, headers, signal } = wanted;
      const request = http.request({ ...target, agent, method, path, headers, ...(signal ? { signal } : {}) });
      request.once('error', reject);
      request.once('socket', (socket) => {
        const connected = () => {
          request.off('error', reject);
          resolve(request);
        };
        if (socket.connecting) socket.once('connect', connected);
        else connected();
      });
    });
  }

  return {
    open,
    async fetch(wanted) {
      const request = await open(wanted);
      return new Promise((resolve, reject) => {
        request.once('error', reject);
        request.once('response', resolve);
        request.end(wanted.body);
      });
    },
    connections: () => ({
      busy: countOf(agent.sockets),
      idle: countOf(agent.freeSockets),
      waiting: countOf(agent.requests),
    }),
    stop: () => agent.destroy(),
  };
}

function countOf(lists: NodeJS.ReadOnlyDict<readonly unknown[]>): number {
  return Object.values(lists).reduce((count, list) => count + (list?.length ?? 0), 0);
}

/** Reads a response to its end. @throws when it is cut off. */
export async function readText(response: http.IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= maxBytes) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
