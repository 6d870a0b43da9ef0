/** Counters of the server, in the names of the original, and the port that serves them. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  /** @returns called with how it went. */
  startRequest(method: string): (outcome: 'ok' | 'error') => void;
  observeGroup(writes: number, seconds: number): void;
  readonly text: () => Promise<string>;
  readonly contentType: string;
}

interface Gauges {
  readonly connections: () => number;
  readonly listeners: () => number;
}

export function createMetrics(gauges: Gauges): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const completed = new Counter({
    name: 'fast_requests_completed',
    help: 'RPCs answered',
    labelNames: ['rpcMethod', 'outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'fast_server_request_time_seconds',
    help: 'time from an RPC to its end',
    labelNames: ['rpcMethod'],
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  });
  const commits = new Histogram({
    name: 'moray_commit_time_seconds',
    help: 'time of a transaction that writes share',
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1],
    registers,
  });
  const writes = new Counter({ name: 'moray_writes_total', help: 'writes committed or refused', registers });
  addGauge(registry, 'fast_connections', 'open connections', gauges.connections);
  addGauge(registry, 'moray_listeners', 'listeners of channels', gauges.listeners);
  return {
    startRequest(method) {
      const startedMs = performance.now();
      return (outcome) => {
        completed.inc({ rpcMethod: method, outcome });
        duration.observe({ rpcMethod: method }, (performance.now() - startedMs) / 1000);
      };
    },
    observeGroup(count, seconds) {
      writes.inc(count);
      commits.observe(seconds);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function addGauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

interface MonitorOptions {
  readonly host: string;
  readonly port: number;
  readonly metrics: Metrics;
}

/** Serves `GET /metrics`. @returns its stop. */
export async function startMonitor({ host, port, metrics }: MonitorOptions): Promise<{
  readonly port: number;
  stop(): Promise<void>;
}> {
  const server = http.createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
