/** What happened to a job, told by the timestamps of its records. Each timestamp is a row. Source: spec 08 §8.2.7. */
import VError from 'verror';
import { and, eq } from '../moray/client/filter.js';
import type { JobRecord } from '../records/job.js';
import type { TaskRecord } from '../records/task.js';
import { type JobStore, search } from './store.js';
import type { LogEvent } from './types.js';

// biome-ignore format: table
const jobEvents: readonly [field: keyof JobRecord, where: string, message: string][] = [
  ['timeCreated',   'user',   'submitted'],
  ['timeInputDone', 'user',   'input done'],
  ['timeCancelled', 'user',   'cancelled'],
  ['timeAssigned',  'marlin', 'assigned'],
  ['timeDone',      'marlin', 'done'],
];
// biome-ignore format: table
const taskEvents: readonly [field: keyof TaskRecord, where: 'marlin' | 'machine', message: string][] = [
  ['timeDispatched', 'marlin',  'dispatched'],
  ['timeInputDone',  'marlin',  'all input ready'],
  ['timeCommitted',  'marlin',  'committed'],
  ['timeStarted',    'machine', 'started'],
  ['timeDone',       'machine', 'done'],
];

export async function* jobLog(store: JobStore, jobId: string): AsyncGenerator<LogEvent> {
  const where = (...more: readonly string[]) => and(eq('jobId', jobId), ...more);
  for await (const { value } of failing('job', search<JobRecord>(store, 'job', where))) {
    for (const [field, who, message] of jobEvents) {
      const time = value[field];
      if (typeof time === 'string') yield { time, what: 'job', where: who, message };
    }
  }
  for await (const { value } of failing('tasks', search<TaskRecord>(store, 'task', where))) {
    const what = `ph${value.phaseNum} ${value.input === undefined ? value.taskId : JSON.stringify(value.input)}`;
    for (const [field, who, message] of taskEvents) {
      const time = value[field];
      const machine = who === 'machine' ? (value.machine ?? 'marlin') : who;
      if (typeof time === 'string') yield { time, what, where: machine, message };
    }
  }
}

async function* failing<Item>(what: string, items: AsyncIterable<Item>): AsyncGenerator<Item> {
  try {
    yield* items;
  } catch (error) {
    throw new VError({ name: 'JobLogError', cause: error as Error }, 'error fetching %s', what);
  }
}
