import { jobFailure, type MrjobCommand, oneJob } from './context.js';

export const inputs: MrjobCommand = {
  ...oneJob,
  name: 'inputs',
  help: 'Prints the names of the inputs of a job.',
  options: [],
  async run({ args: [jobId = ''], context, print }) {
    const jobs = await context.jobs();
    try {
      for await (const { value } of jobs.inputs(jobId)) print(value.input);
    } catch (error) {
      throw jobFailure(jobId, 'list inputs', error);
    }
    return 0;
  },
};
