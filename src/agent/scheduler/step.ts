/**
 * The scheduler: theory of operation. Tasks of one job and phase form a *group*; a zone that belongs to a group is a
 * *stream*, which runs the group's tasks one after another. Handing a zone to another group costs a reset, so a zone
 * stays with its group as long as that is fair.
 *
 *   group:   queued --gets a zone--> running --last zone gone, tasks left--> queued      (forgotten when it has neither)
 *   stream:  loading --set up--> running --no task left--> idle --task comes--> running      any --given up--> zone reset
 *
 * Each event is first entered into the books (groups.ts); then zones are assigned (assign.ts), idle ones given up
 * (give-up.ts), and tasks accepted ahead (accept-ahead.ts). A group that holds too much for long and ends no task has
 * its youngest task killed (hogs.ts).
 *
 * Invariants: (1) a zone belongs to at most one group, and passes from one to another only through a reset; (2) while a
 * zone is ready, no group is without one (but open groups: open-groups.ts); and a group without one gets one within a turn of others and the end of one
 * of their tasks; (3) slop that is granted is there, and comes back with the reset; (4) equal states, events, times and
 * random numbers give equal actions. Nothing here waits or fails: actions are carried out by others, who report by
 * events. Source: spec 05 §4.
 */
import assert from 'node:assert/strict';
import type { Env } from '../../common/clock.js';
import { acceptAhead } from './accept-ahead.js';
import { assignZones } from './assign.js';
import type { Action, SchedulerEvent } from './events.js';
import { giveUpIdle, mustGiveUp } from './give-up.js';
import { addTask, closeGroup, endTask, releaseStream, runNextTask, streamOf, withdrawTask } from './groups.js';
import { markHogs, oldestIdle, releaseHogs, unmarkHogs } from './hogs.js';
import { returnSlop } from './slop.js';
import { isSaturated, type SchedulerState, type StreamState } from './state.js';

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
    case 'task runnable': {
      const group = addTask(state, event.group, event.task);
      const idle = oldestIdle(state, group)[0];
      if (idle !== undefined) advance(state, idle, env, actions);
      break;
    }
    case 'task withdrawn':
      withdrawTask(state, event.group, event.task, actions);
      break;
    case 'group complete':
      closeGroup(state, event.group);
      break;
    case 'stream loaded':
    case 'task ended':
      advance(state, streamOf(state, event.zone), env, actions);
      break;
    case 'stream failed':
      releaseStream(state, streamOf(state, event.zone), actions);
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
    releaseStream(state, stream, actions);
  }
}

function quiesce(state: SchedulerState, zone: string, actions: Action[]): void {
  state.quiesced.add(zone);
  const stream = state.streams.get(zone);
  if (stream?.phase === 'idle') releaseStream(state, stream, actions);
}

const zoneMoves = { 'zone resetting': 'resetting', 'zone ready': 'ready', 'zone disabled': 'disabled' } as const;

function moveZone(state: SchedulerState, event: keyof typeof zoneMoves | 'zone removed', zone: string): void {
  assert(!state.streams.has(zone), `zone "${zone}" belongs to a stream`);
  for (const set of [state.ready, state.resetting, state.disabled]) set.delete(zone);
  if (event !== 'zone resetting') returnSlop(state.slop, zone);
  if (event !== 'zone ready') state.quiesced.delete(zone);
  if (event !== 'zone removed') state[zoneMoves[event]].add(zone);
}

/** After set-up and after each task: the next task, or the end of the stream, or a rest. */
function advance(state: SchedulerState, stream: StreamState, env: Env, actions: Action[]): void {
  endTask(state, stream);
  if (mustGiveUp(state, stream, env.nowMs)) releaseStream(state, stream, actions);
  else if (!runNextTask(state, stream, env.nowMs, actions)) rest(state, stream, env, actions);
}

function rest(state: SchedulerState, stream: StreamState, env: Env, actions: Action[]): void {
  const { idleMinMs, idleMaxMs } = state.rules;
  const idleMs = Math.floor(env.random() * (idleMaxMs - idleMinMs) + idleMinMs);
  if (idleMs === 0) {
    releaseStream(state, stream, actions);
    return;
  }
  stream.phase = 'idle';
  stream.idleUntilMs = env.nowMs + idleMs;
  state.idle.add(stream.zone);
}
