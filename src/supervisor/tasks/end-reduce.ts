/** Telling reducers how many inputs they get, when all phases before theirs have ended. */
import type { Operation, Stored } from '../../bus/types.js';
import { isoTime } from '../../common/iso-time.js';
import type { TaskRecord } from '../../records/task.js';

/** Whether a reducer still waits to be told. What has failed is told when it runs again. */
export function awaitsEnd(task: TaskRecord): boolean {
  return task.timeInputDone === undefined && task.timeAbandoned === undefined && task.state !== 'done';
}

export function endInput(task: Stored<TaskRecord>, inputCount: number, nowMs: number): Operation & { op: 'put' } {
  const { bucket, key, etag, value } = task;
  return { op: 'put', bucket, key, etag, value: { ...value, timeInputDone: isoTime(nowMs), nInputs: inputCount } };
}

/** The agent wrote meanwhile: its fields stay. What has ended meanwhile is written back as it is. */
export function mergeEnd(mine: TaskRecord, stored: TaskRecord): TaskRecord {
  if (!awaitsEnd(stored) || mine.timeInputDone === undefined || mine.nInputs === undefined) return stored;
  return { ...stored, timeInputDone: mine.timeInputDone, nInputs: mine.nInputs };
}
