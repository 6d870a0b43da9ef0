/** What a task's end is called. First match wins, and there is no other wording. Source: spec 06 §1.6. */
import type { TaskError } from '../taskapi/types.js';
import type { ShellResult } from './launcher.js';

export interface TaskFacts {
  /** The zone's disk was left full: on the original the lackey itself would not have survived it (spec 06 §1.9). */
  readonly diskFull: boolean;
  /** What went wrong that is not the user's doing, before or instead of the command. */
  readonly internal?: string | undefined;
  readonly fetchError?: string | undefined;
  readonly dumpedCore: boolean;
  /** Which script `shell` is about. */
  readonly script: 'init' | 'exec';
  readonly shell?: ShellResult | undefined;
  readonly saveError?: string | undefined;
}

/** @returns undefined when the task is to be committed. */
export function decideFailure(facts: TaskFacts): TaskError | undefined {
  if (facts.diskFull) return { code: 'UserTaskError', message: 'user task ran out of local disk space' };
  const internal = facts.internal ?? facts.shell?.error;
  if (internal !== undefined) return internalError(internal);
  if (facts.fetchError !== undefined) {
    return { code: 'ServiceUnavailableError', message: `error fetching inputs: ${facts.fetchError}` };
  }
  const message = userFault(facts);
  if (message !== undefined) return { code: facts.script === 'init' ? 'TaskInitError' : 'UserTaskError', message };
  return facts.saveError === undefined ? undefined : internalError(facts.saveError);
}

function internalError(messageInternal: string): TaskError {
  return { code: 'InternalError', message: 'internal error', messageInternal };
}

function userFault({ dumpedCore, shell }: TaskFacts): string | undefined {
  if (dumpedCore) return 'user command or child process dumped core';
  if (shell === undefined) return undefined;
  if (shell.signal !== null) return `user command terminated by ${shell.signal}`;
  return shell.code === 0 ? undefined : `user command exited with code ${shell.code}`;
}
