/**
 * Ends a task in the agent's place, for development and for a task that nothing else ends. What belongs to the task is
 * written first, then the task, on condition that nobody else has changed it; the supervisor is told.
 */
import VError from 'verror';
import { domainChannel, payloadOf } from '../bus/channels.js';
import { isoTime } from '../common/iso-time.js';
import type { BatchRequest } from '../moray/client/types.js';
import type { TaskRecord } from '../records/task.js';
import type { JobStore } from './store.js';
import type { TaskOutcome } from './types.js';

const portion = 10;

export async function endTask(store: JobStore, taskId: string, outcome: TaskOutcome): Promise<void> {
  const { moray, buckets, clock } = store;
  const { value: task, _etag: etag } = await moray.getObject<TaskRecord>(buckets.task, taskId);
  if (task.state === 'done') throw new VError({ name: 'TaskDoneError' }, 'task is already done');
  const now = isoTime(clock.nowMs());
  const related = 'outputs' in outcome ? outputsOf(store, task, outcome.outputs, now) : [errorOf(store, task, outcome)];
  for (let first = 0; first < related.length; first += portion) {
    await moray.batch(related.slice(first, first + portion));
  }
  const value = {
    ...task,
    state: 'done',
    timeDone: now,
    machine: task.machine ?? 'mrjob_fake_machine',
    timeAccepted: task.timeAccepted ?? now,
    timeStarted: task.timeStarted ?? now,
    ...('outputs' in outcome ? { result: 'ok', nOutputs: outcome.outputs } : { result: 'fail' }),
  };
  await moray.batch([{ operation: 'put', bucket: buckets.task, key: taskId, value, options: { etag } }], {
    notify: [[domainChannel(task.domain), payloadOf(['task'])]],
  });
}

function outputsOf(store: JobStore, task: TaskRecord, count: number, timeCreated: string): readonly BatchRequest[] {
  const { jobId, taskId, phaseNum, domain } = task;
  const value = { jobId, taskId, phaseNum, domain, output: '/nobody/stor/nonexistent', timeCreated };
  return Array.from({ length: count }, () => {
    return { operation: 'put', bucket: store.buckets.taskoutput, key: store.newId(), value };
  });
}

function errorOf(
  store: JobStore,
  task: TaskRecord,
  { code, message }: { code: string; message: string },
): BatchRequest {
  const { jobId, taskId, phaseNum, domain, input, p0input, mantaComputeId, machine } = task;
  const errorId = store.newId();
  const value = {
    ...{ errorId, jobId, phaseNum, domain, errorCode: code, errorMessage: message, input, p0input, taskId },
    ...{ server: mantaComputeId, machine, prevRecordType: 'task', prevRecordId: taskId },
  };
  return { operation: 'put', bucket: store.buckets.error, key: errorId, value };
}
