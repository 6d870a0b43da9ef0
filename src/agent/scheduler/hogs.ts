/**
 * Hogs: groups that hold more zones than the others' shares leave them. A hog gives zones up by itself at the end of
 * each task; only one whose tasks run very long must be helped: after a grace time its youngest task, which has least
 * to lose, is killed, and runs again elsewhere. Source: spec 05 §4.7.
 */
import { overscheduled } from './shares.js';
import { type GroupState, loadOf, poolLoad, type SchedulerState, type StreamState } from './state.js';

export function markHogs(state: SchedulerState, nowMs: number): void {
  const pool = poolLoad(state);
  for (const group of state.groups.values()) {
    if (overscheduled(loadOf(group), pool) === 0) group.hogSinceMs = null;
    else group.hogSinceMs ??= nowMs;
  }
}

export function unmarkHogs(state: SchedulerState): void {
  for (const group of state.groups.values()) group.hogSinceMs = null;
}

export interface Released {
  readonly stream: StreamState;
  /** The task that is killed for it. */
  readonly kill: string | null;
}

/** Streams to end now: idle ones whose time is over, idle ones of hogs, and running ones of old hogs. */
export function releaseHogs(state: SchedulerState, nowMs: number): Released[] {
  const released: Released[] = [];
  for (const zone of state.idle) {
    const stream = state.streams.get(zone);
    if (stream !== undefined && stream.idleUntilMs <= nowMs) released.push({ stream, kill: null });
  }
  const pool = poolLoad(state);
  for (const group of state.groups.values()) {
    if (group.hogSinceMs === null) continue;
    const gone = released.filter(({ stream }) => stream.group === group.needs.id).length;
    const load = loadOf(group);
    const surplus = overscheduled({ ...load, streamCount: load.streamCount - gone }, pool);
    released.push(...surplusOf(state, group, surplus, nowMs, released));
  }
  return released;
}

function surplusOf(
  state: SchedulerState,
  group: GroupState,
  surplus: number,
  nowMs: number,
  already: readonly Released[],
): Released[] {
  const idle = oldestIdle(state, group)
    .filter((stream) => !already.some((one) => one.stream === stream))
    .map((stream) => ({ stream, kill: null }));
  if (idle.length >= surplus) return idle.slice(0, surplus);
  if (!mayKill(state, group, nowMs)) return idle;
  const [youngest] = [...group.streams.values()]
    .filter((stream) => stream.task !== null)
    .sort((left, right) => right.taskStartedMs - left.taskStartedMs);
  if (youngest === undefined) return idle;
  group.lastKillMs = nowMs;
  return [...idle, { stream: youngest, kill: youngest.task }];
}

/** Idle streams of a group, idle longest first. */
export function oldestIdle(state: SchedulerState, group: GroupState): StreamState[] {
  const idle: StreamState[] = [];
  for (const zone of state.idle) {
    const stream = group.streams.get(zone);
    if (stream !== undefined) idle.push(stream);
  }
  return idle;
}

function mayKill(state: SchedulerState, group: GroupState, nowMs: number): boolean {
  const { hogGraceMs, hogKillMs } = state.rules;
  if (group.hogSinceMs === null || nowMs - group.hogSinceMs < hogGraceMs) return false;
  return group.lastKillMs === null || nowMs - group.lastKillMs >= hogKillMs;
}
