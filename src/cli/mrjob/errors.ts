import type { JobError } from '../../jobs/types.js';
import { jobFailure, type MrjobCommand, oneJob } from './context.js';

export const errors: MrjobCommand = {
  ...oneJob,
  name: 'errors',
  help: 'Prints the errors of a job.',
  options: [],
  async run({ args: [jobId = ''], context, print }) {
    const jobs = await context.jobs();
    try {
      for await (const error of jobs.errors(jobId)) printError(error, '', print);
    } catch (error) {
      throw jobFailure(jobId, 'list errors', error);
    }
    return 0;
  },
};

/** @param note after the message. */
export function printError({ what, message, stderr }: JobError, note: string, print: (line: string) => void): void {
  print(`${what}: ${message}${note}`);
  if (stderr !== undefined) print(`    (see ${stderr})`);
}
