/** Watching a job: whoever saves its record wakes us; a look now and then in case nobody does. */
import { jobChannel } from '../bus/channels.js';
import { sleep } from '../common/clock.js';
import { type JobProgress, jobProgress } from './progress.js';
import type { JobStore } from './store.js';

/** Between two looks: not more often, however often the job changes; at least so often, even if nothing tells us. */
const leastMs = 500;
const mostMs = 2000;

/** Ends when the job is done or the signal aborts. */
export async function* followJob(store: JobStore, jobId: string, signal: AbortSignal): AsyncGenerator<JobProgress> {
  let wake = () => {};
  const stop = store.moray.listen(
    jobChannel(jobId),
    () => wake(),
    () => {}, // without it there are still the looks
  );
  try {
    while (!signal.aborted) {
      const changed = new Promise<boolean>((resolve) => {
        wake = () => resolve(true);
      });
      const progress = await jobProgress(store, jobId);
      yield progress;
      if (progress.state === 'done' || signal.aborted) return;
      await sleep(store.clock, leastMs, signal);
      const waiting = new AbortController();
      const either = AbortSignal.any([signal, waiting.signal]);
      await Promise.race([changed, sleep(store.clock, mostMs - leastMs, either)]);
      waiting.abort();
    }
  } finally {
    stop();
  }
}
