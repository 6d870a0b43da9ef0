/**
 * What jobs used, as the agent's log says and `mrmeter` adds it up: every task that started has one record of its whole
 * life, and what was written while it ran adds up to that one, in every resource.
 */
import assert from 'node:assert/strict';
import type { Test } from 'tap';
import type { JobCase } from '../live/job-case.js';
import type { DeployedBox } from './deployed-box.js';
import type { FinishedJob } from './jobs.js';

export interface RunCase {
  readonly jobCase: JobCase;
  readonly job: FinishedJob;
}

type Sums = { readonly nrecords: number } & Readonly<Record<string, unknown>>;
type TaskSums = Readonly<Record<string, Sums>>;
type JobSums = Readonly<Record<string, TaskSums>>;

const resources = 'nrecords,time,cpu,memory,vfs,zfs,vnic0';
/** The end of a cancelled task is written when its zone has stopped, which may be after the end of its job. */
const trailingMs = 30_000;

/** A case's job is looked at until its records are right, and fails once no more can be expected. */
export async function verifyMetering(t: Test, box: DeployedBox, log: string, cases: readonly RunCase[]): Promise<void> {
  const endMs = Date.now() + trailingMs;
  for (;;) {
    const [deltas, totals] = await Promise.all([sumsOf(box, log, ''), sumsOf(box, log, '-C')]);
    const problems = cases.flatMap((one) => problemOf(one, deltas[one.job.id] ?? {}, totals[one.job.id] ?? {}));
    if (problems.length > 0 && Date.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      continue;
    }
    t.same(problems, [], `metering of ${cases.length} jobs adds up`);
    return;
  }
}

async function sumsOf(box: DeployedBox, log: string, mode: '' | '-C'): Promise<JobSums> {
  const { status, stdout, stderr } = await box.run(`mrmeter ${mode} -j -k jobid,taskid -r ${resources} ${log}`);
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  return JSON.parse(stdout) as JobSums;
}

function problemOf({ jobCase, job }: RunCase, deltas: TaskSums, totals: TaskSums): readonly string[] {
  try {
    verifyJob(jobCase, job, deltas, totals);
    return [];
  } catch (error) {
    return [`${jobCase.name}: ${(error as Error).message}`];
  }
}

function verifyJob(jobCase: JobCase, job: FinishedJob, deltas: TaskSums, totals: TaskSums): void {
  assert.deepEqual(Object.keys(deltas).sort(), Object.keys(totals).sort(), 'each task has a record of its whole life');
  for (const [task, total] of Object.entries(totals)) {
    assert.equal(total.nrecords, 1, `task ${task} has one record of its whole life`);
    assert.deepEqual({ ...deltas[task], nrecords: 1 }, total, `what task ${task} used while it ran adds up`);
  }
  if (jobCase.options?.includes('frequentCheckpoint'))
    assert.ok(
      Object.values(deltas).some(({ nrecords }) => nrecords > 1),
      'a task was metered while it ran',
    );
  if (jobCase.cancelWhenRunning === true) return;
  const neverStarted = job.errors.filter(({ message }) =>
    /failed to dispatch task|^task aborted because/.test(message),
  ).length;
  const dispatched = job.stats['nTasksDispatched'] ?? 0;
  assert.equal(Object.keys(totals).length, dispatched - neverStarted, 'tasks that started are metered');
}
