import type { JobError } from '../../jobs/types.js';
import type { CliCommand } from '../context.js';
import { jobFailure, jsonOption, oneJob } from './one-job.js';

export const errors: CliCommand = {
  ...oneJob,
  name: 'errors',
  help: 'Prints the errors of a job.',
  options: [jsonOption],
  async run({ args: [jobId = ''], has, context, print }) {
    const jobs = await context.jobs();
    try {
      for await (const error of jobs.errors(jobId)) {
        if (has('json')) print(JSON.stringify(error));
        else printError(error, '', print);
      }
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
