/**
 * Open groups: reducers whose last input is not known yet. They hold their zones while they wait for what tasks of other
 * groups have still to produce. If they held every zone, those tasks would never run, and nobody would ever end: four
 * jobs of two phases are enough for that on a machine of four zones. So they hold at most half of the zones in service;
 * the others of them start when their input is complete. What is not open ends by itself.
 */
import { type GroupState, type SchedulerState, zoneCount } from './state.js';

/** Whether the group may get one more zone. */
export function mayHoldZone(state: SchedulerState, group: GroupState): boolean {
  return !group.isOpen || openZones(state) < openLimit(state);
}

/** Groups without a zone that may have one. */
export function waitingCount(state: SchedulerState): number {
  let open = 0;
  for (const id of state.openGroups) if (state.queue.has(id)) open++;
  if (open === 0) return state.queue.size;
  return state.queue.size - Math.max(0, open - Math.max(0, openLimit(state) - openZones(state)));
}

function openLimit(state: SchedulerState): number {
  return Math.floor((zoneCount(state) - state.disabled.size) / 2);
}

function openZones(state: SchedulerState): number {
  let count = 0;
  for (const id of state.openGroups) count += state.groups.get(id)?.streams.size ?? 0;
  return count;
}
