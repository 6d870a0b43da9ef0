/**
 * Adding up metering records: theory of operation. Each record belongs to a group, by its keys; of each group one sum
 * per resource is kept, so memory grows with groups, not with records. Counters are added, levels keep the last value,
 * elapsed times are pairs of seconds and nanoseconds. Source: spec 08 §8.6.
 */
export type Pair = readonly [seconds: number, nanoseconds: number];
export type Fields = Record<string, number>;
/** By resource. */
export type Sums = Record<string, Pair | number | Fields>;

interface Metrics {
  readonly hrtimestamp?: Pair;
  readonly config_disk?: number;
  readonly [resource: string]: unknown;
}

/** What is read of a record of the agent's log. */
export interface MeteringRecord {
  readonly event: string;
  readonly time: string;
  readonly owner?: string;
  readonly jobId?: string;
  readonly phase?: number;
  readonly taskId?: string;
  readonly metricsCumul?: Metrics;
  readonly metricsDelta?: Metrics;
}

interface KeyRow {
  readonly width: number;
  readonly of: (record: MeteringRecord) => string;
}

// biome-ignore format: table
export const keys: Readonly<Record<string, KeyRow>> = {
  owner:  { width: 36, of: ({ owner }) => owner ?? '-' },
  jobid:  { width: 36, of: ({ jobId }) => jobId ?? '-' },
  taskid: { width: 36, of: ({ taskId }) => taskId ?? '-' },
  phase:  { width: 5,  of: ({ phase }) => String(phase ?? '-') },
  hour:   { width: 13, of: ({ time }) => time.slice(0, 13) },
  minute: { width: 16, of: ({ time }) => time.slice(0, 16) },
};

/** Inside a resource: these are added, all others keep the last value. */
const counters = new Set(
  `nsec_user nsec_sys nsec_waitrq forkfail_cap forkfail_noproc forkfail_nomem forkfail_misc nover pagedout pgpgin
  anonpgin execpgin fspgin anon_alloc_fail n_pf_throttle nread reads rtime rlentime nwritten writes wtime wlentime
  waittime 10ms_ops 100ms_ops 1s_ops 10s_ops delay_cnt ierrors rbytes64 ipackets64 obytes64 opackets64 nrecords
  time`.split(/\s+/),
);

/** A figure as it is, or fields of which a member can be asked for: `vfs`, `vfs.reads`. */
const figures: readonly string[] = ['time', 'nrecords', 'config_disk'];
const resources: readonly string[] = ['cpu', 'memory', 'vfs', 'zfs', 'vnic0'];

/** Whether records may have it. Which members a resource has, its platform decides. */
export function isResource(text: string): boolean {
  const [name = '', ...members] = text.split('.');
  return members.length === 0 ? figures.includes(name) || resources.includes(name) : resources.includes(name);
}

/** @param isCumulative use only what a finished task says of its whole life. @returns null: the record has none. */
export function metricsOf(record: MeteringRecord, isCumulative: boolean): Metrics | null {
  const { metricsCumul, metricsDelta } = record;
  return (isCumulative ? metricsCumul : (metricsDelta ?? metricsCumul)) ?? null;
}

/** @param resources names, or members of resources as `vfs.reads`. */
export function addMetrics(sums: Sums, metrics: Metrics, resources: readonly string[]): void {
  for (const resource of resources) {
    const value = figureOf(metrics, resource);
    if (value !== undefined) sums[resource] = combined(sums[resource], value);
  }
}

function figureOf(metrics: Metrics, resource: string): Pair | number | Fields | undefined {
  if (resource === 'nrecords') return 1;
  if (resource === 'time') return metrics.hrtimestamp;
  if (resource === 'config_disk') return metrics.config_disk;
  const [name = '', member] = resource.split('.');
  const data = (metrics[name] as { readonly data?: Fields } | undefined)?.data;
  if (data === undefined || member === undefined) return data;
  const value = data[member];
  return value === undefined ? undefined : { [member]: value };
}

function combined(sum: Sums[string] | undefined, value: Pair | number | Fields): Pair | number | Fields {
  if (isPair(value)) return isPair(sum) ? addPairs(sum, value) : value;
  if (typeof value === 'number') return (typeof sum === 'number' ? sum : 0) + value;
  const fields: Fields = typeof sum === 'object' && !isPair(sum) ? sum : {};
  for (const [name, number] of Object.entries(value)) {
    fields[name] = counters.has(name) ? (fields[name] ?? 0) + number : number;
  }
  return fields;
}

export function isPair(value: unknown): value is Pair {
  return Array.isArray(value);
}

function addPairs([s1, n1]: Pair, [s2, n2]: Pair): Pair {
  const nanoseconds = n1 + n2;
  return [s1 + s2 + Math.floor(nanoseconds / 1e9), nanoseconds % 1e9];
}

/** The figures of a group by name: `time` in whole milliseconds, `vfs.reads`. */
export function leaves(sums: Sums): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [resource, value] of Object.entries(sums)) {
    if (isPair(value)) found.set(resource, Math.floor(value[0] * 1000 + value[1] / 1e6));
    else if (typeof value === 'number') found.set(resource, value);
    else for (const [member, number] of Object.entries(value)) found.set(`${resource.split('.')[0]}.${member}`, number);
  }
  return found;
}
