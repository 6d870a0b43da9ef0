import { type MrjobCommand, oneJob } from './context.js';

export const archiveReset: MrjobCommand = {
  ...oneJob,
  name: 'archive-reset',
  help: 'Lets an archiver take a finished job again.',
  options: [],
  async run({ args: [jobId = ''], context }) {
    await (await context.jobs()).resetArchive(jobId, { attempts: 2 });
    return 0;
  },
};
