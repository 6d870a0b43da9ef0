/**
 * What the scheduler knows. Sets keep the order of insertion, and serve as queues: the first is the oldest.
 */
import { type GroupLoad, type PoolLoad, type ReserveRule, reservedZones } from './shares.js';
import { createSlop, type Slop, type SlopAmount } from './slop.js';

/** What zones of a group need beyond the defaults, out of the common slop. */
export interface GroupNeeds extends SlopAmount {
  readonly id: string;
  /** Map tasks are accepted ahead, within a window; reduce tasks only when they get a zone. */
  readonly acceptAhead: boolean;
  /** Inputs of its tasks may still come, from other groups. */
  readonly isOpen: boolean;
}

/** A zone while it belongs to a group. */
export interface StreamState {
  readonly zone: string;
  readonly group: string;
  /** When it was given its first task; null before. */
  turnSinceMs: number | null;
  phase: 'loading' | 'running' | 'idle';
  /** Set while running. */
  task: string | null;
  taskStartedMs: number;
  idleUntilMs: number;
}

export interface GroupState {
  readonly needs: GroupNeeds;
  /** Runnable tasks that are not accepted yet, and those accepted ahead; neither has a zone. */
  readonly waiting: Set<string>;
  readonly accepted: Set<string>;
  readonly streams: Map<string, StreamState>;
  runningCount: number;
  loadingCount: number;
  isOpen: boolean;
  hogSinceMs: number | null;
  lastKillMs: number | null;
}

export interface SchedulerRules {
  readonly reserve: ReserveRule;
  readonly idleMinMs: number;
  readonly idleMaxMs: number;
  readonly hogGraceMs: number;
  readonly hogKillMs: number;
  /** How long a group keeps its last zone while others wait without any. */
  readonly turnMs: number;
  /** Map tasks accepted ahead, per zone. */
  readonly acceptPerZone: number;
  readonly slop: SlopAmount;
}

export interface SchedulerState {
  readonly rules: SchedulerRules;
  readonly groups: Map<string, GroupState>;
  /** Groups with tasks and without a zone. */
  readonly queue: Set<string>;
  /** Groups whose tasks may be accepted ahead, in turn. */
  readonly turns: Set<string>;
  /** Groups whose tasks may still wait for others. */
  readonly openGroups: Set<string>;
  readonly streams: Map<string, StreamState>;
  /** Zones with an idle stream, idle longest first. */
  readonly idle: Set<string>;
  readonly ready: Set<string>;
  readonly resetting: Set<string>;
  readonly disabled: Set<string>;
  /** Zones to be given up at the next chance, because an operator wants them. */
  readonly quiesced: Set<string>;
  readonly slop: Slop;
  /** Runnable tasks of all groups, running and queued. */
  taskCount: number;
  acceptedCount: number;
}

export function createSchedulerState(rules: SchedulerRules): SchedulerState {
  return {
    rules,
    groups: new Map(),
    queue: new Set(),
    turns: new Set(),
    openGroups: new Set(),
    streams: new Map(),
    idle: new Set(),
    ready: new Set(),
    resetting: new Set(),
    disabled: new Set(),
    quiesced: new Set(),
    slop: createSlop(rules.slop),
    taskCount: 0,
    acceptedCount: 0,
  };
}

export function queuedCount(group: GroupState): number {
  return group.waiting.size + group.accepted.size;
}

export function loadOf(group: GroupState): GroupLoad {
  return { taskCount: group.runningCount + queuedCount(group), streamCount: group.streams.size };
}

export function zoneCount(state: SchedulerState): number {
  return state.ready.size + state.resetting.size + state.streams.size + state.disabled.size;
}

export function reserveOf(state: SchedulerState): number {
  return reservedZones(zoneCount(state) - state.disabled.size, state.rules.reserve);
}

/** Disabled zones are not subtracted: a passing shortage does not take zones from those who have them. */
export function poolLoad(state: SchedulerState): PoolLoad {
  return { taskCount: state.taskCount, capacity: Math.max(0, zoneCount(state) - reserveOf(state)) };
}

export function isSaturated(state: SchedulerState): boolean {
  return state.ready.size <= reserveOf(state);
}
