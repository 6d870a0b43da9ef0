/** What the scheduler is told, and what it wants done. */
import type { GroupNeeds } from './state.js';

/** Why tasks cannot run here. `zones`: the last one was removed. */
export type Lack = 'memory' | 'disk' | 'zones';

export type SchedulerEvent =
  /** A task can run: first of its group or not. */
  | { readonly event: 'task runnable'; readonly group: GroupNeeds; readonly task: string }
  /** A task without a zone is gone: cancelled, failed, or not ours after all. */
  | { readonly event: 'task withdrawn'; readonly group: string; readonly task: string }
  /** The last input of its tasks is known. */
  | { readonly event: 'group complete'; readonly group: string }
  | { readonly event: 'stream loaded'; readonly zone: string }
  | { readonly event: 'task ended'; readonly zone: string }
  /** The stream cannot go on; its task, if any, has ended with it. */
  | { readonly event: 'stream failed'; readonly zone: string }
  | { readonly event: 'zone resetting'; readonly zone: string }
  | { readonly event: 'zone ready'; readonly zone: string }
  | { readonly event: 'zone disabled'; readonly zone: string }
  | { readonly event: 'zone quiesced'; readonly zone: string }
  | { readonly event: 'zone removed'; readonly zone: string }
  /** Now and then: ends idle streams whose time is over, and kills. */
  | { readonly event: 'hog check' };

export type Action =
  | { readonly do: 'create stream'; readonly group: string; readonly zone: string }
  | { readonly do: 'run task'; readonly group: string; readonly zone: string; readonly task: string }
  /** Follows on its own; the task's stream is released by the next action. */
  | { readonly do: 'kill task'; readonly group: string; readonly zone: string; readonly task: string }
  | { readonly do: 'release zone'; readonly group: string; readonly zone: string }
  | { readonly do: 'accept tasks'; readonly tasks: readonly string[] }
  | { readonly do: 'refuse tasks'; readonly tasks: readonly string[]; readonly lack: Lack }
  | { readonly do: 'forget group'; readonly group: string };
