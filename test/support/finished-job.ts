/** Plays the supervisor's part: gives a job its outputs and errors, and ends it. */
import crypto from 'node:crypto';
import type { MorayClient } from '../../src/moray/client/types.js';
import { defaultBuckets } from '../../src/records/buckets.js';

export interface JobResults {
  readonly outputs?: readonly string[];
  /** Names of inputs that failed. */
  readonly failures?: readonly string[];
  /** Members of the job record that differ. */
  readonly change?: object;
}

const batchSize = 1000;

export async function finishJob(moray: MorayClient, jobId: string, results: JobResults): Promise<void> {
  const { outputs = [], failures = [], change = {} } = results;
  const time = new Date().toISOString();
  const common = { jobId, domain: 'd', phaseNum: 0, timeCommitted: time };
  const rows = [
    ...outputs.map((output) => {
      const value = { ...common, taskId: 't', output, valid: 'true', timeCreated: time };
      return { bucket: defaultBuckets.taskoutput, key: crypto.randomUUID(), value };
    }),
    ...failures.map((input) => {
      const [errorId, errorCode] = [crypto.randomUUID(), 'UserTaskError'];
      const errorMessage = 'user command exited with code 1';
      const value = { ...common, errorId, errorCode, errorMessage, input, p0input: input, retried: false };
      return { bucket: defaultBuckets.error, key: errorId, value };
    }),
  ];
  for (let start = 0; start < rows.length; start += batchSize)
    await moray.batch(rows.slice(start, start + batchSize).map((row) => ({ operation: 'put', ...row })));
  const { value } = await moray.getObject(defaultBuckets.job, jobId);
  const stats = { nErrors: failures.length, nJobOutputs: outputs.length };
  const ended = { ...value, state: 'done', timeInputDone: time, timeDone: time, stats, ...change };
  await moray.putObject(defaultBuckets.job, jobId, ended);
}
