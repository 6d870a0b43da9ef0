/** The operator's commands by name. Each is loaded alone, so that it starts fast. */
import type { Program } from './command.js';
import type { CliContext } from './context.js';

export const programs: Readonly<Record<string, () => Promise<Program<CliContext>>>> = {
  mrjob: async () => (await import('./mrjob/program.js')).mrjob,
};
