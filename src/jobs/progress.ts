/** How far a job is, phase by phase, from counts that the store keeps: no list is read, however large the job. */
import { absent, and, eq, present } from '../moray/client/filter.js';
import type { JobRecord } from '../records/job.js';
import { count, type JobStore } from './store.js';
import { fetchJob } from './updates.js';

export interface PhaseProgress {
  readonly type: 'map' | 'reduce';
  /** Tasks that are known to come, so far: for phase 0 of a map, one per input. */
  readonly expected: number;
  readonly dispatched: number;
  readonly committed: number;
}

export interface JobProgress {
  readonly jobId: string;
  readonly name: string;
  readonly state: string;
  readonly timeCreated: string;
  readonly timeDone: string | null;
  readonly isCancelled: boolean;
  readonly isInputOpen: boolean;
  readonly phases: readonly PhaseProgress[];
  readonly outputs: number;
  readonly errors: number;
  readonly retries: number;
}

export async function jobProgress(store: JobStore, jobId: string): Promise<JobProgress> {
  const { value: job } = await fetchJob(store, jobId);
  const phases = await Promise.all(job.phases.map((_phase, index) => phaseProgress(store, job, index)));
  const { nJobOutputs: outputs = 0, nErrors: errors = 0, nRetries: retries = 0 } = job.stats ?? {};
  return {
    jobId,
    name: job.name,
    state: job.state,
    timeCreated: job.timeCreated,
    timeDone: job.timeDone ?? null,
    isCancelled: job.timeCancelled !== undefined,
    isInputOpen: job.timeInputDone === undefined,
    phases,
    outputs,
    errors,
    retries,
  };
}

async function phaseProgress(store: JobStore, job: JobRecord, phaseNum: number): Promise<PhaseProgress> {
  const { type = 'map' } = job.phases[phaseNum] ?? {};
  const isReduce = type === 'reduce';
  const ours = [eq('jobId', job.jobId), eq('phaseNum', phaseNum)];
  const [dispatched, open, inputs] = await Promise.all([
    count(store, 'task', and(...ours)),
    count(store, 'task', and(...ours, absent('timeCommitted'))),
    phaseNum === 0 && !isReduce ? count(store, 'jobinput', eq('jobId', job.jobId)) : 0,
  ]);
  const isRetried = job.stats !== undefined && (job.stats.nRetries ?? 0) > 0;
  const retried = isRetried ? await count(store, 'task', and(...ours, present('timeRetried'))) : 0;
  const first = dispatched - retried;
  return {
    type: isReduce ? 'reduce' : 'map',
    expected: Math.max(first, inputs),
    dispatched: first,
    committed: Math.max(0, first - open),
  };
}
