/**
 * What the agent counts and times: plain numbers where things happen, read by the snapshot and by `/metrics`. The
 * names of the counts are those of the snapshot. Source: spec 05 §2.6.
 */
import { Counter, Histogram, type Registry } from 'prom-client';

export interface Counts {
  streams_dispatched: number;
  streams_done: number;
  tasks_failed: number;
  tasks_committed: number;
  zones_added: number;
  zones_readied: number;
  zones_disabled: number;
  mantarq_proxy_sent: number;
  mantarq_proxy_return: number;
}

/** How a request to the front door went wrong: nobody there, cut off, or an answer of 500 and above. */
export type UpstreamFailure = 'connect' | 'cut_off' | 'status';

export interface Instruments {
  readonly counts: Counts;
  taskWaited(seconds: number): void;
  taskRan(seconds: number): void;
  zoneReset(seconds: number): void;
  streamLoaded(seconds: number): void;
  upstreamAnswered(seconds: number): void;
  upstreamFailed(how: UpstreamFailure): void;
  /** Everything that is measured here appears there. */
  register(registry: Registry): void;
}

const prefix = 'marlin_agent_';
const shortBuckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];
const longBuckets = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_600, 86_400];

export function createInstruments(): Instruments {
  const counts: Counts = {
    streams_dispatched: 0,
    streams_done: 0,
    tasks_failed: 0,
    tasks_committed: 0,
    zones_added: 0,
    zones_readied: 0,
    zones_disabled: 0,
    mantarq_proxy_sent: 0,
    mantarq_proxy_return: 0,
  };
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `${prefix}${name}_seconds`, help, buckets, registers: [] });
  const waited = histogram('task_wait', 'from the moment that a task can run until its program may start', longBuckets);
  const ran = histogram('task_run', 'from the start of a task to its end in the zone', longBuckets);
  const reset = histogram('zone_reset', 'one attempt to make a zone as new', shortBuckets);
  const loaded = histogram('stream_load', 'set-up of a zone for a task group: limits, assets', shortBuckets);
  const answered = histogram('upstream_request', 'from a request to the front door to the head of its answer', [
    ...shortBuckets,
  ]);
  const failures = new Counter({
    name: `${prefix}upstream_errors_total`,
    help: 'requests to the front door that found nobody, were cut off, or were answered with 500 or above',
    labelNames: ['kind'] as const,
    registers: [],
  });
  for (const kind of ['connect', 'cut_off', 'status'] as const) failures.inc({ kind }, 0);

  return {
    counts,
    taskWaited: (seconds) => waited.observe(seconds),
    taskRan: (seconds) => ran.observe(seconds),
    zoneReset: (seconds) => reset.observe(seconds),
    streamLoaded: (seconds) => loaded.observe(seconds),
    upstreamAnswered: (seconds) => answered.observe(seconds),
    upstreamFailed: (kind) => failures.inc({ kind }),
    register(registry) {
      for (const metric of [waited, ran, reset, loaded, answered]) registry.registerMetric(metric);
      registry.registerMetric(failures);
      for (const name of Object.keys(counts) as (keyof Counts)[]) registry.registerMetric(counterOf(counts, name));
    },
  };
}

function counterOf(counts: Counts, name: keyof Counts): Counter {
  return new Counter({
    name: `${prefix}${name}_total`,
    help: `${name.replaceAll('_', ' ')} since the agent started`,
    registers: [],
    collect() {
      this.reset();
      this.inc(counts[name]);
    },
  });
}
