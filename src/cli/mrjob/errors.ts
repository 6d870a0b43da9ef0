import { failedCommand } from '../../jobs/errors.js';
import type { JobError } from '../../jobs/types.js';
import { failedScript } from '../../records/error-codes.js';
import type { JobRecord } from '../../records/job.js';
import type { CliCommand } from '../context.js';
import { createObjectReader, type ObjectReader } from './object-reader.js';
import { jobFailure, jsonOption, ofJob, oneJob } from './one-job.js';

export const errors: CliCommand = {
  ...oneJob,
  name: 'errors',
  help: 'Prints the errors of a job.',
  options: [
    jsonOption,
    {
      names: ['stderr'],
      type: 'bool',
      help: 'Also the code, the command, and the end of what it wrote to standard error; needs MANTA_URL.',
    },
  ],
  async run({ args: [jobId = ''], has, context, print }) {
    const jobs = await context.jobs();
    try {
      const details = has('stderr') ? detailsOf(context.env['MANTA_URL'], (await jobs.fetch(jobId)).value) : undefined;
      for await (const error of ofJob(jobs, jobId, jobs.errors(jobId))) {
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
export function printError(error: JobError, note: string, print: (line: string) => void, more?: Details): void {
  const { what, message, stderr } = error;
  print(`${what}: ${message}${note}`);
  if (more !== undefined) print(`    code: ${harmless(error.code)}`);
  const script = failedScript(error) === 'init' ? 'init' : 'command';
  if (more?.command !== undefined) print(`    ${script}: ${harmless(more.command)}`);
  if (stderr !== undefined) print(`    (see ${stderr})`);
  if (more?.stderrText === undefined || more.stderrText === '') return;
  for (const line of more.stderrText.replace(/\n$/, '').split('\n')) print(`    | ${harmless(line)}`);
}

/** Users wrote it: nothing of it may work on the operator's terminal. */
function harmless(text: string): string {
  return text.replaceAll(/[^\P{Cc}\t]/gu, '?');
}
