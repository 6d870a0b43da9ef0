/**
 * Who gives a zone up. At the end of a task: a stream whose zone an operator wants; one of a group that holds more than
 * the others' shares leave it; and, when groups wait without a zone and none is on its way to them, any stream whose
 * group has had the zone for its turn: else more groups than zones would mean that some wait until others are finished.
 * Idle streams: the oldest, at once, when a group waits or fewer zones are ready (or on their way) than the reserve, or
 * when others lack what their group holds too much. A group that has nothing to do holds each of its zones too many: the
 * one zone of hysteresis is for those who are busy. Source: spec 05 §4.5.
 */
import type { Action } from './events.js';
import { canUseZone, groupOf, releaseStream, streamOf } from './groups.js';
import { mayHoldZone, waitingCount } from './open-groups.js';
import { overscheduled, share } from './shares.js';
import { loadOf, poolLoad, reserveOf, type SchedulerState, type StreamState } from './state.js';

export function mustGiveUp(state: SchedulerState, stream: StreamState, nowMs: number): boolean {
  if (state.quiesced.has(stream.zone)) return true;
  if (overscheduled(loadOf(groupOf(state, stream.group)), poolLoad(state)) > 0) return true;
  const someoneWaits = waitingCount(state) > state.ready.size + state.resetting.size;
  return someoneWaits && stream.turnSinceMs !== null && nowMs - stream.turnSinceMs >= state.rules.turnMs;
}

export function giveUpIdle(state: SchedulerState, actions: Action[]): void {
  if (state.idle.size === 0) return;
  let missing = waitingCount(state) + reserveOf(state) - state.ready.size - state.resetting.size;
  for (const zone of state.idle) {
    if (missing <= 0) break;
    releaseStream(state, streamOf(state, zone), actions);
    missing--;
  }
  if (state.idle.size === 0) return;
  const pool = poolLoad(state);
  for (const group of state.groups.values()) {
    if (canUseZone(group) && mayHoldZone(state, group))
      missing += Math.max(0, share(loadOf(group), pool) - group.streams.size);
  }
  for (const zone of state.idle) {
    if (missing <= 0) return;
    const stream = streamOf(state, zone);
    const load = loadOf(groupOf(state, stream.group));
    if (load.taskCount > 0 && overscheduled(load, pool) === 0) continue;
    releaseStream(state, stream, actions);
    missing--;
  }
}
