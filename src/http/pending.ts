/**
 * Requests under way, for operators who wonder what a service is doing, and one audit line for each when it is over:
 * who asked what, what was answered, how long it took. Never with credentials: a token in a log file would be a token
 * for whoever reads logs. Source: spec 05 §1.7 and §9.6.
 */
import { randomUUID } from 'node:crypto';
import type http from 'node:http';
import type { Logger } from '../common/logging.js';

export interface PendingRequest {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly timeMs: number;
}

export interface PendingRequests {
  readonly byId: ReadonlyMap<string, PendingRequest>;
  /** @param more goes into the audit line. */
  add(request: http.IncomingMessage, response: http.ServerResponse, more?: object): void;
}

export function createPendingRequests(log: Logger, nowMs: () => number): PendingRequests {
  const byId = new Map<string, PendingRequest>();
  const auditLog = log.child({ component: 'AuditLog', serializers: { res: (answer: object) => answer } });
  return {
    byId,
    add(request, response, more = {}) {
      const id = randomUUID();
      const { method = '', httpVersion, socket } = request;
      const url = withoutSignature(request.url ?? '');
      const startedMs = performance.now();
      byId.set(id, { id, method, url, timeMs: nowMs() });
      response.once('close', () => {
        byId.delete(id);
        const { statusCode, writableFinished } = response;
        auditLog.info(
          {
            audit: true,
            _audit: true,
            remoteAddress: socket.remoteAddress,
            remotePort: socket.remotePort,
            req_id: request.headers['x-request-id'] ?? id,
            req: { method, url, headers: withoutCredentials(request.headers), httpVersion },
            res: { statusCode, headers: response.getHeaders() },
            err: writableFinished ? false : 'the client went away',
            latency: Math.round(performance.now() - startedMs),
            secure: false,
            ...more,
          },
          'handled: %d',
          statusCode,
        );
      });
    },
  };
}

export function withoutSignature(url: string): string {
  return url.includes('?') ? url.replace(/([?&]signature=)[^&]*/gi, '$1…') : url;
}

const credentials = ['authorization', 'cookie', 'proxy-authorization', 'x-auth-token'];

function withoutCredentials(headers: http.IncomingHttpHeaders): http.IncomingHttpHeaders {
  if (!credentials.some((name) => name in headers)) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !credentials.includes(name)));
}
