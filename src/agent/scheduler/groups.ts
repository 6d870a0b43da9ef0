/** Groups and their streams: the changes that can happen to them, each with all the counts that depend on it. */
import assert from 'node:assert/strict';
import type { Action, Lack } from './events.js';
import { announceReturn, grantSlop } from './slop.js';
import { type GroupNeeds, type GroupState, queuedCount, type SchedulerState, type StreamState } from './state.js';

export function streamOf(state: SchedulerState, zone: string): StreamState {
  const stream = state.streams.get(zone);
  assert(stream !== undefined, `zone "${zone}" has no stream`);
  return stream;
}

export function groupOf(state: SchedulerState, id: string): GroupState {
  const group = state.groups.get(id);
  assert(group !== undefined, `no task group "${id}"`);
  return group;
}

export function addTask(state: SchedulerState, needs: GroupNeeds, task: string): GroupState {
  const group = state.groups.get(needs.id) ?? createGroup(state, needs);
  assert(!group.waiting.has(task) && !group.accepted.has(task), `task "${task}" is queued already`);
  if (!needs.isOpen) closeGroup(state, needs.id);
  group.waiting.add(task);
  if (needs.acceptAhead) state.turns.add(needs.id);
  state.taskCount++;
  if (group.streams.size === 0) state.queue.add(needs.id);
  return group;
}

function createGroup(state: SchedulerState, needs: GroupNeeds): GroupState {
  const group: GroupState = {
    needs,
    waiting: new Set(),
    accepted: new Set(),
    streams: new Map(),
    runningCount: 0,
    loadingCount: 0,
    isOpen: needs.isOpen,
    hogSinceMs: null,
    lastKillMs: null,
  };
  state.groups.set(needs.id, group);
  if (group.isOpen) state.openGroups.add(needs.id);
  return group;
}

/** Its tasks wait for nobody any more. Does nothing if the group is not known. */
export function closeGroup(state: SchedulerState, id: string): void {
  const group = state.groups.get(id);
  if (group !== undefined) group.isOpen = false;
  state.openGroups.delete(id);
}

/** Does nothing if the task is not queued (any more). */
export function withdrawTask(state: SchedulerState, id: string, task: string, actions: Action[]): void {
  const group = state.groups.get(id);
  if (group === undefined || !removeQueued(state, group, task)) return;
  state.taskCount--;
  queueOrForget(state, group, actions);
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

export function refuseTasks(state: SchedulerState, group: GroupState, lack: Lack, actions: Action[]): void {
  const tasks = [...group.accepted, ...group.waiting];
  for (const task of tasks) removeQueued(state, group, task);
  state.taskCount -= tasks.length;
  actions.push({ do: 'refuse tasks', tasks, lack });
  queueOrForget(state, group, actions);
}

/** What a group without zones does: it waits as long as it has tasks. */
function queueOrForget(state: SchedulerState, group: GroupState, actions: Action[]): void {
  const { id } = group.needs;
  if (group.streams.size > 0) return;
  if (queuedCount(group) > 0) {
    state.queue.add(id);
    return;
  }
  state.queue.delete(id);
  state.turns.delete(id);
  state.openGroups.delete(id);
  state.groups.delete(id);
  actions.push({ do: 'forget group', group: id });
}

export function createStream(state: SchedulerState, group: GroupState, actions: Action[]): void {
  const [zone] = state.ready;
  assert(zone !== undefined, 'a zone is ready');
  const { id } = group.needs;
  grantSlop(state.slop, zone, group.needs);
  const stream: StreamState = {
    zone,
    group: id,
    turnSinceMs: null,
    phase: 'loading',
    task: null,
    taskStartedMs: 0,
    idleUntilMs: 0,
  };
  state.ready.delete(zone);
  state.queue.delete(id);
  state.streams.set(zone, stream);
  group.streams.set(zone, stream);
  group.loadingCount++;
  actions.push({ do: 'create stream', group: id, zone });
}

/** Takes the oldest task; those that are accepted are older than those that wait. @returns whether there was one. */
export function runNextTask(state: SchedulerState, stream: StreamState, nowMs: number, actions: Action[]): boolean {
  const group = groupOf(state, stream.group);
  const [task] = group.accepted.size > 0 ? group.accepted : group.waiting;
  if (task === undefined) return false;
  removeQueued(state, group, task);
  group.runningCount++;
  stream.phase = 'running';
  stream.task = task;
  stream.taskStartedMs = nowMs;
  stream.turnSinceMs ??= nowMs;
  actions.push({ do: 'run task', group: stream.group, zone: stream.zone, task });
  return true;
}

/** After it the stream neither loads, nor runs a task, nor rests. */
export function endTask(state: SchedulerState, stream: StreamState): void {
  const group = groupOf(state, stream.group);
  if (stream.task !== null) {
    stream.task = null;
    group.runningCount--;
    state.taskCount--;
  }
  if (stream.phase === 'loading') group.loadingCount--;
  state.idle.delete(stream.zone);
  stream.phase = 'running';
}

export function releaseStream(state: SchedulerState, stream: StreamState, actions: Action[]): void {
  const group = groupOf(state, stream.group);
  endTask(state, stream);
  group.streams.delete(stream.zone);
  state.streams.delete(stream.zone);
  state.resetting.add(stream.zone);
  announceReturn(state.slop, stream.zone);
  actions.push({ do: 'release zone', group: stream.group, zone: stream.zone });
  queueOrForget(state, group, actions);
}

/** Whether one more zone would get a task: streams that are being set up will each take one. */
export function canUseZone(group: GroupState): boolean {
  return group.streams.size > 0 && queuedCount(group) > group.loadingCount;
}
