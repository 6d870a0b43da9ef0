/**
 * Claiming a job: theory of operation. A new job belongs to nobody; every supervisor may take it into its own domain,
 * and the first conditional write wins. The same batch stamps the inputs that came before the job had a domain, and
 * makes the first attempt of every reducer, for which ids are fixed: so a fresh job is ready to run after one call, and
 * nothing about it needs to be counted.
 */
import type { Operation, Stored } from '../../bus/types.js';
import type { Env } from '../../common/clock.js';
import { isoTime } from '../../common/iso-time.js';
import { absent, and, eq } from '../../moray/client/filter.js';
import { freshStats, type JobRecord } from '../../records/job.js';
import { type AgentChoice, chooseAgent, type Instance } from '../agents.js';
import type { DomainContext } from '../domain-context.js';
import { reducerTaskId } from '../ids.js';
import { type Placement, putNew, reduceTask } from '../tasks/new-records.js';
import { adjustCount, type Job, type Reducer } from './job.js';

export interface Claim {
  readonly value: JobRecord;
  readonly operations: readonly Operation[];
  readonly reducers: readonly PlacedReducer[];
}

export interface PlacedReducer extends Reducer {
  readonly phase: number;
  readonly reducer: number;
}

export function claimJob(
  job: Stored<JobRecord>,
  me: string,
  living: readonly Instance[],
  stampLimit: number,
  loadOf: (agent: string) => number,
  env: Env,
): Claim {
  const value: JobRecord = {
    ...job.value,
    worker: me,
    state: 'running',
    timeAssigned: isoTime(env.nowMs),
    stats: { ...freshStats },
  };
  const missing = value.phases.flatMap(({ type, count = 1 }, phase) =>
    type === 'reduce' ? Array.from({ length: count }, (_, reducer) => ({ phase, reducer })) : [],
  );
  const placed = placeReducers(value, missing, living, loadOf, env);
  return {
    value,
    operations: [
      { op: 'put', bucket: 'job', key: job.key, etag: job.etag, value },
      stampInputs(value.jobId, me, stampLimit),
      ...placed.operations,
    ],
    reducers: placed.reducers,
  };
}

/** Gives a domain to the inputs of a job that have none. To be repeated while it changes `limit` records. */
export function stampInputs(jobId: string, domain: string, limit: number): Operation {
  return {
    op: 'update',
    bucket: 'jobinput',
    filter: and(eq('jobId', jobId), absent('domain')),
    fields: { domain },
    limit,
  };
}

/** First attempts of reducers, wherever somebody lives; nothing when nobody does. */
export function placeReducers(
  job: JobRecord,
  missing: readonly { readonly phase: number; readonly reducer: number }[],
  living: readonly Instance[],
  loadOf: (agent: string) => number,
  env: Env,
): { readonly operations: readonly Operation[]; readonly reducers: readonly PlacedReducer[] } {
  const generations = new Map(living.map(({ instance, generation }) => [instance, generation]));
  const here = new Map<string, number>();
  const busy = (agent: string) => loadOf(agent) + (here.get(agent) ?? 0);
  const reducers = missing.flatMap(({ phase, reducer }) => {
    const taskId = reducerTaskId(job.jobId, phase, reducer);
    const placement = place(generations, {
      candidates: [...generations.keys()],
      loadOf: busy,
      random: env.random,
    });
    if (placement === undefined) return [];
    adjustCount(here, placement.agent, 1);
    return [{ phase, reducer, taskId, ...placement, finished: false }];
  });
  const operations = reducers.map(({ phase, reducer, taskId, agent, generation }) => {
    const plan = { taskId, jobId: job.jobId, domain: job.worker ?? '', phase, reducer, agent, generation, attempt: 1 };
    const task = reduceTask({ ...plan, nowMs: env.nowMs });
    return putNew('task', taskId, { ...task, timeDispatchDone: task.timeDispatched });
  });
  return { operations, reducers };
}

function place(generations: ReadonlyMap<string, string>, choice: AgentChoice): Placement | undefined {
  const agent = chooseAgent(choice);
  const generation = agent === undefined ? undefined : generations.get(agent);
  return agent === undefined || generation === undefined ? undefined : { agent, generation };
}

/** Notes in memory what the store has taken: the tasks of the job's reducers. */
export function rememberReducers(
  job: Job,
  placed: readonly PlacedReducer[],
  { load, taskGiven }: Pick<DomainContext, 'load' | 'taskGiven'>,
): void {
  for (const { phase, reducer, ...task } of placed) {
    const state = job.phases[phase];
    if (state === undefined) continue;
    state.reducers[reducer] = task;
    state.open++;
    load.adjust(job, 'reduce', task.agent, 1);
    job.stats.nTasksDispatched++;
    taskGiven(task);
  }
}
