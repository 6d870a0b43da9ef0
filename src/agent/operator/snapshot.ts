/**
 * The whole state of the agent in one picture, in the form of the `kang` tools: types, and objects of each type by
 * their ids. Never with the token of a job. Source: spec 05 §1.7.
 */
import os from 'node:os';
import type { BusState } from '../../bus/types.js';
import { isoTime } from '../../common/iso-time.js';
import type { PendingRequests } from '../../http/pending.js';
import type { JobRecord } from '../../records/job.js';
import type { AgentConfig } from '../config.js';
import type { Core } from '../core.js';
import type { Instruments } from '../instruments.js';
import { overscheduled, share } from '../scheduler/shares.js';
import { type GroupState, loadOf, poolLoad, queuedCount, reserveOf } from '../scheduler/state.js';
import type { Stream } from '../streams/streams.js';
import type { Group, Job } from '../tasks/task.js';
import type { Upstream } from '../upstream.js';
import { zoneObject } from './zone-object.js';

export interface SnapshotParts {
  readonly config: AgentConfig;
  readonly core: Core;
  readonly instruments: Instruments;
  readonly pending: PendingRequests;
  readonly upstream: Pick<Upstream, 'connections'>;
  readonly busState: () => BusState;
  readonly started: string;
  /** The last look at the zones. */
  readonly tick: { readonly start: string | null; readonly done: string | null };
}

export const snapshotSchema = {
  agent: {
    summaryFields: ['hostname', 'datacenter', 'tickStart', 'tickDone', 'nTasks', 'slopDiskUsed', 'slopMemUsed'],
  },
  job: { summaryFields: ['jobid', 'groups'] },
  request: { summaryFields: ['id', 'method', 'url', 'time'] },
  taskgroup: {
    summaryFields: ['jobid', 'phasei', 'login', 'ntasks', 'nrunning', 'nstreams', 'nidle', 'hog', 'share'],
  },
  taskstream: { summaryFields: ['jobid', 'phasei', 'machine', 'state', 'taskId', 'taskStart', 'taskNOutput'] },
  zone: { summaryFields: ['zonename', 'state', 'disableTime', 'disableErrorMessage'] },
  zonepool: { summaryFields: ['nzones', 'nreserved', 'ndisabled'] },
  bus_subscription: { summaryFields: ['bucket', 'lastStart', 'running', 'nBarrierPending', 'nRequests', 'nRecords'] },
  bus_transaction: { summaryFields: ['records', 'running', 'nFails'] },
} as const;

export function snapshot(parts: SnapshotParts): object {
  const { config, core, busState } = parts;
  const { scheduler, table } = core;
  const bus = busState();
  const zones = [...core.pool.zones.values()];
  const [image] = core.images;
  return {
    service: { name: 'marlin', component: 'agent', ident: config.mantaComputeId, version: '0' },
    stats: {
      ...parts.instruments.counts,
      upstream: parts.upstream.connections(),
      started: parts.started,
      memory: process.memoryUsage(),
    },
    types: Object.keys(snapshotSchema),
    agent: { [config.instanceUuid]: agentObject(parts) },
    job: byId([...table.jobs.values()], ({ id }) => id, jobObject),
    request: byId(
      [...parts.pending.byId.values()],
      ({ id }) => id,
      ({ timeMs, ...rest }) => ({ ...rest, time: isoTime(timeMs) }),
    ),
    taskgroup: byId(
      [...table.jobs.values()].flatMap(({ groups }) => [...groups.values()]),
      ({ id }) => id,
      (group) => groupObject(core, group),
    ),
    taskstream: byId([...core.streams.byZone.values()], streamId, (stream) => streamObject(core, stream)),
    zone: byId(
      zones,
      ({ name }) => name,
      (zone) => zoneObject(core, zone),
    ),
    zonepool: {
      [image === undefined ? 'none' : `${image.name}-${image.version}`]: {
        nzones: zones.length,
        nreserved: reserveOf(scheduler),
        ndisabled: scheduler.disabled.size,
      },
    },
    bus_subscription: Object.fromEntries(bus.subscriptions.map((one, index) => [`${one.bucket}-${index}`, one])),
    bus_transaction: Object.fromEntries(bus.transactions.map((one, index) => [String(index), one])),
  };
}

function byId<Item>(items: readonly Item[], idOf: (item: Item) => string, shown: (item: Item) => object): object {
  return Object.fromEntries(items.map((item) => [idOf(item), shown(item)]));
}

function agentObject({ config, core, tick }: SnapshotParts): object {
  const { slop } = core.scheduler;
  return {
    hostname: os.hostname(),
    ...(config.datacenter === undefined ? {} : { datacenter: config.datacenter }),
    tickStart: tick.start,
    tickDone: tick.done,
    nTasks: core.table.tasks.size,
    slopDiskTotal: slop.total.diskGb,
    slopDiskUsed: slop.diskUsedGb,
    slopMemTotal: slop.total.memoryMb,
    slopMemUsed: slop.memoryUsedMb,
    images: core.images.map(({ name, version }) => ({ uuid: `${name}-${version}`, name, version })),
  };
}

function jobObject({ id, record, groups }: Job): object {
  const shown = record === null ? {} : { record: withoutTokens(record) };
  return { jobid: id, ...shown, groups: [...groups.values()].map((group) => group.id) };
}

function withoutTokens({ auth, authToken: _copy, ...record }: JobRecord): object {
  const { token: _token, ...credentials } = auth ?? {};
  return { ...record, auth: credentials };
}

/** @returns zeros for a group that has nothing to run yet: the scheduler does not know it. */
function groupObject({ scheduler }: Core, { id, job, phaseNum, details }: Group): object {
  const known = scheduler.groups.get(id);
  return {
    groupid: id,
    jobid: job.id,
    phasei: phaseNum,
    phase: details?.phase,
    login: details?.login,
    intermediate: details === null ? undefined : !details.isLast,
    mapKeys: details?.isMap,
    multiKey: details?.isReduce,
    ...(known === undefined
      ? { ntasks: 0, nrunning: 0, nstreams: 0, nidle: 0, hog: false, share: 'n/a' }
      : loadObject(known, poolLoad(scheduler))),
  };
}

function loadObject(group: GroupState, pool: ReturnType<typeof poolLoad>): object {
  const load = loadOf(group);
  return {
    ntasks: queuedCount(group),
    nrunning: group.runningCount,
    nstreams: group.streams.size,
    nidle: [...group.streams.values()].filter(({ phase }) => phase === 'idle').length,
    hog: group.hogSinceMs !== null || overscheduled(load, pool) > 0,
    share: share(load, pool),
  };
}

function streamId({ group, zone }: Stream): string {
  return `${group.id}|${group.id}/${zone}`;
}

function streamObject({ scheduler }: Core, stream: Stream): object {
  const { task, group, zone, step } = stream;
  const phase = scheduler.streams.get(zone)?.phase ?? 'done';
  return {
    id: streamId(stream),
    jobid: group.job.id,
    phasei: group.phaseNum,
    machine: zone,
    state: phase === 'idle' ? 'running' : phase,
    idle: phase === 'idle',
    ...(step === null ? {} : { vasyncPipeline: { operations: [{ funcname: step, status: 'pending' }] } }),
    pendingUpdate: task !== null && !stream.visible,
    ...(task === null
      ? {}
      : {
          taskId: task.id,
          taskStart: task.timeStarted,
          taskNOutput: task.outputCount,
          taskNInputs: task.stored.value.nInputs,
          taskNRead: task.readCount,
        }),
  };
}
