/**
 * The archiver: theory of operation. Three loops look for work, each again a moment after it is through:
 *
 *   find      finished jobs that nobody has claimed, or that we have (of an earlier life, or that failed before): claim,
 *             archive. What fails is tried again later, and later each time; others do not wait for it.
 *   take over finished jobs whose archiver has not touched them for a while: the claim is undone, and whoever finds the
 *             job first archives it. Archived ones whose archiver did not delete them when it should: they become ours.
 *   clean     our archived jobs whose time to linger is over: all their records are deleted.
 *
 * While a job is in hand its record is rewritten now and then, which says that we are alive. Archivers may be killed at
 * any instant, and there may be any number of them: archiving twice writes the same objects, and only one archiver can
 * mark a job as archived.
 */
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import { repeat } from '../common/repeat.js';
import { type Archiving, isTaken } from '../jobs/archiving.js';
import type { Jobs } from '../jobs/types.js';
import type { JobRecord } from '../records/job.js';
import { createSlots } from './slots.js';

export interface ArchiverOptions {
  readonly jobs: Jobs;
  readonly archiving: Archiving;
  /** Archives a job that is claimed; see archive-job.ts. */
  readonly archive: (job: JobRecord) => Promise<void>;
  readonly instance: string;
  readonly pollMs: number;
  readonly lingerMs: number;
  readonly takeoverMs: number;
  /** Jobs archived, and jobs deleted, at once. */
  readonly concurrency: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Archiver {
  readonly counts: Readonly<ArchiverCounts>;
  /** Ids of the jobs being archived now. */
  inHand(): readonly string[];
  /** Jobs that could not be archived so far. */
  failing(): readonly string[];
  /** Takes no more jobs; resolves when what is in hand is through, or has failed. */
  stop(): Promise<void>;
}

interface ArchiverCounts {
  archived: number;
  deleted: number;
  failed: number;
  takenOver: number;
}

const firstRetryMs = 1000;
/** Heartbeats in the time after which others take us for dead. */
const beatsPerTakeover = 6;

export function startArchiver(options: ArchiverOptions): Archiver {
  const { jobs, archiving, instance, clock, log, pollMs, lingerMs, takeoverMs } = options;
  const counts: ArchiverCounts = { archived: 0, deleted: 0, failed: 0, takenOver: 0 };
  const inHand = new Set<string>();
  const failures = new Map<string, { readonly count: number; readonly retryMs: number }>();
  const slots = createSlots(options.concurrency);
  let stopped = false;

  async function find(): Promise<void> {
    const met = new Set<string>();
    for await (const { key: jobId } of archiving.unarchived(instance)) {
      if (failures.has(jobId)) met.add(jobId);
      if (inHand.has(jobId) || (failures.get(jobId)?.retryMs ?? 0) > clock.nowMs()) continue;
      await slots.run(async () => {
        if (stopped) return;
        inHand.add(jobId);
        await attempt(jobId).finally(() => inHand.delete(jobId));
      });
      if (stopped) return;
    }
    for (const jobId of failures.keys()) if (!met.has(jobId) && !inHand.has(jobId)) failures.delete(jobId); // settled
  }

  async function attempt(jobId: string): Promise<void> {
    const startedMs = clock.nowMs();
    const stopBeating = keepAlive(jobId);
    try {
      await options.archive(await archiving.start(jobId, instance));
      failures.delete(jobId);
      counts.archived++;
      log.info({ jobId, ms: clock.nowMs() - startedMs }, 'job archived');
    } catch (error) {
      if (isTaken(error)) {
        failures.delete(jobId);
        log.debug({ err: error, jobId }, 'another archiver has the job');
        return;
      }
      const count = (failures.get(jobId)?.count ?? 0) + 1;
      const pauseMs = Math.min(takeoverMs, firstRetryMs * 2 ** (count - 1));
      failures.set(jobId, { count, retryMs: clock.nowMs() + pauseMs });
      counts.failed++;
      if (!stopped) log.warn({ err: error, jobId, failures: count, pauseMs }, 'job not archived: tried again later');
    } finally {
      await stopBeating();
    }
  }

  function keepAlive(jobId: string): () => Promise<void> {
    return repeat({
      clock,
      pauseMs: Math.max(1, takeoverMs / beatsPerTakeover),
      run: async () => {
        await archiving.heartbeat(jobId, instance).catch((error: unknown) => {
          if (!isTaken(error)) log.warn({ err: error, jobId }, 'heartbeat failed');
        });
      },
    });
  }

  async function takeOver(): Promise<void> {
    for await (const { key: jobId, value } of archiving.abandoned(instance, clock.nowMs() - takeoverMs)) {
      const { wrasse: owner = '' } = value;
      await archiving.release(jobId, owner).then(() => {
        counts.takenOver++;
        log.info({ jobId, owner }, 'its archiver is silent: the job is free again');
      }, ignoreTaken);
    }
    const before = clock.nowMs() - 2 * lingerMs;
    for await (const jobId of archiving.archivedBefore(before, { instance, others: true }))
      await archiving.adopt(jobId, instance).catch(ignoreTaken);
  }

  async function clean(): Promise<void> {
    const before = clock.nowMs() - lingerMs;
    const deleting = createSlots(options.concurrency);
    for await (const jobId of archiving.archivedBefore(before, { instance, others: false })) {
      if (stopped) break;
      await deleting.run(() => remove(jobId));
    }
    await deleting.idle();
  }

  async function remove(jobId: string): Promise<void> {
    try {
      await jobs.delete(jobId);
      counts.deleted++;
      log.info({ jobId }, 'records of job deleted');
    } catch (error) {
      if (!stopped) log.warn({ err: error, jobId }, 'records of job not deleted: tried again');
    }
  }

  const loops = [
    ['looking for finished jobs', find],
    ['taking over', takeOver],
    ['deleting', clean],
  ] as const;
  const stops = loops.map(([what, run]) =>
    repeat({
      clock,
      pauseMs: pollMs,
      firstPauseMs: 0,
      run: () =>
        run().catch((error: unknown) => {
          if (!stopped) log.warn({ err: error }, '%s failed: tried again', what);
        }),
    }),
  );
  return {
    counts,
    inHand: () => [...inHand],
    failing: () => [...failures.keys()],
    async stop() {
      stopped = true;
      await Promise.all(stops.map((stop) => stop()));
      await slots.idle();
    },
  };
}

function ignoreTaken(error: unknown): void {
  if (!isTaken(error)) throw error;
}
