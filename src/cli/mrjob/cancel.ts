import type { CliCommand } from '../context.js';
import { oneJob } from './one-job.js';

export const cancel: CliCommand = {
  ...oneJob,
  name: 'cancel',
  help: 'Cancels a job.',
  options: [],
  async run({ args: [jobId = ''], context, complain }) {
    const before = await (await context.jobs()).cancel(jobId, { attempts: 2 });
    if (before.timeCancelled) complain('warning: job already cancelled');
    if (before.timeDone) complain('warning: job already done');
    return 0;
  },
};
