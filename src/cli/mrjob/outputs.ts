import type { Jobs } from '../../jobs/types.js';
import type { CliCommand } from '../context.js';
import { jobFailure, jsonOption, oneJob } from './one-job.js';

export const outputs: CliCommand = {
  ...oneJob,
  name: 'outputs',
  help: 'Prints the names of the outputs of a job.',
  options: [jsonOption],
  async run({ args: [jobId = ''], has, context, print }) {
    const jobs = await context.jobs();
    const lastPhase = await lastPhaseOf(jobs, jobId);
    try {
      for await (const { value } of jobs.outputs(jobId, lastPhase))
        print(has('json') ? JSON.stringify(value) : value.output);
    } catch (error) {
      throw jobFailure(jobId, 'list outputs', error);
    }
    return 0;
  },
};

async function lastPhaseOf(jobs: Jobs, jobId: string): Promise<number> {
  try {
    return (await jobs.fetch(jobId)).value.phases.length - 1;
  } catch (error) {
    throw jobFailure(jobId, 'fetch', error);
  }
}
