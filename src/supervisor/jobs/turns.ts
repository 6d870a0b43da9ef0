/**
 * Turns: theory of operation. Every supervisor sees every new job, and the first conditional write has it. If all of them
 * tried for all, each job would be written once and refused as often as there are others, and work that is not in vain
 * would wait behind it. So for each job those that live stand in a line, which each of them works out by itself: by the
 * hash of the job and their names, so that each is first for its share of all jobs. The first tries at once; the others
 * let the job go, and try when they still see it some turns later.
 *
 *   seen --first in line--> due
 *        --n before me----> waiting --n turns, begun and whole--> due      waiting --a pass without it--> forgotten
 *
 * Invariants: (1) supervisors that know of the same peers do not try for a job in the same turn; (2) a job that nobody
 * takes is tried by everybody in the end: who is dead, or takes no jobs, and stands before them costs a turn; (3) each
 * takes what it is first for in the order of creation; (4) turns are counted by a timer, so that a clock that is set
 * back makes nobody wait.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../common/clock.js';

/** The first has found the job and written by then, unless the store is slow. */
const turnMs = 500;

export interface Turns {
  /** Whether to try for the job; otherwise it is looked for again when it is. */
  isDue(jobId: string): boolean;
  /** A pass over all new jobs has ended: those that were not in it are somebody's. */
  passed(): void;
  /** Nobody looks for new jobs here any more, or for a while. */
  stop(): void;
}

interface TurnsOptions {
  readonly clock: Pick<Clock, 'after'>;
  readonly me: string;
  /** Other supervisors that live. */
  readonly peers: () => readonly string[];
  /** New jobs should be looked for now. */
  readonly lookAgain: () => void;
}

export function createTurns({ clock, me, peers, lookAgain }: TurnsOptions): Turns {
  /** Jobs of others, and the turn in which they are due here. */
  const waiting = new Map<string, number>();
  let seen = new Set<string>();
  let turn = 0;
  let cancelTurn: (() => void) | null = null;

  const next = (): void => {
    turn++;
    cancelTurn = waiting.size === 0 ? null : clock.after(turnMs, next);
    if ([...waiting.values()].includes(turn)) lookAgain();
  };

  return {
    isDue(jobId) {
      seen.add(jobId);
      const known = waiting.get(jobId);
      if (known !== undefined) return known <= turn;
      const before = placeInLine(jobId, me, peers());
      if (before === 0) return true;
      waiting.set(jobId, turn + before + 1);
      cancelTurn ??= clock.after(turnMs, next);
      return false;
    },
    passed() {
      for (const jobId of waiting.keys()) if (!seen.has(jobId)) waiting.delete(jobId);
      seen = new Set();
    },
    stop() {
      cancelTurn?.();
      cancelTurn = null;
      waiting.clear();
      seen.clear();
    },
  };
}

/** How many of the others stand before me for this job. */
export function placeInLine(jobId: string, me: string, others: readonly string[]): number {
  const place = (name: string) => createHash('sha256').update(`${jobId} ${name}`).digest('hex');
  const mine = place(me);
  return others.filter((other) => other !== me && place(other) < mine).length;
}
