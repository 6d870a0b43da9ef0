/** Metrics of one server, in the text format of Prometheus; each service adds its own to the registry. */
import type http from 'node:http';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

export interface RequestMetrics {
  readonly registry: Registry;
  /** Counts a request when it is finished. @param operation a name from a table, never a path: labels must be few. */
  observe(request: http.IncomingMessage, response: http.ServerResponse, operation: string): void;
}

const latencyBucketsSeconds = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];

export function createRequestMetrics(): RequestMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const labelNames = ['operation', 'method', 'status'] as const;
  const count = new Counter({
    name: 'http_requests_completed',
    help: 'count of requests completed',
    labelNames,
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'http_request_latency_seconds',
    help: 'seconds from the head of a request to the end of its answer',
    labelNames: ['operation', 'method'] as const,
    buckets: latencyBucketsSeconds,
    registers: [registry],
  });
  return {
    registry,
    observe(request, response, operation) {
      const startedMs = performance.now();
      response.once('close', () => {
        const method = request.method ?? '';
        count.inc({ operation, method, status: String(response.statusCode) });
        seconds.observe({ operation, method }, (performance.now() - startedMs) / 1000);
      });
    },
  };
}
