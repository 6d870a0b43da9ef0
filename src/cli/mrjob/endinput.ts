import type { CliCommand } from '../context.js';
import { oneJob } from './one-job.js';

export const endinput: CliCommand = {
  ...oneJob,
  name: 'endinput',
  help: 'Says that a job gets no more inputs.',
  options: [],
  async run({ args: [jobId = ''], context, complain }) {
    const before = await (await context.jobs()).endInput(jobId, { attempts: 2 });
    if (before.timeInputDone) complain("warning: job's input already ended");
    if (before.timeCancelled) complain('warning: job already cancelled');
    if (before.timeDone) complain('warning: job already done');
    return 0;
  },
};
