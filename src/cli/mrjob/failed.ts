import { jobFailure, type MrjobCommand, oneJob } from './context.js';

export const failed: MrjobCommand = {
  ...oneJob,
  name: 'failed',
  help: 'Prints the names of the job inputs that the errors of a job go back to.',
  options: [],
  async run({ args: [jobId = ''], context, print }) {
    const jobs = await context.jobs();
    try {
      for await (const name of jobs.failedInputs(jobId)) print(name);
    } catch (error) {
      throw jobFailure(jobId, 'list failed', error);
    }
    return 0;
  },
};
