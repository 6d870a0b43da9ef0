import type { CliCommand } from '../context.js';
import { jobFailure, oneJob } from './one-job.js';

export const deleteCommand: CliCommand = {
  ...oneJob,
  name: 'delete',
  help: 'Removes every record of a job, whatever state it is in. There is no way back.',
  options: [],
  async run({ args: [jobId = ''], context }) {
    const jobs = await context.jobs();
    try {
      await jobs.delete(jobId);
    } catch (error) {
      throw jobFailure(jobId, 'delete', error);
    }
    return 0;
  },
};
