import { failedCommand } from '../../jobs/errors.js';
import type { JobError } from '../../jobs/types.js';
import type { JobRecord } from '../../records/job.js';
import type { CliCommand } from '../context.js';
import { createObjectReader, type ObjectReader } from './object-reader.js';
import { jobFailure, jsonOption, oneJob } from './one-job.js';

export const errors: CliCommand = {
  ...oneJob,
  name: 'errors',
  help: 'Prints the errors of a job.',
  options: [
    jsonOption,
    {
      names: ['stderr'],
      type: 'bool',
      help: 'Also the command, and the end of what it wrote to standard error; needs MANTA_URL.',
    },
  ],
  async run({ args: [jobId = ''], has, context, print }) {
    const jobs = await context.jobs();
    try {
      const details = has('stderr') ? detailsOf(context.env['MANTA_URL'], (await jobs.fetch(jobId)).value) : undefined;
      for await (const error of jobs.errors(jobId)) {
        const more = await details?.(error);
        if (has('json')) print(JSON.stringify({ ...error, ...more }));
        else printError(error, '', print, more);
      }
    } catch (error) {
      throw jobFailure(jobId, 'list errors', error);
    }
    return 0;
  },
};

/** What `--stderr` adds. */
interface Details {
  readonly command: string | undefined;
  /** The end of it. Absent: it wrote nothing that was kept. */
  readonly stderrText?: string;
}

type Job = Pick<JobRecord, 'phases' | 'auth' | 'authToken'>;

function detailsOf(
  mantaUrl: string | undefined,
  { phases, auth, authToken }: Job,
): (error: JobError) => Promise<Details> {
  const read: ObjectReader = createObjectReader(mantaUrl, auth?.token ?? authToken);
  return async (error) => ({
    command: failedCommand(error, phases),
    ...(error.stderr === undefined ? {} : { stderrText: await read(error.stderr) }),
  });
}

/** @param note after the message. */
export function printError(
  { what, message, stderr }: JobError,
  note: string,
  print: (line: string) => void,
  more?: Details,
): void {
  print(`${what}: ${message}${note}`);
  if (more?.command !== undefined) print(`    command: ${harmless(more.command)}`);
  if (stderr !== undefined) print(`    (see ${stderr})`);
  if (more?.stderrText === undefined) return;
  for (const line of more.stderrText.replace(/\n$/, '').split('\n')) print(`    | ${harmless(line)}`);
}

/** Users wrote it: nothing of it may work on the operator's terminal. */
function harmless(text: string): string {
  return text.replaceAll(/[^\P{Cc}\t]/gu, '?');
}
