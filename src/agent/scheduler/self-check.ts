/**
 * Counts everything anew and compares: a scheduler that has lost count would give zones to the wrong people, or to
 * nobody. Whoever asks ends the process when this throws: after the restart every count is right again.
 */
import assert from 'node:assert/strict';
import { type GroupState, queuedCount, type SchedulerState } from './state.js';

/** @throws AssertionError */
export function checkState(state: SchedulerState): void {
  let [taskCount, acceptedCount, streamCount] = [0, 0, 0];
  for (const [id, group] of state.groups) {
    checkGroup(state, id, group);
    taskCount += group.runningCount + queuedCount(group);
    acceptedCount += group.accepted.size;
    streamCount += group.streams.size;
  }
  assert.equal(taskCount, state.taskCount, 'checkTaskCount failed: tasks of groups, and tasks counted');
  assert.equal(acceptedCount, state.acceptedCount, 'checkTaskCount failed: accepted tasks');
  assert.equal(streamCount, state.streams.size, 'checkTaskCount failed: streams of groups, and streams');
  for (const id of state.openGroups) assert(state.groups.get(id)?.isOpen === true, `"${id}" is open and is not`);
  for (const set of [state.ready, state.resetting, state.disabled]) {
    for (const zone of set) assert(!state.streams.has(zone), `zone "${zone}" is in use and not in use`);
  }
}

function checkGroup(state: SchedulerState, id: string, group: GroupState): void {
  const streams = [...group.streams.values()];
  const running = streams.filter(({ task }) => task !== null).length;
  const loading = streams.filter(({ phase }) => phase === 'loading').length;
  assert.equal(running, group.runningCount, `checkTaskCount failed: running tasks of "${id}"`);
  assert.equal(loading, group.loadingCount, `checkTaskCount failed: zones that are set up for "${id}"`);
  assert.equal(state.queue.has(id), streams.length === 0, `"${id}" waits if and only if it has no zone`);
  for (const stream of streams) assert.equal(state.streams.get(stream.zone), stream, `stream "${stream.zone}"`);
}
