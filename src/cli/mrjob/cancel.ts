import { type MrjobCommand, oneJob } from './context.js';

export const cancel: MrjobCommand = {
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
