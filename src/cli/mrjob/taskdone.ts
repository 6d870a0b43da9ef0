import { usageError } from '../command.js';
import type { CliCommand } from '../context.js';

export const taskdone: CliCommand = {
  name: 'taskdone',
  args: 'taskid',
  argCount: { least: 1, most: 1 },
  help: "Ends a task in the agent's place (development only).",
  options: [
    { names: ['c'], type: 'string', helpArg: 'code', help: 'The task failed, with this code ("EJ_MAINT").' },
    { names: ['e'], type: 'string', helpArg: 'message', help: 'The task failed, with this message.' },
    { names: ['o'], type: 'string', helpArg: 'noutput', help: 'The task succeeded, with so many outputs (0).' },
  ],
  async run({ args: [taskId = ''], value, context }) {
    const [code, message, outputs] = [value('c'), value('e'), value('o')];
    if (outputs !== undefined && !/^\d+$/.test(outputs)) {
      throw usageError(`not a positive integer for -o: ${outputs}`);
    }
    const hasFailed = code !== undefined || message !== undefined;
    if (hasFailed && outputs !== undefined) throw usageError('-o is exclusive with both -c and -e');
    const failure = { code: code ?? 'EJ_MAINT', message: message ?? 'aborted by administrator' };
    await (await context.jobs()).endTask(taskId, hasFailed ? failure : { outputs: Number(outputs ?? 0) });
    return 0;
  },
};
