/**
 * What archivers do to job records. An archiver claims a finished job by writing its name there, shows by rewriting the
 * record that it is still at it, and marks it as archived. Every change first looks whether the claim still stands: an
 * archiver that others took for dead finds out here. Source: spec 07 §6 and §7.1.
 *
 *   done --start--> claimed --done--> archived --linger time--> deleted
 *             ^-------release-------'    by the next archiver that looks, when the owner of the claim was silent too long
 */
import VError from 'verror';
import { toStored } from '../bus/stored.js';
import type { Stored } from '../bus/types.js';
import { isoTime } from '../common/iso-time.js';
import { absent, and, eq, ge, le, not, or, present } from '../moray/client/filter.js';
import type { JobRecord } from '../records/job.js';
import type { JobStore } from './store.js';
import { fetchJob, updateJob } from './updates.js';

/** The job is somebody else's, or not at this point any more. @see isTaken */
const takenError = 'JobTakenError';

export interface Archiving {
  /** Done and not archived, claimed by nobody or by this archiver; those that were done first come first. */
  unarchived(instance: string): AsyncIterable<Stored<JobRecord>>;
  /** Claimed by another archiver that has not touched them since. */
  abandoned(instance: string, unchangedSinceMs: number): AsyncIterable<Stored<JobRecord>>;
  /** Archived before that time, by this archiver or by others. */
  archivedBefore(timeMs: number, by: { readonly instance: string; readonly others: boolean }): AsyncIterable<string>;
  /** Claims a job. @returns it as it is then. @throws VError, see `isTaken`. */
  start(jobId: string, instance: string): Promise<JobRecord>;
  /** Shows that the archiver is alive. @throws VError, see `isTaken`. */
  heartbeat(jobId: string, instance: string): Promise<void>;
  /** Marks it as archived. @returns it as it is then. @throws VError, see `isTaken`. */
  done(jobId: string, instance: string): Promise<JobRecord>;
  /** Undoes the claim of another archiver. @throws VError, see `isTaken`. */
  release(jobId: string, owner: string): Promise<void>;
  /** Takes an archived job over, so as to delete it when its time comes. */
  adopt(jobId: string, instance: string): Promise<void>;
}

export function createArchiving(store: JobStore): Archiving {
  const change = (jobId: string, make: (job: JobRecord) => JobRecord) => updateJob(store, jobId, make, { attempts: 1 });
  const now = () => isoTime(store.clock.nowMs());
  const fetched = async (jobId: string) => (await fetchJob(store, jobId)).value;
  return {
    unarchived: (instance) => byTimeDone(store, or(absent('wrasse'), eq('wrasse', instance))),
    abandoned: (instance, sinceMs) =>
      byTimeDone(store, and(present('wrasse'), not(eq('wrasse', instance)), le('_mtime', sinceMs))),
    archivedBefore: (timeMs, { instance, others }) => archivedBefore(store, isoTime(timeMs), instance, others),
    async start(jobId, instance) {
      await change(jobId, (job) => {
        const { wrasse = instance } = job;
        if (job.state !== 'done' || job.timeArchiveDone !== undefined || wrasse !== instance) throw taken(job);
        return { ...job, wrasse: instance, timeArchiveStarted: now() };
      });
      return fetched(jobId);
    },
    async heartbeat(jobId, instance) {
      await change(jobId, (job) => own(job, instance));
    },
    async done(jobId, instance) {
      await change(jobId, (job) => ({ ...own(job, instance), timeArchiveDone: now() }));
      return fetched(jobId);
    },
    async release(jobId, owner) {
      await change(jobId, (job) => {
        const { timeArchiveStarted: _started, wrasse: _wrasse, ...unclaimed } = own(job, owner);
        return unclaimed;
      });
    },
    async adopt(jobId, instance) {
      await change(jobId, (job) => ({ ...job, wrasse: instance }));
    },
  };
}

/** Whether a change was refused because the job belongs to another archiver, is archived, or is gone. */
export function isTaken(error: unknown): boolean {
  return [takenError, 'ObjectNotFoundError'].some((name) => VError.hasCauseWithName(error as Error, name));
}

/** @returns the job. @throws VError unless this archiver has claimed it and is not through. */
function own(job: JobRecord, instance: string): JobRecord {
  if (job.wrasse !== instance || job.timeArchiveDone !== undefined) throw taken(job);
  return job;
}

function taken({ jobId, wrasse = 'nobody', timeArchiveDone }: JobRecord): Error {
  const text = timeArchiveDone === undefined ? 'job "%s" is claimed by "%s"' : 'job "%s" was archived by "%s"';
  return new VError({ name: takenError }, text, jobId, wrasse);
}

const pageSize = 1000;

/**
 * Unarchived jobs in order of `timeDone`, which has an index with just them. A page begins where the last one ended; a
 * pass ends early when more jobs were done in one millisecond than a page has: the next one goes on.
 */
async function* byTimeDone(store: JobStore, condition: string): AsyncGenerator<Stored<JobRecord>> {
  let from = '';
  for (;;) {
    const filter = and(ge('timeDone', from), absent('timeArchiveDone'), eq('state', 'done'), condition);
    const page = await pageOf(store, filter, 'timeDone');
    yield* page;
    const last = page.at(-1)?.value.timeDone ?? '';
    if (page.length < pageSize || last === from) return;
    from = last;
  }
}

async function* archivedBefore(
  store: JobStore,
  time: string,
  instance: string,
  others: boolean,
): AsyncGenerator<string> {
  const mine = eq('wrasse', instance);
  const filter = and(present('timeArchiveDone'), le('timeArchiveDone', time), others ? not(mine) : mine);
  for (const { key } of await pageOf(store, filter, 'timeArchiveDone')) yield key;
}

async function pageOf(store: JobStore, filter: string, attribute: string): Promise<readonly Stored<JobRecord>[]> {
  const found: Stored<JobRecord>[] = [];
  const sort = { attribute, order: 'ASC' } as const;
  const options = { limit: pageSize, no_count: true, sort };
  for await (const object of store.moray.findObjects<JobRecord>(store.buckets.job, filter, options))
    found.push(toStored('job', object));
  return found;
}
