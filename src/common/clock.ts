/**
 * Time, as a parameter. Nothing below a composition root reads the wall clock or sets a timer by itself: it is handed a
 * `Clock`, so that a simulation can run hours in milliseconds and replay them.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Calls `action` once, `delayMs` from now, unless the returned function is called before. */
  after(delayMs: number, action: () => void): () => void;
}

/** What a decision may know beside its records: the time, and chance in [0, 1). */
export interface Env {
  readonly nowMs: number;
  readonly random: () => number;
}

/**
 * Whether less than `spanMs` have passed since `sinceMs`. The wall clock may be set back meanwhile: then no, for nothing
 * should wait until it is again as late as it was.
 */
export function isWithin(spanMs: number, sinceMs: number, nowMs: number): boolean {
  return nowMs >= sinceMs && nowMs - sinceMs < spanMs;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or at once with `false` when `signal` aborts. @returns whether the time passed. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve(false);
      return;
    }
    const onAbort = () => {
      cancel();
      resolve(false);
    };
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve(true);
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
