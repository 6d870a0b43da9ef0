/** Which jobs there are. Each criterion is a row. */
import type { Stored } from '../bus/types.js';
import { absent, and, eq, ge, le, not, or, present } from '../moray/client/filter.js';
import type { JobRecord } from '../records/job.js';
import { jobStates } from '../records/limits.js';
import { count, type JobStore, search } from './store.js';
import type { JobFilter } from './types.js';

type Criterion = (filter: JobFilter, nowMs: number) => string | undefined;

const isPlain = (value: string | undefined): value is string => value !== undefined && /^[\w-]+$/.test(value);
const isState = (value: string | undefined): value is string => jobStates.some((state) => state === value);
const given = (value: string | undefined, term: (value: string) => string) =>
  value === undefined ? undefined : term(value);
const ago = (seconds: number | undefined, nowMs: number, term: (mtimeMs: number) => string) =>
  seconds === undefined ? undefined : term(nowMs - seconds * 1000);

/** Values that cannot be right are left out, as they always were. */
const criteria: readonly Criterion[] = [
  ({ state }) => (isState(state) ? eq('state', state) : undefined),
  ({ name }) => given(name, (value) => eq('name', value)),
  ({ transient }) => (transient === undefined ? undefined : eq('transient', transient)),
  ({ owner }) => (isPlain(owner) ? eq('owner', owner) : undefined),
  ({ jobId }) => (isPlain(jobId) ? eq('jobId', jobId) : undefined),
  ({ worker }) => (isPlain(worker) ? eq('worker', worker) : undefined),
  ({ cancelled }) => (cancelled === true ? present('timeCancelled') : undefined),
  ({ archived }) => {
    if (archived === undefined) return undefined;
    return archived ? present('timeArchiveDone') : absent('timeArchiveDone');
  },
  ({ archiveStartedBefore }) => given(archiveStartedBefore, (time) => le('timeArchiveStarted', time)),
  ({ archivedBefore }) => given(archivedBefore, (time) => le('timeArchiveDone', time)),
  ({ wrasse }) => {
    if (wrasse === undefined) return undefined;
    if (typeof wrasse === 'string') return eq('wrasse', wrasse);
    return wrasse ? present('wrasse') : absent('wrasse');
  },
  ({ notWrasse }) => given(notWrasse, (instance) => not(eq('wrasse', instance))),
  ({ doneSince }) => given(doneSince, (time) => ge('timeDone', time)),
  ({ changedWithinSeconds }, nowMs) => ago(changedWithinSeconds, nowMs, (mtimeMs) => ge('_mtime', mtimeMs)),
  ({ changedBeforeSeconds }, nowMs) => ago(changedBeforeSeconds, nowMs, (mtimeMs) => le('_mtime', mtimeMs)),
];

export function listJobs(store: JobStore, filter: JobFilter = {}): AsyncIterable<Stored<JobRecord>> {
  const nowMs = store.clock.nowMs();
  const terms = criteria.map((term) => term(filter, nowMs)).filter((term) => term !== undefined);
  const conditions = terms.length > 0 ? terms : [present('jobId')];
  return search<JobRecord>(store, 'job', (...more) => and(...conditions, ...more), filter);
}

export function countLiveJobs(store: JobStore, owner: string): Promise<number> {
  return count(store, 'job', and(eq('owner', owner), or(eq('state', 'queued'), eq('state', 'running'))));
}
