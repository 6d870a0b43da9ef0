/** The queries of a domain while it runs: rows of queries.ts, with what their filters leave out at the moment. */
import { domainChannel, jobsChannel } from '../bus/channels.js';
import type { Bus, Query, Stored, Subscription } from '../bus/types.js';
import { and, eq, not, or } from '../moray/client/filter.js';
import type { Tunables } from './config.js';
import type { Job } from './jobs/job.js';
import type { JobTable } from './jobs/table.js';
import { domainQueries, ownQueries, type QueryRow } from './queries.js';
import type { SetAside } from './set-aside.js';

/** Filters name at most so many jobs that are to be left out. */
const namedLimit = 100;
/** While jobs are held, all others are asked for so often. */
const wholeEveryMs = 60_000;

export interface DomainSubscriptions {
  add(
    key: string,
    row: QueryRow,
    onRecord: (record: Stored<never>) => Promise<void>,
    onPass?: () => void,
  ): Subscription;
  has(key: string): boolean;
  wake(key: string): void;
  /** Ends one of them. */
  drop(key: string): void;
  stop(): void;
}

export interface SubscriptionOptions {
  readonly domain: string;
  readonly bus: Bus;
  readonly tunables: Tunables;
  readonly setAside: SetAside;
  readonly nowMs: () => number;
}

export function createSubscriptions(options: SubscriptionOptions, jobs: () => JobTable): DomainSubscriptions {
  const { domain, bus, tunables, setAside, nowMs } = options;
  const subscriptions = new Map<string, Subscription>();
  const channels = { jobs: jobsChannel, domains: '', domain: domainChannel(domain) };

  return {
    add(key, row, onRecord, onPass = () => {}) {
      let wholeMs = Number.NEGATIVE_INFINITY;
      const query: Query<never> = {
        name: row.name,
        bucket: row.bucket,
        filter() {
          const namesOnly = nowMs() < wholeMs + wholeEveryMs;
          if (!namesOnly) wholeMs = nowMs();
          return filterNow(row, domain, jobs(), namesOnly);
        },
        leaveOut: () => setAside.ids(row.bucket, nowMs()),
        channels: row.channels.map((channel) => channels[channel]),
        everyMs: typeof row.everyMs === 'number' ? row.everyMs : tunables[row.everyMs],
        unprovenEveryMs: tunables.timePoll,
        onRecord,
        onPass,
      };
      const subscription = bus.subscribe(query);
      subscriptions.set(key, subscription);
      return subscription;
    },
    has: (key) => subscriptions.has(key),
    wake: (key) => subscriptions.get(key)?.wake(),
    drop(key) {
      subscriptions.get(key)?.stop();
      subscriptions.delete(key);
    },
    stop() {
      for (const subscription of subscriptions.values()) subscription.stop();
    },
  };
}

/**
 * Of inputs without a domain, those of our jobs. Otherwise what nobody would take now is not even read: origins of jobs
 * whose window is full or that have their share of the pipeline, and what is left of jobs that are over.
 * @param namesOnly while a job is held, only those of the others are asked for. To leave out what a large job has waiting
 * would cost the store a look at all of it. Now and then everything else is asked for, too: a job may not be here yet.
 */
function filterNow(row: QueryRow, domain: string, jobs: JobTable, namesOnly: boolean): string {
  const filter = row.filter(domain);
  if (row === domainQueries.lateInputs) {
    const open = jobs.all().filter(({ inputEnded, cancelled }) => !inputEnded && cancelled === null);
    return and(filter, anyOf(open.slice(-namedLimit)));
  }
  if (row === ownQueries.jobsCreated || row.bucket === 'job') return filter;
  const held = isOrigins(row) ? jobs.all().filter(isHeld) : [];
  if (held.length > 0 && namesOnly) {
    const open = jobs.all().filter((job) => !isHeld(job) && !job.finished);
    if (open.length <= namedLimit) return and(filter, anyOf(open));
  }
  // Inputs of jobs that are over are marked, not left out.
  const isMarked = (jobId: string) => row === domainQueries.jobInputs && jobs.isOver(jobId);
  const leftOvers = jobs.leftOvers(namedLimit).filter((jobId) => !isMarked(jobId));
  const leftOut = [...held.map(({ jobId }) => jobId), ...leftOvers].slice(0, namedLimit);
  return and(filter, ...leftOut.map((jobId) => not(eq('jobId', jobId))));
}

function anyOf(jobs: readonly Job[]): string {
  return jobs.length === 0 ? eq('jobId', 'none') : or(...jobs.map(({ jobId }) => eq('jobId', jobId)));
}

function isOrigins(row: QueryRow): boolean {
  return row === domainQueries.jobInputs || row === domainQueries.taskOutputs || row === domainQueries.retryTasks;
}

function isHeld({ blockedBy, overflows }: Job): boolean {
  return blockedBy !== null || overflows;
}
