import VError from 'verror';
import type { CliCommand } from '../context.js';

/** Names stored at a time. */
const portion = 100;

export const addkeys: CliCommand = {
  name: 'addkeys',
  args: 'jobid [key ...]',
  argCount: { least: 1, most: Number.POSITIVE_INFINITY },
  help: 'Adds inputs to a job, which need not exist yet.',
  options: [],
  async run({ args: [jobId = '', ...keys], context, print, complain }) {
    if (keys.length === 0) return 0;
    const jobs = await context.jobs();
    for (let first = 0; first < keys.length; first += portion) {
      await Promise.all(
        keys.slice(first, first + portion).map(async (key) => {
          try {
            await jobs.addInput(jobId, key);
            print(key);
          } catch (cause) {
            const text = 'key "%s": failed to save jobinput';
            complain(`mrjob: ${new VError({ name: 'KeyError', cause: cause as Error }, text, key).message}`);
          }
        }),
      );
    }
    return 0;
  },
};
