/** `mrjob` in this process, at a time that stands still, so that its output can be compared as a whole. */

import { runProgram } from '../../src/cli/command.js';
import { createContext } from '../../src/cli/mrjob/context.js';
import { mrjob } from '../../src/cli/mrjob/program.js';
import { systemClock } from '../../src/common/clock.js';

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const now = '2026-03-01T12:00:00.000Z';

export type Run = (...args: readonly string[]) => Promise<Ran>;

export function mrjobWith(env: Readonly<Record<string, string | undefined>>): Run {
  return async (...args) => {
    const context = createContext(env, { ...systemClock, nowMs: () => Date.parse(now) });
    const written = { stdout: '', stderr: '' };
    const stream = (name: keyof typeof written) => ({
      write(text: string | Uint8Array) {
        written[name] += text.toString();
        return true;
      },
    });
    const streams = { stdout: stream('stdout'), stderr: stream('stderr') };
    const status = await runProgram(mrjob, args, context, streams);
    await context.close();
    return { status, ...written };
  };
}
