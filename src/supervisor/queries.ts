/**
 * What a supervisor looks for. Global rows run once per process, domain rows once per domain it operates, the own row
 * only for its own domain. A row with channels runs at once when one of them names its bucket; every row also runs each
 * `everyMs`, so that a lost notification costs time, not work. Rows without channels match only what the operator of the
 * domain writes itself: it wakes them in its own process, which costs no call and is never lost, so their passes are
 * rarer. Names and filters: spec 04 §9.
 */

import { absent, and, eq, or, present } from '../moray/client/filter.js';
import type { BucketName } from '../records/buckets.js';

type Channel = 'jobs' | 'domains' | 'domain';
type Every = 'timeAgentPoll' | 'timeWorkerPoll';

export interface QueryRow {
  readonly name: string;
  readonly bucket: BucketName;
  readonly everyMs: number | Every;
  readonly channels: readonly Channel[];
  /** @param domain for rows of a domain. */
  readonly filter: (domain: string) => string;
}

export const wantRetry = or(eq('wantRetry', 'true'), eq('wantRetry', 'TRUE'));
/** Named one by one, so that an index leads to them and those that are done cost nothing. */
const live = or(eq('state', 'queued'), eq('state', 'running'));
const domain =
  (...also: readonly string[]) =>
  (id: string) =>
    and(eq('domain', id), ...also);
const worker =
  (...also: readonly string[]) =>
  (id: string) =>
    and(eq('worker', id), ...also, live);
const anyDomain = (filter: string) => () => filter;

// biome-ignore format: table
export const globalQueries = {
  agentHealth: { name: 'agent health',   bucket: 'health',  everyMs: 'timeAgentPoll',  channels: ['domains'], filter: anyDomain(eq('component', 'agent')) },
  peerHealth:  { name: 'worker health',  bucket: 'health',  everyMs: 'timeWorkerPoll', channels: ['domains'], filter: anyDomain(eq('component', 'worker')) },
  domains:     { name: 'worker domains', bucket: 'domain',  everyMs: 'timeWorkerPoll', channels: ['domains'], filter: anyDomain(present('domainId')) },
  storage:     { name: 'manta storage',  bucket: 'storage', everyMs: 360_000,          channels: [],          filter: anyDomain(present('manta_compute_id')) },
} as const satisfies Record<string, QueryRow>;

// biome-ignore format: table
export const ownQueries = {
  jobsCreated: { name: 'jobs created', bucket: 'job', everyMs: 10_000, channels: ['jobs'], filter: anyDomain(and(absent('worker'), live)) },
} as const satisfies Record<string, QueryRow>;

// biome-ignore format: table
export const domainQueries = {
  jobsOwned:      { name: 'jobs owned',                              bucket: 'job',        everyMs: 30_000, channels: [],         filter: worker() },
  jobsCancelled:  { name: 'jobs cancelled',                          bucket: 'job',        everyMs: 10_000, channels: ['domain'], filter: worker(present('timeCancelled')) },
  jobsEndInput:   { name: 'jobs endinput',                           bucket: 'job',        everyMs: 10_000, channels: ['domain'], filter: worker(present('timeInputDone'), absent('timeInputDoneRead')) },
  lateInputs:     { name: 'job inputs without a domain',             bucket: 'jobinput',   everyMs: 10_000, channels: ['jobs'],   filter: anyDomain(absent('domain')) },
  jobInputs:      { name: 'job inputs',                              bucket: 'jobinput',   everyMs: 10_000, channels: ['domain'], filter: domain(absent('timePropagated'), absent('timeJobCancelled')) },
  doneTasks:      { name: 'done tasks',                              bucket: 'task',       everyMs: 10_000, channels: ['domain'], filter: domain(eq('state', 'done'), absent('timeCommitted'), present('timeDispatchDone')) },
  markOutputs:    { name: 'tasks needing outputs marked',            bucket: 'task',       everyMs: 20_000, channels: [],         filter: domain(present('timeCommitted'), absent('timeCancelled'), present('timeOutputsMarkStart'), absent('timeOutputsMarkDone')) },
  markCleanup:    { name: 'tasks needing inputs marked for cleanup', bucket: 'task',       everyMs: 20_000, channels: [],         filter: domain(present('timeCommitted'), absent('timeCancelled'), present('timeInputsMarkCleanupStart'), absent('timeInputsMarkCleanupDone')) },
  markRetry:      { name: 'tasks needing inputs marked for retry',   bucket: 'task',       everyMs: 20_000, channels: [],         filter: domain(present('timeCommitted'), absent('timeCancelled'), present('timeInputsMarkRetryStart'), absent('timeInputsMarkRetryDone')) },
  removeInput:    { name: 'tasks needing delete',                    bucket: 'task',       everyMs: 20_000, channels: [],         filter: domain(eq('wantInputRemoved', 'true'), absent('timeInputRemoved')) },
  removeTaskInput:{ name: 'taskinputs needing delete',               bucket: 'taskinput',  everyMs: 20_000, channels: [],         filter: domain(eq('wantInputRemoved', 'true'), absent('timeInputRemoved')) },
  retryTasks:     { name: 'tasks needing retry',                     bucket: 'task',       everyMs: 20_000, channels: [],         filter: domain(present('timeOutputsMarkDone'), absent('timeRetried'), absent('timeCancelled'), wantRetry) },
  moveTaskInputs: { name: 'taskinputs retry',                        bucket: 'taskinput',  everyMs: 20_000, channels: [],         filter: domain(present('retryTaskId'), absent('timeRetried'), absent('timeJobCancelled')) },
  taskOutputs:    { name: 'taskoutputs',                             bucket: 'taskoutput', everyMs: 20_000, channels: [],         filter: domain(present('timeCommitted'), eq('intermediate', 'true'), absent('timeJobCancelled'), absent('timePropagated')) },
} as const satisfies Record<string, QueryRow>;

export type DomainQuery = keyof typeof domainQueries;
