/** `POST live/in`: names are stored as they come, if they can be; what is wrong with them shows when they are used. */
import type { Call } from '../request/call.js';
import { respondEmpty } from '../request/respond.js';
import { persistently } from './control.js';
import { assertChangeable, lookUpJob } from './lookup.js';
import { namesIn } from './names.js';

export async function addInputs(call: Call): Promise<void> {
  const { request, response, services } = call;
  const job = await lookUpJob(call, 'managejob');
  assertChangeable(job, { needsOpenInput: true });
  if (request.headers.expect !== undefined) response.writeContinue();
  const body = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  await services.jobs.addInputs(job.jobId, namesIn(body), { domain: job.worker });
  if (call.query['end'] !== undefined) await persistently(call, () => services.jobs.endInput(job.jobId));
  respondEmpty(response, 204);
}
