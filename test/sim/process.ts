/**
 * One life of a process: whatever it planned happens only while it lives, and not while it stands still (a long garbage
 * collection, a machine without time for it). Its clock is not the others', and may jump.
 */
import type { Clock } from '../../src/common/clock.js';
import type { VirtualTime } from './time.js';

export interface Life {
  readonly name: string;
  /** Counted from 1. */
  readonly number: number;
  readonly clock: Clock;
  readonly isAlive: boolean;
  /** Until then it stands, or stood, still. */
  readonly stillUntilMs: number;
  /** What it cannot reach until then: the store. */
  cutOffUntilMs: number;
  /** Does nothing until then. */
  standStill(untilMs: number): void;
  setClock(aheadMs: number): void;
  /** Runs an action soon, after all that is ready to run. */
  defer(action: () => void): void;
  /** Runs it when the process can: now, later, or never. */
  deliver(action: () => void): void;
  end(): void;
}

export function startLife(name: string, number: number, time: VirtualTime, aheadMs: number): Life {
  let isAlive = true;
  let stillUntilMs = 0;
  let ahead = aheadMs;
  const whenAble = (action: () => void): void => {
    if (!isAlive) return;
    if (stillUntilMs > time.nowMs) time.after(stillUntilMs - time.nowMs, () => whenAble(action));
    else action();
  };
  const life: Life = {
    name,
    number,
    get isAlive() {
      return isAlive;
    },
    get stillUntilMs() {
      return stillUntilMs;
    },
    cutOffUntilMs: 0,
    clock: {
      nowMs: () => Math.floor(time.nowMs + ahead),
      after(delayMs, action) {
        let isCancelled = false;
        const cancel = time.after(delayMs, () =>
          whenAble(() => {
            if (!isCancelled) action();
          }),
        );
        return () => {
          isCancelled = true;
          cancel();
        };
      },
    },
    standStill(untilMs) {
      stillUntilMs = Math.max(stillUntilMs, untilMs);
    },
    setClock(next) {
      ahead = next;
    },
    defer: (action) => void time.after(0, () => whenAble(action)),
    deliver: whenAble,
    end() {
      isAlive = false;
    },
  };
  return life;
}
