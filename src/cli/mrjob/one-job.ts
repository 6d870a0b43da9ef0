/** What the subcommands that work on one job share. */
import VError from 'verror';
import type { Jobs } from '../../jobs/types.js';
import type { CommandOption } from '../command.js';

/** Their arguments. */
export const oneJob = { args: 'jobid', argCount: { least: 1, most: 1 } } as const;

/** For scripts: what the table or the sentence is made from. */
export const jsonOption: CommandOption = { names: ['json'], type: 'bool', help: 'One JSON object per line.' };

/** What a job has. @throws VError `NoJobError` when that is nothing, since there is no such job. */
export async function* ofJob<Item>(jobs: Jobs, jobId: string, items: AsyncIterable<Item>): AsyncGenerator<Item> {
  let isEmpty = true;
  for await (const item of items) {
    isEmpty = false;
    yield item;
  }
  if (isEmpty) await jobs.check(jobId);
}

/** Says which job, and what could not be done with it. */
export function jobFailure(jobId: string, what: string, cause: unknown): Error {
  if (VError.hasCauseWithName(cause as Error, 'NoJobError')) return cause as Error;
  const info = { jobId };
  return new VError({ name: 'JobCommandError', cause: cause as Error, info }, 'job "%s": failed to %s', jobId, what);
}
