/**
 * Map tasks are accepted before they have a zone, so that a zone that is done with one has the next at once; within a
 * window, so that what an agent takes with it when it dies stays small.
 */
import type { Action } from './events.js';
import { groupOf } from './groups.js';
import { type SchedulerState, zoneCount } from './state.js';

/** In turn by group, and several at once: only when half of the window is free. */
export function acceptAhead(state: SchedulerState, actions: Action[]): void {
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
