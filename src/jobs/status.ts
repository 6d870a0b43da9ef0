/** A job's state as the public API shows it. Source: spec 07 §5.6. */
import type { JobRecord, JobStats } from '../records/job.js';

export interface JobStatus {
  readonly id: string;
  readonly name: string;
  readonly state: JobRecord['state'];
  readonly cancelled: boolean;
  readonly inputDone: boolean;
  readonly transient: boolean;
  /** Empty until a supervisor has the job. */
  readonly stats: Readonly<Record<string, number>>;
  readonly timeCreated: string;
  readonly timeDone?: string;
  readonly timeArchiveStarted?: string;
  readonly timeArchiveDone?: string;
  readonly phases: readonly object[];
  readonly options?: object;
}

export function jobStatus(job: JobRecord): JobStatus {
  const { timeDone, timeArchiveStarted, timeArchiveDone, options } = job;
  return {
    id: job.jobId,
    name: job.name,
    state: job.state,
    cancelled: Boolean(job.timeCancelled),
    inputDone: Boolean(job.timeInputDone ?? job.timeCancelled),
    transient: job.transient ?? false,
    stats: job.stats === undefined ? {} : publicStats(job.stats),
    timeCreated: job.timeCreated,
    ...(timeDone === undefined ? {} : { timeDone }),
    ...(timeArchiveStarted === undefined ? {} : { timeArchiveStarted }),
    ...(timeArchiveDone === undefined ? {} : { timeArchiveDone }),
    phases: job.phases.map((phase) => (phase.type === 'storage-map' ? { ...phase, type: 'map' } : phase)),
    ...(options === undefined ? {} : { options }),
  };
}

function publicStats(stats: JobStats): Record<string, number> {
  return {
    errors: stats.nErrors ?? 0,
    outputs: stats.nJobOutputs ?? 0,
    retries: stats.nRetries ?? 0,
    tasks: stats.nTasksDispatched ?? 0,
    tasksDone: (stats.nTasksCommittedOk ?? 0) + (stats.nTasksCommittedFail ?? 0),
  };
}
