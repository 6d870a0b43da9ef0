import { jobFailure, type MrjobCommand, oneJob } from './context.js';

export const deleteCommand: MrjobCommand = {
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
