import type { Clock } from '../../src/common/clock.js';

/** Time that passes when told to. */
export function handClock(): Clock & { advance(ms: number): void; jump(ms: number): void; readonly timers: number } {
  const timers = new Map<symbol, { readonly atMs: number; readonly action: () => void }>();
  let nowMs = 0;
  let skewMs = 0;
  return {
    nowMs: () => nowMs + skewMs,
    after(delayMs, action) {
      const timer = Symbol();
      timers.set(timer, { atMs: nowMs + delayMs, action });
      return () => timers.delete(timer);
    },
    advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const due = [...timers].sort(([, a], [, b]) => a.atMs - b.atMs).find(([, { atMs }]) => atMs <= untilMs);
        if (due === undefined) break;
        timers.delete(due[0]);
        nowMs = due[1].atMs;
        due[1].action();
      }
      nowMs = untilMs;
    },
    jump(ms) {
      skewMs += ms;
    },
    get timers() {
      return timers.size;
    },
  };
}
