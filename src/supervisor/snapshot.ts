/**
 * `GET /kang/snapshot`: what a supervisor has in memory, in the shapes that operators' tools know (spec 04 §1.6), as
 * far as there is something of the kind here.
 */
import type { Bus } from '../bus/types.js';
import { isoTime } from '../common/iso-time.js';
import type { HealthTable } from './agents.js';
import type { SupervisorConfig } from './config.js';
import type { Counters } from './counters.js';
import type { OperatedDomain } from './domain.js';
import type { Job } from './jobs/job.js';

export interface SupervisorView {
  readonly me: string;
  /** When it started. */
  readonly generation: string;
  readonly config: SupervisorConfig;
  readonly agents: HealthTable;
  readonly peers: HealthTable;
  readonly counters: Counters;
  readonly bus: Bus;
  readonly operated: ReadonlyMap<string, OperatedDomain>;
  readonly quiesced: boolean;
}

// biome-ignore format: table
export const snapshotSchema = {
  subscription: { summaryFields: ['bucket', 'lastNonEmptyStart', 'lastNonEmptyNRecords', 'running', 'nRecords', 'nBarrierPending', 'lastQuery'] },
  transaction:  { summaryFields: ['running', 'nFails', 'waitStart', 'waitDelay'] },
  job:          { summaryFields: ['state', 'input_done', 'input_fully_read', 'cancelled', 'nlocates', 'nauths'] },
  worker:       { summaryFields: ['nLocs', 'nAuths', 'nDels', 'quiesced'] },
} as const;

export function snapshotOf(view: SupervisorView): object {
  const { me, generation, config, agents, peers, counters, bus, operated, quiesced } = view;
  const jobs = [...operated.values()].flatMap(({ jobs: table }) => table.all());
  const { subscriptions, transactions } = bus.state();
  const pending = [...operated.values()].reduce((sum, { gauges }) => sum + gauges.inPipeline, 0);
  return {
    service: { name: 'marlin', component: 'jobworker', ident: me, version: '0.0.1' },
    stats: {
      asgn_failed: counters.claimsLost,
      asgn_restart: counters.jobsTakenUp,
      started: generation,
      memory: process.memoryUsage(),
      ...counters,
    },
    types: ['subscription', 'transaction', 'job', 'worker'],
    subscription: Object.fromEntries(subscriptions.map((one, index) => [`${one.bucket}-${index}`, one])),
    transaction: Object.fromEntries(transactions.map(({ id, ...shown }) => [id, shown])),
    job: Object.fromEntries(jobs.map((job) => [job.jobId, jobSnapshot(job)])),
    worker: {
      [me]: {
        conf: config,
        nLocs: pending,
        nAuths: 0,
        nDels: jobs.reduce((sum, { removals }) => sum + removals, 0),
        tStart: generation,
        agents: agents.all().map(({ instance }) => instance),
        workers: peers.all().map(({ instance }) => instance),
        agentHealth: agents.all(),
        workerHealth: peers.all(),
        domains: [...operated.keys()],
        recordsAside: [...operated.values()].reduce((sum, { gauges }) => sum + gauges.setAside, 0),
        pushProven: bus.pushProven,
        quiesced,
      },
    },
  };
}

/** A job as operators see it: without what would let them act as its user. */
function jobSnapshot(job: Job): object {
  const { auth, authToken: _copy, ...record } = job.stored.value;
  const { token: _token, ...credentials } = auth ?? {};
  const { state, stateMs, dropped, stats, phases, inputsLeft, inputEnded, cancelled, removals, inHand, inPipeline } =
    job;
  return {
    record: { ...record, auth: credentials },
    state,
    state_time: isoTime(stateMs),
    dropped,
    input_done: record.timeInputDone !== undefined,
    input_fully_read: inputEnded && inputsLeft === 0,
    cancelled,
    phases,
    nlocates: inPipeline,
    nauths: 0,
    stats,
    inputsLeft,
    removals,
    inHand,
    blockedBy: job.blockedBy,
    savedAt: isoTime(job.savedAtMs),
    unfinished: Object.fromEntries(job.unfinished.map),
    reducing: Object.fromEntries(job.unfinished.reduce),
  };
}
