/** When things happened to the tasks of a job, and what follows from it. A pass over the tasks, whatever their number. */
import { and, eq } from '../moray/client/filter.js';
import type { TaskRecord } from '../records/task.js';
import { type JobStore, search } from './store.js';

/** Milliseconds since the epoch; 0: it has not happened. */
export interface TaskTimes {
  readonly taskId: string;
  readonly mantaComputeId: string;
  readonly machine: string | null;
  readonly phaseNum: number;
  readonly result: 'ok' | 'fail' | null;
  readonly nattempts: number;
  readonly input: string | null;
  readonly dispatched: number;
  readonly accepted: number;
  readonly started: number;
  readonly done: number;
  readonly committed: number;
}

export async function* taskTimes(store: JobStore, jobId: string): AsyncGenerator<TaskTimes> {
  const where = (...more: readonly string[]) => and(eq('jobId', jobId), ...more);
  for await (const { value } of search<TaskRecord>(store, 'task', where)) yield timesOf(value);
}

function timesOf(task: TaskRecord): TaskTimes {
  const ms = (time: string | undefined) => (time === undefined ? 0 : Date.parse(time));
  return {
    taskId: task.taskId,
    mantaComputeId: task.mantaComputeId,
    machine: task.machine ?? null,
    phaseNum: task.phaseNum,
    result: task.result ?? null,
    nattempts: task.nattempts ?? 1,
    input: task.input ?? null,
    dispatched: ms(task.timeDispatched),
    accepted: ms(task.timeAccepted),
    started: ms(task.timeStarted),
    done: ms(task.timeDone),
    committed: ms(task.timeCommitted),
  };
}

/** Counts per power of two, as `quantize` does: bucket 0 holds 0, bucket n the values from 2^(n-1). */
export interface Histogram {
  readonly counts: number[];
  negatives: number;
}

export interface LatencyReport {
  readonly dispatched: number;
  readonly accepted: number;
  readonly started: number;
  readonly done: number;
  readonly committed: number;
  readonly dispatchTime: Histogram;
  readonly queueTime: Histogram;
  readonly executionTime: Histogram;
  readonly commitTime: Histogram;
  /** By execution time, longest first. */
  readonly slowest: readonly TaskTimes[];
}

const slowestCount = 10;

export async function latencyReport(tasks: AsyncIterable<TaskTimes>): Promise<LatencyReport> {
  const counts = { dispatched: 0, accepted: 0, started: 0, done: 0, committed: 0 };
  const histogram = (): Histogram => ({ counts: [], negatives: 0 });
  const times = {
    dispatchTime: histogram(),
    queueTime: histogram(),
    executionTime: histogram(),
    commitTime: histogram(),
  };
  const slowest: TaskTimes[] = [];
  for await (const task of tasks) {
    const { dispatched, accepted, started, done, committed } = task;
    counts.dispatched++;
    for (const step of ['accepted', 'started', 'done', 'committed'] as const) if (task[step] > 0) counts[step]++;
    if (accepted > 0) add(times.dispatchTime, accepted - dispatched);
    if (started > 0 && accepted > 0) add(times.queueTime, started - accepted);
    if (committed > 0 && done > 0) add(times.commitTime, committed - done);
    if (started === 0 || done === 0) continue;
    add(times.executionTime, done - started);
    slowest.push(task);
    slowest.sort((a, b) => b.done - b.started - (a.done - a.started));
    slowest.length = Math.min(slowest.length, slowestCount);
  }
  return { ...counts, ...times, slowest };
}

function add(histogram: Histogram, value: number): void {
  if (value < 0) {
    histogram.negatives++;
    return;
  }
  const bucket = value < 1 ? 0 : Math.floor(Math.log2(value)) + 1;
  while (histogram.counts.length <= bucket) histogram.counts.push(0);
  histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
}

/** @returns its lower bound; the one before the first has -1. */
export function lowerBound(bucket: number): number {
  if (bucket < 0) return -1;
  return bucket === 0 ? 0 : 2 ** (bucket - 1);
}
