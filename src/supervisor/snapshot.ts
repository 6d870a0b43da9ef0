import type { Job } from './jobs/job.js';

/** A job as operators see it: without what would let them act as its user. */
export function jobSnapshot(job: Job): object {
  const { auth, authToken: _copy, ...record } = job.stored.value;
  const { token: _token, ...credentials } = auth ?? {};
  const { stats, phases, inputsLeft, inputEnded, cancelled, removals, inHand, blockedBy } = job;
  const state = job.finished ? 'finishing' : 'running';
  const shown = { state, stats, phases, inputsLeft, inputEnded, cancelled, removals, inHand, blockedBy };
  return { record: { ...record, auth: credentials }, ...shown, unfinished: Object.fromEntries(job.unfinished) };
}
