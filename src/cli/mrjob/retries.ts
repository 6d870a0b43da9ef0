import type { CliCommand } from '../context.js';
import { printError } from './errors.js';
import { jobFailure, jsonOption, ofJob, oneJob } from './one-job.js';

export const retries: CliCommand = {
  ...oneJob,
  name: 'retries',
  help: 'Prints the failures of a job that were retried.',
  options: [jsonOption],
  async run({ args: [jobId = ''], has, context, print }) {
    const jobs = await context.jobs();
    try {
      for await (const error of ofJob(jobs, jobId, jobs.retries(jobId))) {
        if (has('json')) print(JSON.stringify(error));
        else printError(error, ' (retried)', print);
      }
    } catch (error) {
      throw jobFailure(jobId, 'list errors', error);
    }
    return 0;
  },
};
