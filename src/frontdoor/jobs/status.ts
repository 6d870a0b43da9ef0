/** `GET live/status`. */
import { jobStatus } from '../../jobs/status.js';
import type { Call } from '../request/call.js';
import { respondJson } from '../request/respond.js';
import { lookUpJob } from './lookup.js';

export async function getStatus(call: Call): Promise<void> {
  respondJson(call.response, 200, jobStatus(await lookUpJob(call, 'getjob')));
}
