/** `POST live/in/end` and `POST live/cancel`. The body, if any, says nothing. */
import VError from 'verror';
import { httpError } from '../../http/errors.js';
import type { Call } from '../request/call.js';
import { respondEmpty } from '../request/respond.js';
import { assertChangeable, lookUpJob } from './lookup.js';

/** A supervisor saves its job about once a second: a write of ours that meets it is simply repeated. */
const maxAttempts = 10;

export async function endInput(call: Call): Promise<void> {
  call.request.resume();
  const job = await lookUpJob(call, 'managejob');
  assertChangeable(job, { needsOpenInput: false });
  if (job.timeInputDone === undefined) await persistently(call, () => call.services.jobs.endInput(job.jobId));
  respondEmpty(call.response, 202, { 'Content-Length': 0 });
}

export async function cancelJob(call: Call): Promise<void> {
  call.request.resume();
  const job = await lookUpJob(call, 'managejob');
  assertChangeable(job, { needsOpenInput: false });
  await persistently(call, () => call.services.jobs.cancel(job.jobId));
  respondEmpty(call.response, 202, { 'Content-Length': 0 });
}

/** Repeats an update that lost against another one. @throws VError `ConcurrentRequest`. */
export async function persistently(call: Call, update: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await update();
      return;
    } catch (error) {
      if (!VError.hasCauseWithName(error as Error, 'EtagConflictError')) throw error;
      if (attempt === maxAttempts) throw httpError('ConcurrentRequest', call.path);
    }
  }
}
