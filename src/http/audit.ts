/** One log line per finished request: who asked what, what was answered, how long it took. */
import type http from 'node:http';
import type { Logger } from '../common/logging.js';
import { withoutSignature } from './pending.js';

/** What is logged, never with credentials: a token in a log file would be a token for whoever reads logs. */
export function auditRequest(
  log: Logger,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  more: object = {},
): void {
  const startedMs = performance.now();
  response.once('close', () => {
    log.info(
      {
        audit: true,
        method: request.method,
        url: withoutSignature(request.url ?? ''),
        statusCode: response.statusCode,
        complete: response.writableFinished,
        latencyMs: Math.round(performance.now() - startedMs),
        remoteAddress: request.socket.remoteAddress,
        requestId: request.headers['x-request-id'],
        userAgent: request.headers['user-agent'],
        ...more,
      },
      'handled: %d',
      response.statusCode,
    );
  });
}
