/**
 * A job in memory: its record, who its reducers are, and hints. Theory of operation: the store holds the truth about
 * every input, task and output; what is here grows with phases and reducers, never with inputs. A hint says how much of
 * a phase is unfinished; it is kept up with what we write, may drift (a repeated answer, an update counted twice), and
 * decides only *when* the store is asked. What is decided, is decided by counts of the store (progress.ts).
 *
 * `version` rises with everything that happens to the job: counts are believed only if it stood still meanwhile, and
 * nothing was in hand.
 */
import type { Stored } from '../../bus/types.js';
import { freshStats, type JobRecord, type JobStats } from '../../records/job.js';
import type { JobState } from './transition.js';

/** The current attempt of a reducer. */
export interface Reducer {
  readonly taskId: string;
  readonly agent: string;
  readonly generation: string;
  /** Committed, and not to be tried again: nobody will read further inputs. */
  readonly finished: boolean;
}

export interface PhaseState {
  readonly isReduce: boolean;
  /** One place per reducer; undefined: not placed yet, for lack of agents. */
  readonly reducers: (Reducer | undefined)[];
  /** Hint: tasks not through with, outputs not passed on, inputs of reducers not moved. */
  open: number;
  /** Hint: all its reducers know how many inputs they get. */
  told: boolean;
  /** Nobody could be found to run its missing reducers, and the user was told. */
  reducersRefused: boolean;
}

export type Stats = { -readonly [Name in keyof Required<JobStats>]: number };

export interface Job {
  readonly jobId: string;
  readonly domain: string;
  state: JobState;
  /** When it came into this state. */
  stateMs: number;
  /** As last read or written. */
  stored: Stored<JobRecord>;
  readonly stats: Stats;
  /** What `stats` was when last saved. */
  savedStats: string;
  savedAtMs: number;
  /** Its counters are being saved. */
  saving: boolean;
  readonly phases: PhaseState[];
  /** Hints: unfinished tasks per agent, those of reducers apart. Changed by pipeline/load.ts. */
  readonly unfinished: { readonly map: Map<string, number>; readonly reduce: Map<string, number> };
  /** An agent that refused for lack of room, until it has room again. */
  blockedBy: string | null;
  /** Its records in the pipeline. */
  inPipeline: number;
  /** Some of its records were turned away, because it had its share of the pipeline. */
  overflows: boolean;
  /** Hint: inputs still to be passed on, once input has ended. */
  inputsLeft: number;
  /** End of input was noted and all inputs are stamped. */
  inputEnded: boolean;
  /** Inputs without a domain are being stamped; `again`: more have come since. */
  stamping: 'no' | 'yes' | 'again';
  /** Time of cancellation. */
  cancelled: string | null;
  /** Records are being marked with the cancellation. */
  cancelling: boolean;
  /** All records bear the cancellation. */
  cancelMarked: boolean;
  /** Intermediate objects of the cancelled job are gone. */
  cleanedUp: boolean;
  /** Reducers are being placed. */
  placing: boolean;
  /** Writes under way that name a reducer's task as target; see tasks/reduce-retry.ts. */
  readonly writesTo: Map<string, number>;
  /** Marks of reducers' inputs wait until those writes are over. */
  marksWait: boolean;
  /** Removals asked for and not done. Hint. */
  removals: number;
  /** Records whose handlers will change hints. */
  inHand: number;
  /** Hints may be wrong: the store is asked as soon as nothing is in hand. */
  doubted: boolean;
  version: number;
  /** When something last happened. */
  changedAtMs: number;
  /** Looks at the job since then that found nothing: each makes the pause before the next longer. */
  stillLooks: number;
  nextLookMs: number;
  lastInputMs: number;
  /** A save, a count or the like is under way. */
  busy: boolean;
  again: boolean;
  finished: boolean;
  dropped: boolean;
}

export function newJob(stored: Stored<JobRecord>, state: JobState, nowMs: number): Job {
  const { jobId, worker = '', phases, stats, timeCancelled, timeInputDoneRead } = stored.value;
  return {
    jobId,
    domain: worker,
    state,
    stateMs: nowMs,
    stored,
    stats: { ...freshStats, ...stats },
    savedStats: JSON.stringify(stats ?? {}),
    savedAtMs: nowMs,
    saving: false,
    phases: phases.map(({ type, count = 1 }) => ({
      isReduce: type === 'reduce',
      reducers: Array.from({ length: type === 'reduce' ? count : 0 }, () => undefined),
      open: 0,
      told: false,
      reducersRefused: false,
    })),
    unfinished: { map: new Map(), reduce: new Map() },
    blockedBy: null,
    inPipeline: 0,
    overflows: false,
    inputsLeft: 0,
    inputEnded: timeInputDoneRead !== undefined,
    stamping: 'no',
    cancelled: timeCancelled ?? null,
    cancelling: false,
    cancelMarked: false,
    cleanedUp: false,
    placing: false,
    writesTo: new Map(),
    marksWait: false,
    removals: 0,
    inHand: 0,
    doubted: false,
    version: 0,
    changedAtMs: nowMs,
    stillLooks: 0,
    nextLookMs: nowMs,
    lastInputMs: nowMs,
    busy: false,
    again: false,
    finished: false,
    dropped: false,
  };
}

/** Something happened to the job. */
export function touch(job: Job, nowMs: number): void {
  job.version++;
  job.changedAtMs = nowMs;
  job.stillLooks = 0;
}

/** Adjusts the hint of a phase; never below zero, where drift would hide later work. */
export function adjustOpen(job: Job, phase: number, by: number): void {
  const state = job.phases[phase];
  if (state !== undefined) state.open = Math.max(0, state.open + by);
}

export function adjustCount(counts: Map<string, number>, key: string, by: number): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next > 0) counts.set(key, next);
  else counts.delete(key);
}

export function lastPhase(job: Job): number {
  return job.phases.length - 1;
}
