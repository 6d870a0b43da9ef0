import type { CliCommand } from '../context.js';
import { jobFailure, jsonOption, ofJob, oneJob } from './one-job.js';

export const failed: CliCommand = {
  ...oneJob,
  name: 'failed',
  help: 'Prints the names of the job inputs that the errors of a job go back to.',
  options: [jsonOption],
  async run({ args: [jobId = ''], has, context, print }) {
    const jobs = await context.jobs();
    try {
      for await (const name of ofJob(jobs, jobId, jobs.failedInputs(jobId)))
        print(has('json') ? JSON.stringify({ input: name }) : name);
    } catch (error) {
      throw jobFailure(jobId, 'list failed', error);
    }
    return 0;
  },
};
