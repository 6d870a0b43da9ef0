import { jobFailure, type MrjobCommand, oneJob } from './context.js';
import { printError } from './errors.js';

export const retries: MrjobCommand = {
  ...oneJob,
  name: 'retries',
  help: 'Prints the failures of a job that were retried.',
  options: [],
  async run({ args: [jobId = ''], context, print }) {
    const jobs = await context.jobs();
    try {
      for await (const error of jobs.retries(jobId)) printError(error, ' (retried)', print);
    } catch (error) {
      throw jobFailure(jobId, 'list errors', error);
    }
    return 0;
  },
};
