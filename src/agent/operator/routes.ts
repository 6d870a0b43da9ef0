/** What operators ask of the agent: its zones, and a picture of its state. Source: chapter 5, section 1.7. */
import os from 'node:os';
import type { Request, Response } from 'restify';
import { httpError } from '../../http/errors.js';
import type { OperatorRoute } from '../../http/operator-server.js';
import type { AgentConfig } from '../config.js';
import type { Core } from '../core.js';
import { overscheduled, share } from '../scheduler/shares.js';
import { loadOf, poolLoad, queuedCount, reserveOf } from '../scheduler/state.js';
import type { Pool, PoolZone } from '../zones/pool.js';

export function operatorRoutes(pool: Pool, pollCount: (zone: string) => number): readonly OperatorRoute[] {
  const zoneOf = (request: Request): PoolZone => {
    const name = String((request.params as Record<string, unknown>)['zone'] ?? '');
    const zone = pool.zones.get(name);
    if (zone === undefined) throw httpError('ResourceNotFound', `zone "${name}"`);
    return zone;
  };
  const done = (response: Response) => {
    response.send(204);
  };
  return [
    {
      method: 'get',
      path: '/zones',
      async handle(_request, response) {
        response.send(
          200,
          [...pool.zones.values()].map((zone) => zoneObject(zone, pollCount)),
        );
      },
    },
    {
      method: 'post',
      path: '/zones',
      async handle(request, response) {
        const name = (request.params as Record<string, unknown>)['zonename'];
        if (typeof name === 'string' && pool.zones.has(name)) pool.enable(name);
        done(response);
      },
    },
    {
      method: 'post',
      path: '/zones/:zone/disable',
      async handle(request, response) {
        pool.disable(zoneOf(request).name);
        done(response);
      },
    },
    {
      method: 'del',
      path: '/zones/:zone',
      async handle(request, response) {
        const zone = zoneOf(request);
        if (zone.state === 'disabled' && !zone.removing) {
          await pool.remove(zone.name);
          done(response);
        } else response.send(409, { code: 'ConflictError', message: 'zone is not disabled' });
      },
    },
  ];
}

function zoneObject(zone: PoolZone, pollCount: (zone: string) => number): object {
  const { name, state, disabled, resetting } = zone;
  return {
    zonename: name,
    state,
    nwaiters: pollCount(name),
    ...(zone.quiesced ? { quiesced: true } : {}),
    ...(resetting === null ? {} : { resetFailures: resetting.failures, resetErrorMessage: resetting.message }),
    ...(disabled === null ? {} : { disableTime: disabled.time, disableErrorMessage: disabled.message }),
  };
}

export const snapshotSchema = {
  agent: { summaryFields: ['hostname', 'nTasks', 'slopDiskUsed', 'slopMemUsed'] },
  job: { summaryFields: ['jobid', 'groups'] },
  taskgroup: { summaryFields: ['jobid', 'phasei', 'login', 'ntasks', 'nrunning', 'share'] },
  taskstream: { summaryFields: ['jobid', 'phasei', 'machine', 'state', 'taskId'] },
  zone: { summaryFields: ['zonename', 'state'] },
  zonepool: { summaryFields: ['nzones', 'nreserved', 'ndisabled'] },
} as const;

export function snapshot(of: { readonly config: AgentConfig; readonly core: Core; readonly started: string }): object {
  const { config, core, started } = of;
  const { scheduler } = core;
  const pool = poolLoad(scheduler);
  const zones = [...core.pool.zones.values()];
  return {
    service: { name: 'marlin', component: 'agent', ident: config.mantaComputeId, version: '0' },
    stats: {
      zones_added: core.pool.counts.zonesAdded,
      zones_readied: core.pool.counts.zonesReadied,
      zones_disabled: core.pool.counts.zonesDisabled,
      started,
      memory: process.memoryUsage(),
    },
    types: Object.keys(snapshotSchema),
    agent: {
      [config.instanceUuid]: {
        hostname: os.hostname(),
        nTasks: core.table.tasks.size,
        slopDiskTotal: scheduler.slop.total.diskGb,
        slopDiskUsed: scheduler.slop.diskUsedGb,
        slopMemTotal: scheduler.slop.total.memoryMb,
        slopMemUsed: scheduler.slop.memoryUsedMb,
      },
    },
    job: Object.fromEntries(
      [...core.table.jobs.values()].map(({ id, groups }) => [
        id,
        { jobid: id, groups: [...groups.values()].map((group) => group.id) },
      ]),
    ),
    taskgroup: Object.fromEntries(
      [...scheduler.groups.entries()].map(([id, group]) => {
        const [jobid = '', phasei] = id.split('/');
        const details = core.table.jobs.get(jobid)?.groups.get(Number(phasei))?.details;
        const load = loadOf(group);
        const held = {
          ntasks: queuedCount(group),
          nrunning: group.runningCount,
          nstreams: group.streams.size,
          nidle: [...group.streams.values()].filter(({ phase }) => phase === 'idle').length,
        };
        const hog = group.hogSinceMs !== null || overscheduled(load, pool) > 0;
        const fairness = { hog, share: share(load, pool) };
        return [
          id,
          {
            groupid: id,
            jobid,
            phasei: Number(phasei),
            phase: details?.phase,
            login: details?.login,
            ...held,
            ...fairness,
          },
        ];
      }),
    ),
    taskstream: Object.fromEntries(
      [...core.streams.byZone.values()].map((stream) => {
        const id = `${stream.group.id}|${stream.group.id}/${stream.zone}`;
        const { task, group, zone } = stream;
        const state = scheduler.streams.get(zone)?.phase ?? 'done';
        const current =
          task === null ? {} : { taskId: task.id, taskStart: task.timeStarted, taskNOutput: task.outputCount };
        return [id, { id, jobid: group.job.id, phasei: group.phaseNum, machine: zone, state, ...current }];
      }),
    ),
    zone: Object.fromEntries(zones.map((zone) => [zone.name, zoneObject(zone, core.pollCount)])),
    zonepool: {
      default: { nzones: zones.length, nreserved: reserveOf(scheduler), ndisabled: scheduler.disabled.size },
    },
  };
}
