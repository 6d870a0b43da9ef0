/**
 * The scheduler: theory of operation. Tasks of one job and phase form a *group*; a zone that belongs to a group is a
 * *stream*, which runs the group's tasks one after another. Handing a zone to another group costs a reset, so a zone
 * stays with its group as long as that is fair.
 *
 *   group:   queued --gets a zone--> running --last zone gone, tasks left--> queued      (forgotten when it has neither)
 *   stream:  loading --set up--> running --no task left--> idle --task comes--> running      any --given up--> zone reset
 *
 * Who gets a zone? First the groups that have none, in order of arrival: any ready zone, also a reserved one. Then, from
 * what is not reserved, the group that lacks most of its share; then whoever can use it. Who gives one up? At the end of
 * a task, a stream of a group that holds more than the others' shares leave it. Idle streams: the oldest, at once, when
 * a group waits or fewer zones are ready (or on their way) than the reserve; else when their time is over. A group that
 * holds too much for long and ends no task has its youngest task killed.
 *
 * Invariants: (1) a zone belongs to at most one group, and passes from one to another only through a reset; (2) a
 * waiting group gets a zone within one task of somebody else, or one kill; (3) equal states, events, times and random
 * numbers give equal actions. Nothing here waits or fails: actions are carried out by others, who report by events.
 * Source: chapter 5, section 4.
 */
import assert from 'node:assert/strict';
import type { Env } from '../../common/clock.js';
import { markHogs, releaseHogs, unmarkHogs } from './hogs.js';
import { need, overscheduled, share } from './shares.js';
import {
  type GroupNeeds,
  type GroupState,
  isSaturated,
  loadOf,
  poolLoad,
  queuedCount,
  reserveOf,
  type SchedulerState,
  type StreamState,
  zoneCount,
} from './state.js';

export type SchedulerEvent =
  /** A task can run: first of its group or not. */
  | { readonly event: 'task runnable'; readonly group: GroupNeeds; readonly task: string }
  /** A task without a zone is gone: cancelled, failed, or not ours after all. */
  | { readonly event: 'task withdrawn'; readonly group: string; readonly task: string }
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
  | { readonly do: 'refuse tasks'; readonly tasks: readonly string[]; readonly lack: 'memory' | 'disk' }
  | { readonly do: 'forget group'; readonly group: string };

/** Changes `state`. @returns what is to be done, in this order. */
export function step(state: SchedulerState, event: SchedulerEvent, env: Env): Action[] {
  const actions: Action[] = [];
  const wasSaturated = isSaturated(state);
  take(state, event, env, actions);
  assignZones(state, actions);
  giveUpIdle(state, actions);
  acceptAhead(state, actions);
  const saturated = isSaturated(state);
  if (wasSaturated && !saturated) unmarkHogs(state);
  if (!wasSaturated && saturated) markHogs(state, env.nowMs);
  return actions;
}

function take(state: SchedulerState, event: SchedulerEvent, env: Env, actions: Action[]): void {
  switch (event.event) {
    case 'task runnable':
      addTask(state, event.group, event.task, env, actions);
      break;
    case 'task withdrawn':
      withdrawTask(state, event.group, event.task, actions);
      break;
    case 'stream loaded':
    case 'task ended':
      advance(state, streamOf(state, event.zone), env, actions);
      break;
    case 'stream failed':
      release(state, streamOf(state, event.zone), actions);
      break;
    case 'hog check':
      endHogs(state, env.nowMs, actions);
      break;
    case 'zone quiesced':
      quiesce(state, event.zone, actions);
      break;
    default:
      moveZone(state, event.event, event.zone);
  }
}

function endHogs(state: SchedulerState, nowMs: number, actions: Action[]): void {
  markHogs(state, nowMs);
  for (const { stream, kill } of releaseHogs(state, nowMs)) {
    if (kill !== null) actions.push({ do: 'kill task', group: stream.group, zone: stream.zone, task: kill });
    release(state, stream, actions);
  }
}

function quiesce(state: SchedulerState, zone: string, actions: Action[]): void {
  state.quiesced.add(zone);
  const stream = state.streams.get(zone);
  if (stream?.phase === 'idle') release(state, stream, actions);
}

const zoneMoves = { 'zone resetting': 'resetting', 'zone ready': 'ready', 'zone disabled': 'disabled' } as const;

function moveZone(state: SchedulerState, event: keyof typeof zoneMoves | 'zone removed', zone: string): void {
  assert(!state.streams.has(zone), `zone "${zone}" belongs to a stream`);
  for (const set of [state.ready, state.resetting, state.disabled]) set.delete(zone);
  if (event !== 'zone resetting') returnSlop(state, zone);
  if (event !== 'zone ready') state.quiesced.delete(zone);
  if (event !== 'zone removed') state[zoneMoves[event]].add(zone);
}

function returnSlop(state: SchedulerState, zone: string): void {
  const granted = state.granted.get(zone);
  if (granted === undefined) return;
  state.granted.delete(zone);
  state.memoryUsedMb -= granted.memoryMb;
  state.diskUsedGb -= granted.diskGb;
}

function streamOf(state: SchedulerState, zone: string): StreamState {
  const stream = state.streams.get(zone);
  assert(stream !== undefined, `zone "${zone}" has no stream`);
  return stream;
}

function groupOf(state: SchedulerState, id: string): GroupState {
  const group = state.groups.get(id);
  assert(group !== undefined, `no task group "${id}"`);
  return group;
}

function addTask(state: SchedulerState, needs: GroupNeeds, task: string, env: Env, actions: Action[]): void {
  let group = state.groups.get(needs.id);
  if (group === undefined) {
    group = {
      needs,
      waiting: new Set(),
      accepted: new Set(),
      streams: new Map(),
      runningCount: 0,
      loadingCount: 0,
      hogSinceMs: null,
      lastKillMs: null,
    };
    state.groups.set(needs.id, group);
  }
  assert(!group.waiting.has(task) && !group.accepted.has(task), `task "${task}" is queued already`);
  group.waiting.add(task);
  if (needs.acceptAhead) state.turns.add(needs.id);
  state.taskCount++;
  if (group.streams.size === 0) state.queue.add(needs.id);
  const idle = [...group.streams.values()].find((stream) => stream.phase === 'idle');
  if (idle !== undefined) advance(state, idle, env, actions);
}

function withdrawTask(state: SchedulerState, id: string, task: string, actions: Action[]): void {
  const group = state.groups.get(id);
  if (group === undefined || !removeQueued(state, group, task)) return;
  state.taskCount--;
  forgetIfEmpty(state, group, actions);
}

function removeQueued(state: SchedulerState, group: GroupState, task: string): boolean {
  if (group.accepted.delete(task)) {
    state.acceptedCount--;
    return true;
  }
  const removed = group.waiting.delete(task);
  if (group.waiting.size === 0) state.turns.delete(group.needs.id);
  return removed;
}

function forgetIfEmpty(state: SchedulerState, group: GroupState, actions: Action[]): void {
  if (queuedCount(group) > 0 && group.streams.size > 0) return;
  state.queue.delete(group.needs.id);
  if (group.streams.size > 0) return;
  if (queuedCount(group) > 0) {
    state.queue.add(group.needs.id);
    return;
  }
  state.turns.delete(group.needs.id);
  state.groups.delete(group.needs.id);
  actions.push({ do: 'forget group', group: group.needs.id });
}

/** After set-up and after each task: the next task, or the end of the stream, or a rest. */
function advance(state: SchedulerState, stream: StreamState, env: Env, actions: Action[]): void {
  const group = groupOf(state, stream.group);
  endTask(state, group, stream);
  const stop = state.quiesced.has(stream.zone) || overscheduled(loadOf(group), poolLoad(state)) > 0;
  const [task] = group.accepted.size > 0 ? group.accepted : group.waiting;
  if (stop) {
    release(state, stream, actions);
    return;
  }
  if (task !== undefined) {
    removeQueued(state, group, task);
    group.runningCount++;
    stream.phase = 'running';
    stream.task = task;
    stream.taskStartedMs = env.nowMs;
    actions.push({ do: 'run task', group: stream.group, zone: stream.zone, task });
    return;
  }
  const { idleMinMs, idleMaxMs } = state.rules;
  const idleMs = Math.floor(env.random() * (idleMaxMs - idleMinMs) + idleMinMs);
  if (idleMs === 0) {
    release(state, stream, actions);
    return;
  }
  stream.phase = 'idle';
  stream.idleUntilMs = env.nowMs + idleMs;
  state.idle.add(stream.zone);
}

function endTask(state: SchedulerState, group: GroupState, stream: StreamState): void {
  if (stream.task !== null) {
    stream.task = null;
    group.runningCount--;
    state.taskCount--;
  }
  if (stream.phase === 'loading') group.loadingCount--;
  state.idle.delete(stream.zone);
  stream.phase = 'running';
}

function release(state: SchedulerState, stream: StreamState, actions: Action[]): void {
  const group = groupOf(state, stream.group);
  endTask(state, group, stream);
  group.streams.delete(stream.zone);
  state.streams.delete(stream.zone);
  state.resetting.add(stream.zone);
  actions.push({ do: 'release zone', group: stream.group, zone: stream.zone });
  forgetIfEmpty(state, group, actions);
}

function createStream(state: SchedulerState, group: GroupState, actions: Action[]): void {
  const [zone] = state.ready;
  assert(zone !== undefined, 'a zone is ready');
  const { id, memoryMb, diskGb } = group.needs;
  const stream: StreamState = { zone, group: id, phase: 'loading', task: null, taskStartedMs: 0, idleUntilMs: 0 };
  state.ready.delete(zone);
  state.queue.delete(id);
  state.streams.set(zone, stream);
  group.streams.set(zone, stream);
  group.loadingCount++;
  state.granted.set(zone, { memoryMb, diskGb });
  state.memoryUsedMb += memoryMb;
  state.diskUsedGb += diskGb;
  actions.push({ do: 'create stream', group: id, zone });
}

function lackOf(state: SchedulerState, needs: GroupNeeds): 'memory' | 'disk' | null {
  if (needs.memoryMb > 0 && needs.memoryMb > state.rules.memorySlopMb - state.memoryUsedMb) return 'memory';
  if (needs.diskGb > 0 && needs.diskGb > state.rules.diskSlopGb - state.diskUsedGb) return 'disk';
  return null;
}

function assignZones(state: SchedulerState, actions: Action[]): void {
  for (const id of state.queue) {
    if (state.ready.size === 0) return;
    const group = groupOf(state, id);
    const lack = lackOf(state, group.needs);
    if (lack === null) createStream(state, group, actions);
    else refuse(state, group, lack, actions);
  }
  while (!isSaturated(state)) {
    const group = neediest(state);
    if (group === null) return;
    createStream(state, group, actions);
  }
}

function refuse(state: SchedulerState, group: GroupState, lack: 'memory' | 'disk', actions: Action[]): void {
  const tasks = [...group.accepted, ...group.waiting];
  for (const task of tasks) removeQueued(state, group, task);
  state.taskCount -= tasks.length;
  actions.push({ do: 'refuse tasks', tasks, lack });
  forgetIfEmpty(state, group, actions);
}

/** Whom one more zone would help most: first by what is lacking of the share, then anyone who would not hold too much. */
function neediest(state: SchedulerState): GroupState | null {
  const pool = poolLoad(state);
  let best: { readonly group: GroupState; readonly lacking: number } | null = null;
  for (const group of state.groups.values()) {
    if (!canUseZone(group) || lackOf(state, group.needs) !== null) continue;
    const load = loadOf(group);
    const lacking = need(load, pool);
    const grown = { taskCount: load.taskCount, streamCount: load.streamCount + 1 };
    if (lacking === 0 && overscheduled(grown, pool) > 0) continue;
    if (best === null || lacking > best.lacking) best = { group, lacking };
  }
  return best?.group ?? null;
}

/** Streams that are being set up will each take a task. */
function canUseZone(group: GroupState): boolean {
  return group.streams.size > 0 && queuedCount(group) > group.loadingCount;
}

function giveUpIdle(state: SchedulerState, actions: Action[]): void {
  if (state.idle.size === 0) return;
  let missing = state.queue.size + reserveOf(state) - state.ready.size - state.resetting.size;
  for (const zone of state.idle) {
    if (missing <= 0) break;
    release(state, streamOf(state, zone), actions);
    missing--;
  }
  if (state.idle.size === 0) return;
  const pool = poolLoad(state);
  for (const group of state.groups.values()) {
    if (canUseZone(group)) missing += Math.max(0, share(loadOf(group), pool) - group.streams.size);
  }
  for (const zone of state.idle) {
    if (missing <= 0) return;
    const stream = streamOf(state, zone);
    if (overscheduled(loadOf(groupOf(state, stream.group)), pool) === 0) continue;
    release(state, stream, actions);
    missing--;
  }
}

/** In turn by group, and several at once: only when half of the window is free. */
function acceptAhead(state: SchedulerState, actions: Action[]): void {
  if (state.turns.size === 0) return;
  const window = state.rules.acceptPerZone * (zoneCount(state) - state.disabled.size);
  if (state.acceptedCount > window / 2) return;
  const tasks: string[] = [];
  while (state.acceptedCount < window) {
    const [id] = state.turns;
    if (id === undefined) break;
    const group = groupOf(state, id);
    const [task] = group.waiting;
    state.turns.delete(id);
    if (task === undefined) continue;
    group.waiting.delete(task);
    group.accepted.add(task);
    state.acceptedCount++;
    if (group.waiting.size > 0) state.turns.add(id);
    tasks.push(task);
  }
  if (tasks.length > 0) actions.push({ do: 'accept tasks', tasks });
}
