/** Operator's commands in this process, at a time that stands still, so that its output can be compared as a whole. */

import { runProgram } from '../../src/cli/command.js';
import { createContext } from '../../src/cli/context.js';
import { programs } from '../../src/cli/programs.js';
import { type Clock, systemClock } from '../../src/common/clock.js';

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export const now = '2026-03-01T12:00:00.000Z';

export type Run = (...args: readonly string[]) => Promise<Ran>;

type Env = Readonly<Record<string, string | undefined>>;

export const mrjobWith = (env: Env): Run => commandWith('mrjob', env);

/**
 * @param input for its standard input.
 * @param after sets its timers, instead of the system.
 */
export function commandWith(name: string, env: Env, input = '', after: Clock['after'] = systemClock.after): Run {
  return async (...args) => {
    const load = programs[name];
    if (load === undefined) throw new Error(`no command "${name}"`);
    const stdin = (async function* () {
      yield input;
    })();
    const context = createContext(env, { clock: { nowMs: () => Date.parse(now), after }, stdin });
    const written = { stdout: '', stderr: '' };
    const stream = (which: keyof typeof written) => ({
      write(text: string | Uint8Array) {
        written[which] += text.toString();
        return true;
      },
    });
    const streams = { stdout: stream('stdout'), stderr: stream('stderr') };
    const status = await runProgram(await load(), args, context, streams);
    await context.close();
    return { status, ...written };
  };
}
