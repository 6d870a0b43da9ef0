/** Work that is done again and again, with a pause after each time. */
import type { Clock } from './clock.js';

export interface Repeated {
  readonly clock: Clock;
  /** From the end of one time to the start of the next. */
  readonly pauseMs: number;
  /** Before the first time; by default as long as the pause. */
  readonly firstPauseMs?: number;
  /** Deals with its own errors. */
  readonly run: () => Promise<void>;
}

/** @returns what ends it: resolves when the time that is under way has ended. */
export function repeat({ clock, pauseMs, firstPauseMs = pauseMs, run }: Repeated): () => Promise<void> {
  let stopped = false;
  let running: Promise<void> = Promise.resolve();
  let cancel = clock.after(firstPauseMs, turn);
  function turn(): void {
    running = run().then(() => {
      if (!stopped) cancel = clock.after(pauseMs, turn);
    });
  }
  return async () => {
    stopped = true;
    cancel();
    await running;
  };
}
