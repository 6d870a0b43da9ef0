/** How jobs come into a domain: new ones are claimed, those that ran before are loaded; then they begin. */
import { agentChannel, jobChannel } from '../../bus/channels.js';
import type { Stored } from '../../bus/types.js';
import type { BucketName } from '../../records/buckets.js';
import { taskErrors } from '../../records/error-codes.js';
import type { JobRecord } from '../../records/job.js';
import type { DomainContext } from '../domain-context.js';
import { refusalId } from '../ids.js';
import { errorRecord, putNew } from '../tasks/new-records.js';
import { cancelJob } from './cancel.js';
import { claimJob, placeReducers, rememberReducers } from './claim.js';
import { stampLate } from './input.js';
import { type Job, newJob } from './job.js';
import { loadJob, loadPlaces, writeJob } from './load.js';
import { asStored } from './save.js';
import type { Gone, Unsettled } from './table.js';
import { moveTo } from './transition.js';

/** A new job of nobody: tried for when it is our turn; the first conditional write wins. */
export async function claim(record: Stored<JobRecord>, context: DomainContext): Promise<void> {
  const { jobs, tunables } = context;
  if (jobs.has(record.key) || !context.turns.isDue(record.key)) return;
  if (record.value.timeAssigned !== undefined)
    context.log.warn({ jobId: record.key }, 'job was assigned, but to nobody');
  let moreInputs = false;
  const claimed = await jobs.load(record.key, async () => {
    const loadOf = (agent: string) => context.load.of(agent);
    const living = context.agents.living();
    const plan = claimJob(record, context.domain, living, tunables.maxRecordsPerUpdate, loadOf, context.env());
    const told = new Set(plan.reducers.map(({ agent }) => agentChannel(agent)));
    const results = await context.write(plan.operations, {
      notify: [
        [jobChannel(record.key), ['job']],
        ...[...told].map((channel): readonly [string, readonly BucketName[]] => [channel, ['task']]),
      ],
    });
    const etag = results?.[0]?.etag;
    if (results === null || etag === undefined) {
      // Another took it, or its user wrote it meanwhile and it is still to be had.
      context.counters.claimsLost++;
      context.wake('jobsCreated');
      return 'not ours';
    }
    moreInputs = (results[1]?.count ?? 0) >= tunables.maxRecordsPerUpdate;
    const { nowMs } = context.env();
    const job = newJob(asStored(record, plan.value, etag), 'unassigned', nowMs);
    rememberReducers(job, plan.reducers, context);
    context.counters.jobsClaimed++;
    moveTo(job, 'running', 'claimed', nowMs, context.log);
    return job;
  });
  if (claimed === null) return;
  begin(claimed, context);
  if (moreInputs) context.follow('stamping inputs', stampLate(claimed, context));
}

/** Loads a job that belongs to this domain and makes it go on. */
export async function takeUp(record: Stored<JobRecord>, context: DomainContext): Promise<Job | Gone | Unsettled> {
  const job = await loadJob(record, context);
  if (typeof job === 'string') return job;
  context.counters.jobsTakenUp++;
  moveTo(job, 'running', 'loaded', context.env().nowMs, context.log);
  queueMicrotask(() => begin(job, context));
  return job;
}

function begin(job: Job, context: DomainContext): void {
  if (context.isStopped) return;
  context.follow('placing reducers', placeMissing(job, context));
  if (job.inputEnded) context.follow('stamping inputs', stampLate(job, context));
  if (job.cancelled !== null) context.follow('cancelling', cancelJob(job, context));
  // What came before the job was here was let go.
  context.wake('jobsCancelled', 'jobsEndInput', 'lateInputs', 'jobInputs', 'doneTasks', 'taskOutputs', 'retryTasks');
  context.wake('markOutputs', 'markCleanup', 'markRetry', 'removeInput', 'removeTaskInput', 'moveTaskInputs');
  context.changed(job);
}

interface Place {
  readonly phase: number;
  readonly reducer: number;
}

/** Gives an agent to each reducer that has none, if any lives. */
export async function placeMissing(job: Job, context: DomainContext): Promise<void> {
  const missing = job.phases.flatMap(({ reducers, reducersRefused }, phase) =>
    reducers.flatMap((reducer, index) => (reducer || reducersRefused ? [] : [{ phase, reducer: index }])),
  );
  if (missing.length === 0 || job.placing || job.cancelled !== null) return;
  if (context.agents.living().length === 0 && context.mayReturn('')) return;
  // Not twice at a time: of two equal records nobody could tell who wrote them. In hand, so that a cancellation that
  // comes meanwhile marks these tasks too.
  job.placing = true;
  job.inHand++;
  try {
    if (context.agents.living().length > 0) await place(job, missing, context);
    else await refuseReducers(job, missing, context);
  } finally {
    job.placing = false;
    job.inHand--;
    context.changed(job);
  }
}

async function place(job: Job, missing: readonly Place[], context: DomainContext): Promise<void> {
  const loadOf = (agent: string) => context.load.of(agent);
  const plan = placeReducers(job.stored.value, missing, context.agents.living(), loadOf, context.env());
  const told = new Set(plan.reducers.map(({ agent }) => agent));
  const notify = [...told].map((agent): readonly [string, readonly BucketName[]] => [agentChannel(agent), ['task']]);
  // With the job's record, which whoever takes the job up writes before it looks which reducers there are.
  const placed = await writeJob(job, {}, context, plan.operations, notify);
  if (placed === null) return loadPlaces(job, context); // it may have been done, and the answer was lost
  rememberReducers(job, plan.reducers, context);
  context.wake('jobInputs', 'taskOutputs');
}

/** No agent for as long as one is lost: the job ends without these reducers, and its user is told once. */
async function refuseReducers(job: Job, missing: readonly Place[], context: DomainContext): Promise<void> {
  const { domain } = context;
  const { nowMs } = context.env();
  const refusals = missing.map(({ phase, reducer }) => {
    const errorId = refusalId(job.jobId, phase, reducer);
    const error = taskErrors.noServersForReducer(reducer, phase);
    return putNew('error', errorId, errorRecord({ errorId, jobId: job.jobId, domain, phase, error, nowMs }));
  });
  if ((await writeJob(job, {}, context, refusals)) === null) return loadPlaces(job, context);
  job.stats.nErrors += refusals.length;
  for (const { phase } of missing) {
    const state = job.phases[phase];
    if (state !== undefined) state.reducersRefused = true;
  }
  context.wake('jobInputs', 'taskOutputs');
}
