import type { CliCommand } from '../context.js';
import { jobFailure, jsonOption, ofJob, oneJob } from './one-job.js';

export const inputs: CliCommand = {
  ...oneJob,
  name: 'inputs',
  help: 'Prints the names of the inputs of a job.',
  options: [jsonOption],
  async run({ args: [jobId = ''], has, context, print }) {
    const jobs = await context.jobs();
    try {
      for await (const { value } of ofJob(jobs, jobId, jobs.inputs(jobId)))
        print(has('json') ? JSON.stringify(value) : value.input);
    } catch (error) {
      throw jobFailure(jobId, 'list inputs', error);
    }
    return 0;
  },
};
