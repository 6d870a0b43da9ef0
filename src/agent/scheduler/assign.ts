/**
 * Who gets a zone: first the groups that have none, in order of arrival: any ready zone, also a reserved one. Then, from
 * what is not reserved, the group that lacks most of its share; then whoever can use it and would not hold too much.
 *
 * A group without a zone whose memory or disk is not there fails, as on the original: others may hold it for days. It
 * waits only for what comes back anyhow: from zones that are being reset, and from idle ones, which are given up for it.
 * Source: spec 05 §4.3, §4.4 and §4.9.
 */
import type { Action } from './events.js';
import { canUseZone, createStream, groupOf, refuseTasks, releaseStream, streamOf } from './groups.js';
import { mayHoldZone } from './open-groups.js';
import { need, overscheduled } from './shares.js';
import { comingBack, lackOf } from './slop.js';
import { type GroupState, isSaturated, loadOf, poolLoad, type SchedulerState, zoneCount } from './state.js';

export function assignZones(state: SchedulerState, actions: Action[]): void {
  if (zoneCount(state) === 0) {
    for (const id of state.queue) refuseTasks(state, groupOf(state, id), 'zones', actions);
    return;
  }
  for (const id of state.queue) {
    if (state.ready.size === 0) return;
    const group = groupOf(state, id);
    if (!mayHoldZone(state, group)) continue;
    const lack = lackOf(state.slop, group.needs);
    if (lack === null) createStream(state, group, actions);
    else if (!makeRoom(state, group, actions)) refuseTasks(state, group, lack, actions);
  }
  while (!isSaturated(state)) {
    const group = neediest(state);
    if (group === null) return;
    createStream(state, group, actions);
  }
}

/** @returns whether the group's memory and disk are on their way. */
function makeRoom(state: SchedulerState, { needs }: GroupState, actions: Action[]): boolean {
  if (lackOf(state.slop, needs, comingBack(state.slop, new Set())) === null) return true;
  if (lackOf(state.slop, needs, comingBack(state.slop, state.idle)) !== null) return false;
  for (const zone of state.idle) {
    if (state.slop.granted.has(zone)) releaseStream(state, streamOf(state, zone), actions);
  }
  return true;
}

function neediest(state: SchedulerState): GroupState | null {
  const pool = poolLoad(state);
  let best: { readonly group: GroupState; readonly lacking: number } | null = null;
  for (const group of state.groups.values()) {
    if (!canUseZone(group) || !mayHoldZone(state, group) || lackOf(state.slop, group.needs) !== null) continue;
    const load = loadOf(group);
    const lacking = need(load, pool);
    const grown = { taskCount: load.taskCount, streamCount: load.streamCount + 1 };
    if (lacking === 0 && overscheduled(grown, pool) > 0) continue;
    if (best === null || lacking > best.lacking) best = { group, lacking };
  }
  return best?.group ?? null;
}
