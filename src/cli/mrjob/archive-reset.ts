import type { CliCommand } from '../context.js';
import { oneJob } from './one-job.js';

export const archiveReset: CliCommand = {
  ...oneJob,
  name: 'archive-reset',
  help: 'Lets an archiver take a finished job again.',
  options: [],
  async run({ args: [jobId = ''], context }) {
    await (await context.jobs()).resetArchive(jobId, { attempts: 2 });
    return 0;
  },
};
