/**
 * Pace: theory of operation. A call that writes and a pass that reads cost nearly the same for one record as for fifty.
 * When little happens each should start at once: a small job is a chain of single writes and reads, and waits for every
 * one of them. When much happens they should be few, and what arrives in between should gather. So a turn is taken from
 * an allowance:
 *
 *   allowance: at most `burst` turns, one comes back each `everyMs`
 *   take: one is left --> go now
 *         none is left --> not yet; told once the next has come back
 *
 * A chain that uses less than the allowance never waits; under load there is a turn each `everyMs`, and nobody waits
 * longer than that for one. What load is, the store's answers tell: while turns take long, they come back later, up to
 * `longestMs`, so that one kind of call keeps to a third of the time.
 *
 * Invariants: (1) in any stretch of time t, at most burst + t / everyMs turns; (2) whoever was refused is told within
 * `longestMs`, unless a turn is taken or the pace stopped before; (3) one timer at most.
 */
import assert from 'node:assert/strict';
import type { Clock } from '../common/clock.js';

export interface PaceLimits {
  /** Turns that may follow each other without a pause: 1 or more. */
  readonly burst: number;
  /** Milliseconds after which a turn comes back: more than 0. */
  readonly everyMs: number;
  /** The same while turns take long: `everyMs` or more. */
  readonly longestMs: number;
}

export interface Pace {
  /** Takes a turn. false: none is left, and `whenNext` will be called. */
  take(): boolean;
  /** Says how many milliseconds a turn took. */
  took(ms: number): void;
  stop(): void;
}

/** Of the time between two turns, what the work of one may take. */
const shareOfTime = 1 / 3;
/** Weight of a turn among those before it, when it is said how long they take. */
const newestWeight = 0.2;

/** @param whenNext called when a turn has come back after one was refused; it takes it, or lets it be. */
export function createPace(clock: Clock, { burst, everyMs, longestMs }: PaceLimits, whenNext: () => void): Pace {
  assert(burst >= 1 && everyMs > 0, `burst must be 1 or more, is ${burst}; everyMs more than 0, is ${everyMs}`);
  assert(longestMs >= everyMs, `longestMs must be ${everyMs} or more, is ${longestMs}`);
  let usualMs = 0;
  let turnMs = everyMs;
  /** When the allowance is, or was, whole again: each turn taken moves it on by `turnMs`. */
  let wholeMs = Number.NEGATIVE_INFINITY;
  let cancelTimer: (() => void) | null = null;
  let isStopped = false;

  const forget = () => {
    cancelTimer?.();
    cancelTimer = null;
  };

  return {
    take() {
      const nowMs = clock.nowMs();
      wholeMs = Math.min(Math.max(wholeMs, nowMs), nowMs + burst * turnMs); // also if the clock was set back
      const waitMs = wholeMs - nowMs - (burst - 1) * turnMs;
      if (waitMs <= 0) {
        wholeMs += turnMs;
        forget();
        return true;
      }
      if (cancelTimer === null && !isStopped)
        cancelTimer = clock.after(Math.ceil(waitMs), () => {
          cancelTimer = null;
          whenNext();
        });
      return false;
    },
    took(ms) {
      usualMs += newestWeight * (Math.max(0, ms) - usualMs); // also if the clock was set back
      turnMs = Math.min(longestMs, Math.max(everyMs, usualMs / shareOfTime));
    },
    stop() {
      isStopped = true;
      forget();
    },
  };
}
