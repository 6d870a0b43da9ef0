/** Levels for `/metrics`, counted when they are asked for. Counts and durations are in instruments.ts. */
import { Gauge, type Registry } from 'prom-client';
import type { Core } from '../core.js';
import type { Upstream } from '../upstream.js';

export interface MetricsParts {
  readonly core: Core;
  readonly upstream: Pick<Upstream, 'connections'>;
}

interface GaugeRow {
  readonly name: string;
  readonly help: string;
  readonly label?: string;
  /** By value of the label; without a label the one value. */
  readonly read: (parts: MetricsParts) => Readonly<Record<string, number>> | number;
}

const rows: readonly GaugeRow[] = [
  { name: 'tasks', help: 'tasks that the agent knows, by state', label: 'state', read: tasksByState },
  { name: 'zones', help: 'zones by state', label: 'state', read: zonesByState },
  { name: 'queue_length', help: 'what waits, by queue', label: 'queue', read: queueLengths },
  { name: 'streams', help: 'zones of task groups, by what they do', label: 'phase', read: streamsByPhase },
  {
    name: 'upstream_connections',
    help: 'connections to the front door, and requests that wait for one',
    label: 'state',
    read: ({ upstream }) => ({ ...upstream.connections() }),
  },
  {
    name: 'slop_memory_mb',
    help: 'memory for tasks that ask for more than the default',
    label: 'what',
    read: ({ core: { scheduler } }) => ({ total: scheduler.slop.total.memoryMb, used: scheduler.slop.memoryUsedMb }),
  },
  {
    name: 'slop_disk_gb',
    help: 'disk for tasks that ask for more than the default',
    label: 'what',
    read: ({ core: { scheduler } }) => ({ total: scheduler.slop.total.diskGb, used: scheduler.slop.diskUsedGb }),
  },
  { name: 'jobs', help: 'jobs that have tasks here', read: ({ core }) => core.table.jobs.size },
];

export function registerMetrics(registry: Registry, parts: MetricsParts): void {
  for (const { name, help, label, read } of rows) {
    new Gauge({
      name: `marlin_agent_${name}`,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [registry],
      collect() {
        const values = read(parts);
        if (typeof values === 'number') this.set(values);
        else for (const [value, count] of Object.entries(values)) this.set({ [label ?? '']: value }, count);
      },
    });
  }
}

/** `queued` tasks wait for a zone, `waiting` ones for their first input or the record of their job. */
function tasksByState({ core }: MetricsParts): Record<string, number> {
  const counts = { waiting: 0, queued: 0, accepted: 0, running: 0, ending: 0 };
  const running = new Set([...core.streams.byZone.values()].map(({ task }) => task?.id));
  for (const task of core.table.tasks.values()) {
    if (running.has(task.id)) counts.running++;
    else if (task.state === 'done' || task.zone !== null) counts.ending++;
    else if (!task.scheduled) counts.waiting++;
    else if (task.state === 'dispatched') counts.queued++;
    else counts.accepted++;
  }
  return counts;
}

function zonesByState({ core }: MetricsParts): Record<string, number> {
  const counts: Record<string, number> = { uninit: 0, ready: 0, busy: 0, disabled: 0 };
  for (const { state } of core.pool.zones.values()) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

function streamsByPhase({ core }: MetricsParts): Record<string, number> {
  const counts = { loading: 0, running: 0, idle: 0 };
  for (const { phase } of core.scheduler.streams.values()) counts[phase]++;
  return counts;
}

function queueLengths({ core }: MetricsParts): Record<string, number> {
  const servers = [...core.servers.values()];
  const sum = (of: (server: (typeof servers)[number]) => number) =>
    servers.reduce((total, server) => total + of(server), 0);
  return {
    groups: core.scheduler.queue.size,
    long_polls: sum(({ polls }) => polls.size),
    proxied_running: sum((server) => server.proxied().running),
    proxied_waiting: sum((server) => server.proxied().waiting),
    full_reducers: core.inputs.full.size,
  };
}
