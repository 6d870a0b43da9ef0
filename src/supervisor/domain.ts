/**
 * One domain that this process operates: its jobs, its queries, and who handles what they deliver. Nothing outlives a
 * stop, and everything is found again in the store at the next start, here or elsewhere. Jobs are loaded before records
 * that belong to them are asked for, so that a restart does not look up each job by each of its records.
 */
import VError from 'verror';
import { agentChannel, domainChannel, jobChannel, jobsChannel } from '../bus/channels.js';
import type { BatchFence, Bus, Query, Stored, Subscription } from '../bus/types.js';
import type { Clock } from '../common/clock.js';
import { isoTime } from '../common/iso-time.js';
import type { Logger } from '../common/logging.js';
import { and, eq, not, or } from '../moray/client/filter.js';
import type { BucketName } from '../records/buckets.js';
import { taskErrors } from '../records/error-codes.js';
import { isJobRecord, type JobRecord } from '../records/job.js';
import type { JobInputRecord } from '../records/job-input.js';
import { isTaskRecord, type TaskRecord } from '../records/task.js';
import type { TaskInputRecord } from '../records/task-input.js';
import { isTaskOutputRecord, type TaskOutputRecord } from '../records/task-output.js';
import type { HealthTable } from './agents.js';
import type { Tunables } from './config.js';
import type { DomainContext } from './domain-context.js';
import { advance } from './jobs/advance.js';
import { cancelRecords } from './jobs/cancel.js';
import { claimJob, placeReducers, rememberReducers, stampInputs } from './jobs/claim.js';
import { type Job, newJob, touch } from './jobs/job.js';
import { loadJob, loadReducers, recountWindow, writeJob } from './jobs/load.js';
import { mayAdvance } from './jobs/progress.js';
import { asStored, isSaveDue } from './jobs/save.js';
import { JobTable } from './jobs/table.js';
import { jobInputOrigin, taskOutputOrigin } from './pipeline/decide.js';
import type { Finder } from './pipeline/find.js';
import { isAnonymous } from './pipeline/names.js';
import { createPipeline } from './pipeline/pipeline.js';
import { type DomainQuery, domainQueries, ownQueries, type QueryRow } from './queries.js';
import { abandonAll, abandonStale, renewStale } from './tasks/abandon.js';
import { commitDone, moveInput, removeInput, retryTask } from './tasks/handlers.js';
import { markInputsOf, markOutputsOf, pointInputsOfFailed } from './tasks/mark.js';
import { errorRecord, putNew } from './tasks/new-records.js';
import type { Remover } from './tasks/remove.js';

export interface DomainOptions {
  readonly domain: string;
  /** Also takes new jobs. */
  readonly own: boolean;
  readonly tunables: Tunables;
  readonly bus: Bus;
  readonly fence: BatchFence;
  readonly agents: HealthTable;
  readonly mayReturn: (agent: string) => boolean;
  readonly finder: Finder;
  readonly remover: Remover;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface OperatedDomain {
  readonly jobs: JobTable;
  /** Takes new jobs, or does not; only of the own domain. */
  accept(accepts: boolean): void;
  /** Abandons what an agent lost: everything, or what it had accepted before it restarted. */
  sweepAgent(agent: string): void;
  /** An agent lives: what waited for one goes on. */
  agentCame(): void;
  /** Saves, ends input that is idle, looks at jobs that stand still. */
  tick(): void;
  stop(): Promise<void>;
}

const idleTickMs = 1000;
/** Filters name at most so many jobs that are to be left out. */
const namedJobs = 100;

export async function startDomain(options: DomainOptions): Promise<OperatedDomain> {
  const { domain, own, tunables, bus, fence, agents, finder, remover, clock, random, log } = options;
  const subscriptions = new Map<string, Subscription>();
  const working = new Set<Promise<unknown>>();
  /** Inputs of these jobs are being stamped; `again`: more have come since. */
  const stamping = new Map<Job, { again: boolean }>();
  let stopped = false;

  const context: DomainContext = {
    domain,
    tunables,
    log,
    bus,
    agents,
    env: () => ({ nowMs: clock.nowMs(), random }),
    async write(operations, batchOptions = {}) {
      if (stopped) return null;
      try {
        return await bus.batch(operations, { ...batchOptions, fence });
      } catch (error) {
        if (!isLost(error as Error)) throw error;
        log.debug({ err: error }, 'a write lost to another');
        return null;
      }
    },
    wake: (...names) => {
      for (const name of names) subscriptions.get(name)?.wake();
    },
    job: (jobId) => jobs.get(jobId),
    changed: (job) => {
      touch(job, clock.nowMs());
      look(job);
    },
    mayReturn: options.mayReturn,
  };

  const jobs = new JobTable(async (jobId) => {
    const record = await bus.get<JobRecord>('job', jobId);
    if (record === null || record.value.worker !== domain || record.value.state === 'done') return null;
    return take(record);
  });

  /** Work that nobody waits for, so that a stop can. */
  const follow = (what: string, work: Promise<unknown>): void => {
    const followed = work
      .catch((error: unknown) => log.warn({ err: error }, `${what} failed; it is tried again`))
      .finally(() => working.delete(followed));
    working.add(followed);
  };

  const remove = async (job: Job, name: string): Promise<void> => {
    const { auth, options: jobOptions } = job.stored.value;
    const keep = (jobOptions as { keepIntermediate?: boolean } | undefined)?.keepIntermediate === true;
    if (keep || auth === undefined || !isAnonymous(name, job.jobId)) return;
    const removal = await remover.remove(name, auth.token);
    if (removal === 'refused')
      log.error({ jobId: job.jobId, object: name }, 'an intermediate object cannot be removed');
  };

  const pipeline = createPipeline(context, finder, (agent, generation) => {
    const known = agents.get(agent);
    if (known === undefined || known.lost || known.generation !== generation)
      follow('abandoning tasks of an agent', sweepAgent(agent));
  });

  const look = (job: Job): void => {
    if (job.cancelled !== null && !job.cancelMarked && job.inHand === 0) follow('cancelling', cancel(job));
    if (!mayAdvance(job)) return;
    lookNow(job);
  };

  const lookNow = (job: Job): void => {
    if (job.busy) {
      job.again = true;
      return;
    }
    if (stopped || job.finished || job.dropped) return;
    job.busy = true;
    const { version } = job;
    const looking = advance(job, context, remove).then((outcome) => {
      if (outcome === 'done') log.info({ jobId: job.jobId, stats: job.stats }, 'job is done');
      if (outcome === 'done' || outcome === 'lost') jobs.remove(job);
      if (outcome === 'waits' && job.version === version) job.doubted = false;
      if (outcome === 'changed meanwhile') {
        job.doubted = true;
        job.again = true;
      }
    });
    const settled = looking.finally(() => {
      job.busy = false;
      if (!job.again) return;
      job.again = false;
      look(job);
    });
    follow('a look at a job', settled);
  };

  /** Loads a job that belongs to this domain and makes it go on. */
  const take = async (record: Stored<JobRecord>): Promise<Job | null> => {
    const job = await loadJob(record, context);
    if (job === null) return null;
    log.info({ jobId: job.jobId }, 'job is taken up again');
    queueMicrotask(() => begin(job));
    return job;
  };

  const begin = (job: Job): void => {
    follow('placing reducers', placeMissing(job));
    if (job.inputEnded) follow('stamping inputs', stampLate(job));
    if (job.cancelled !== null) follow('cancelling', cancel(job));
    // What came before the job was here was let go.
    context.wake('jobsCancelled', 'jobsEndInput', 'lateInputs', 'jobInputs', 'doneTasks', 'taskOutputs', 'retryTasks');
    context.wake('markOutputs', 'markCleanup', 'markRetry', 'removeInput', 'removeTaskInput', 'moveTaskInputs');
    context.changed(job);
  };

  const claim = async (record: Stored<JobRecord>): Promise<void> => {
    if (jobs.has(record.key)) return;
    const problem = isJobRecord.problem(record.value);
    if (problem !== null) {
      log.error({ jobId: record.key }, `job is left alone: ${problem}`);
      return;
    }
    if (record.value.timeAssigned !== undefined) log.warn({ jobId: record.key }, 'job was assigned, but to nobody');
    let moreInputs = false;
    const claimed = await jobs.load(record.key, async () => {
      const plan = claimJob(record, domain, agents.living(), tunables.maxRecordsPerUpdate, context.env());
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
        subscriptions.get('jobsCreated')?.wake();
        return null;
      }
      moreInputs = (results[1]?.count ?? 0) >= tunables.maxRecordsPerUpdate;
      const job = newJob(asStored(record, plan.value, etag), clock.nowMs());
      rememberReducers(job, plan.reducers);
      log.info({ jobId: job.jobId }, 'job is claimed');
      return job;
    });
    if (claimed === null) return;
    begin(claimed);
    if (moreInputs) follow('stamping inputs', stampLate(claimed));
  };

  const placeMissing = async (job: Job): Promise<void> => {
    const missing = job.phases.flatMap(({ reducers, reducersRefused }, phase) =>
      reducers.flatMap((reducer, index) => (reducer || reducersRefused ? [] : [{ phase, reducer: index }])),
    );
    if (missing.length === 0 || job.cancelled !== null) return;
    const plan = placeReducers(job.stored.value, missing, agents.living(), context.env());
    if (plan.reducers.length === 0) {
      if (!options.mayReturn('')) await refuseReducers(job, missing);
      return;
    }
    const told = new Set(plan.reducers.map(({ agent }) => agent));
    const results = await context.write(plan.operations, {
      notify: [...told].map((agent): readonly [string, readonly BucketName[]] => [agentChannel(agent), ['task']]),
    });
    if (results === null) return loadReducers(job, context); // somebody placed them: this process, before it was killed
    rememberReducers(job, plan.reducers);
    context.wake('jobInputs', 'taskOutputs');
    context.changed(job);
  };

  /** No agent for as long as one is lost: the job ends without these reducers, and its user is told once. */
  const refuseReducers = async (job: Job, missing: readonly { phase: number; reducer: number }[]): Promise<void> => {
    for (const { phase, reducer } of missing) {
      const errorId = `${job.jobId}.${phase}.${reducer}`;
      const error = taskErrors.noServersForReducer(reducer, phase);
      const record = errorRecord({ errorId, jobId: job.jobId, domain, phase, error, nowMs: clock.nowMs() });
      if ((await context.write([putNew('error', errorId, record)])) !== null) job.stats.nErrors++;
      const state = job.phases[phase];
      if (state !== undefined) state.reducersRefused = true;
    }
    context.wake('jobInputs', 'taskOutputs');
    context.changed(job);
  };

  const endInput = async (record: Stored<JobRecord>): Promise<void> => {
    const job = jobs.get(record.key);
    if (job === undefined || job.inputEnded || job.finished) return;
    job.stored = { ...record, value: { ...record.value } };
    const limit = tunables.maxRecordsPerUpdate;
    const timeInputDoneRead = isoTime(clock.nowMs());
    const stamp = stampInputs(job.jobId, domain, limit);
    const results = await writeJob(job, { timeInputDoneRead }, context, [stamp]);
    if (results === null) return;
    let count = results[1]?.count ?? 0;
    context.wake('jobInputs');
    while (count >= limit) count = (await context.write([stamp]))?.[0]?.count ?? 0;
    job.inputEnded = true;
    context.wake('jobInputs');
    context.changed(job);
  };

  /**
   * What is in hand may write records that bear no mark: then all is marked once more when it is through, which `look`
   * sees to.
   */
  const cancel = async (job: Job): Promise<void> => {
    const time = job.cancelled;
    if (time === null || job.cancelMarked || job.cancelling || job.finished) return;
    job.cancelling = true;
    try {
      for (let isQuiet = false; !isQuiet; ) {
        isQuiet = job.inHand === 0;
        if (!(await markCancelled(job, time)) || (!isQuiet && job.inHand > 0)) return;
      }
    } finally {
      job.cancelling = false;
    }
    job.cancelMarked = true;
    job.doubted = true; // hints counted what a cancelled job does not wait for
    context.wake('doneTasks');
    touch(job, clock.nowMs());
    lookNow(job);
  };

  /** @returns whether it could be written. */
  const markCancelled = async (job: Job, time: string): Promise<boolean> => {
    const limit = tunables.maxRecordsPerCancel;
    const notify = agents
      .living()
      .slice(0, namedJobs)
      .map(({ instance }): readonly [string, readonly BucketName[]] => [agentChannel(instance), ['task', 'taskinput']]);
    for (let more = true; more; ) {
      const results = await context.write(cancelRecords(job.jobId, time, limit), { notify });
      if (results === null) return false;
      more = results.some(({ count = 0 }) => count >= limit);
    }
    return true;
  };

  const onCancelled = async (record: Stored<JobRecord>): Promise<void> => {
    const job = jobs.get(record.key);
    if (job === undefined || job.cancelled !== null) return;
    job.cancelled = record.value.timeCancelled ?? isoTime(clock.nowMs());
    log.info({ jobId: job.jobId }, 'job is cancelled');
    await cancel(job);
  };

  const sweepAgent = async (agent: string): Promise<void> => {
    const limit = tunables.maxRecordsPerUpdate;
    for (let more = true; more && !stopped; ) {
      const known = agents.get(agent);
      const tasks = { domain, agent, nowMs: clock.nowMs(), limit };
      const operations =
        known === undefined || known.lost
          ? [abandonAll(tasks)]
          : [abandonStale(tasks, known.generation), renewStale(tasks, known.generation)];
      const notify: (readonly [string, readonly BucketName[]])[] = [[agentChannel(agent), ['task']]];
      const results = await context.write(operations, { notify });
      if (results === null) return;
      if ((results[0]?.count ?? 0) > 0) context.wake('doneTasks');
      more = results.some(({ count = 0 }) => count >= limit);
    }
  };

  /** Records of a job that is here and not cancelled. */
  const ofLive = (jobId: string): Job | undefined => {
    const job = jobs.get(jobId);
    return job === undefined || job.cancelled !== null || job.finished ? undefined : job;
  };
  const valid = (problem: string | null, record: Stored<unknown>): boolean => {
    if (problem !== null) log.warn({ record: `${record.bucket}/${record.key}` }, `record is left alone: ${problem}`);
    return problem === null;
  };
  const onTask =
    (handle: (task: Stored<TaskRecord>, job: Job) => Promise<void>, live = true) =>
    async (task: Stored<TaskRecord>): Promise<void> => {
      if (!valid(isTaskRecord.problem(task.value), task)) return;
      const job = live ? ofLive(task.value.jobId) : jobs.get(task.value.jobId);
      if (job !== undefined) await handle(task, job);
    };
  /** While such a record is in hand, hints lag behind the store: nothing of the job is counted. */
  const counted = (
    handle: (task: Stored<TaskRecord>, job: Job) => Promise<void>,
  ): ((task: Stored<TaskRecord>, job: Job) => Promise<void>) => {
    return (task, job) => inHand(job, () => handle(task, job));
  };
  const inHand = async (job: Job, work: () => Promise<void>): Promise<void> => {
    job.inHand++;
    try {
      await work();
    } finally {
      job.inHand--;
      context.changed(job);
    }
  };

  const handlers: { readonly [Name in DomainQuery]: (record: never) => Promise<void> } = {
    jobsOwned: async (record: Stored<JobRecord>) => {
      if (!jobs.has(record.key)) await jobs.load(record.key, () => take(record));
    },
    jobsCancelled: onCancelled,
    jobsEndInput: endInput,
    lateInputs: async (record: Stored<JobInputRecord>) => {
      const job = ofLive(record.value.jobId);
      if (job !== undefined) await stampLate(job);
    },
    jobInputs: async (record: Stored<JobInputRecord>) => {
      const job = ofLive(record.value.jobId);
      if (job === undefined) return;
      job.lastInputMs = clock.nowMs();
      await pipeline.dispatch(jobInputOrigin(record), job);
    },
    taskOutputs: async (record: Stored<TaskOutputRecord>) => {
      if (!valid(isTaskOutputRecord.problem(record.value), record)) return;
      const job = ofLive(record.value.jobId);
      if (job !== undefined) await pipeline.dispatch(taskOutputOrigin(record), job);
    },
    doneTasks: onTask(
      counted((task, job) => commitDone(task, job, context)),
      false,
    ),
    markOutputs: onTask(counted((task, job) => markOutputsOf(task, job, context, remove))),
    markCleanup: onTask(counted((task, job) => markInputsOf(task, job, context))),
    markRetry: onTask(counted((task, job) => pointInputsOfFailed(task, job, context))),
    retryTasks: onTask(counted((task, job) => retryTask(task, job, context, pipeline))),
    removeInput: onTask((task, job) => removeInput(task, job, context, remove), false),
    removeTaskInput: async (record: Stored<TaskInputRecord>) => {
      const job = jobs.get(record.value.jobId);
      if (job !== undefined) await removeInput(record, job, context, remove);
    },
    moveTaskInputs: async (record: Stored<TaskInputRecord>) => {
      const job = ofLive(record.value.jobId);
      if (job !== undefined) await inHand(job, () => moveInput(record, job, context));
    },
  };

  const subscribe = (key: string, row: QueryRow, onRecord: (record: Stored<never>) => Promise<void>): Subscription => {
    const channels = { jobs: jobsChannel, domains: '', domain: domainChannel(domain) };
    const query: Query<never> = {
      name: row.name,
      bucket: row.bucket,
      filter: () => filterNow(row, domain, jobs.all()),
      channels: row.channels.map((channel) => channels[channel]),
      everyMs: typeof row.everyMs === 'number' ? row.everyMs : tunables[row.everyMs],
      unprovenEveryMs: row.bucket === 'job' && row.channels.length === 0 ? 10_000 : tunables.timePoll,
      onRecord,
    };
    const subscription = bus.subscribe(query);
    subscriptions.set(key, subscription);
    return subscription;
  };

  const accept = (accepts: boolean): void => {
    const current = subscriptions.get('jobsCreated');
    if (accepts && current === undefined) subscribe('jobsCreated', ownQueries.jobsCreated, claim);
    if (!accepts && current !== undefined) {
      current.stop();
      subscriptions.delete('jobsCreated');
    }
  };

  const stampLate = async (job: Job): Promise<void> => {
    const limit = tunables.maxRecordsPerUpdate;
    const under = stamping.get(job);
    if (under !== undefined) {
      under.again = true;
      return;
    }
    const state = { again: false };
    stamping.set(job, state);
    try {
      for (let more = true; more; ) {
        state.again = false;
        const count = (await context.write([stampInputs(job.jobId, domain, limit)]))?.[0]?.count ?? 0;
        if (count > 0) context.wake('jobInputs');
        more = !stopped && (count >= limit || state.again);
      }
    } finally {
      stamping.delete(job);
    }
  };

  let lastStampMs = clock.nowMs();
  const tick = (): void => {
    const nowMs = clock.nowMs();
    const stamps = nowMs - lastStampMs >= tunables.timeMarkInputs;
    if (stamps) lastStampMs = nowMs;
    for (const job of jobs.all()) {
      if (job.finished || job.dropped) continue;
      const idleMs = nowMs - job.lastInputMs;
      if (!job.inputEnded && tunables.timeJobIdleClose > 0 && idleMs > tunables.timeJobIdleClose) {
        job.lastInputMs = nowMs;
        const notify: (readonly [string, readonly BucketName[]])[] = [[domainChannel(domain), ['job']]];
        follow('ending idle input', writeJob(job, { timeInputDone: isoTime(nowMs) }, context, [], notify));
      } else if (isSaveDue(job, tunables.timeJobSave, nowMs) && !job.busy) {
        follow('a save', writeJob(job, {}, context, [], [[jobChannel(job.jobId), ['job']]]));
      }
      // Inputs that a front door wrote in the moment of the claim; none are looked for in a job that stands still.
      const expectsInput = job.inputEnded ? job.inputsLeft > 0 : idleMs < 2 * tunables.timeJobStill;
      if (stamps && expectsInput) follow('stamping inputs', stampLate(job));
      if (nowMs - job.changedAtMs >= tunables.timeJobStill) {
        touch(job, nowMs);
        if (job.blockedBy !== null) follow('counting a window', recountWindow(job, context));
        follow('placing reducers', placeMissing(job));
        if (job.cancelled !== null && !job.cancelMarked) follow('cancelling', cancel(job));
        if (job.inputEnded || job.cancelled !== null) lookNow(job);
      }
    }
  };

  await subscribe(
    'jobsOwned',
    domainQueries.jobsOwned,
    handlers.jobsOwned as (record: Stored<never>) => Promise<void>,
  ).fence();
  for (const [name, row] of Object.entries(domainQueries))
    if (name !== 'jobsOwned')
      subscribe(name, row, handlers[name as DomainQuery] as (record: Stored<never>) => Promise<void>);
  if (own) accept(true);
  for (const { instance } of agents.all()) follow('abandoning tasks of an agent', sweepAgent(instance));
  let cancelTick = clock.after(idleTickMs, function again() {
    tick();
    cancelTick = clock.after(idleTickMs, again);
  });

  return {
    jobs,
    accept,
    sweepAgent: (agent) => follow('abandoning tasks of an agent', sweepAgent(agent)),
    agentCame() {
      context.wake('jobInputs', 'taskOutputs', 'retryTasks');
      for (const job of jobs.all()) follow('placing reducers', placeMissing(job));
    },
    tick,
    async stop() {
      stopped = true;
      cancelTick();
      for (const subscription of subscriptions.values()) subscription.stop();
      for (const job of jobs.all()) jobs.remove(job);
      await Promise.all(working);
    },
  };
}

function isLost(error: Error): boolean {
  return VError.hasCauseWithName(error, 'EtagConflictError') || VError.hasCauseWithName(error, 'FenceLostError');
}

/** Of inputs without a domain, those of our jobs; origins of jobs whose window is full are not even read. */
function filterNow(row: QueryRow, domain: string, jobs: readonly Job[]): string {
  const filter = row.filter(domain);
  if (row === domainQueries.lateInputs) {
    const open = jobs.filter(({ inputEnded, cancelled }) => !inputEnded && cancelled === null).slice(-namedJobs);
    return and(filter, open.length === 0 ? eq('jobId', 'none') : or(...open.map(({ jobId }) => eq('jobId', jobId))));
  }
  if (row !== domainQueries.jobInputs && row !== domainQueries.taskOutputs && row !== domainQueries.retryTasks)
    return filter;
  const blocked = jobs.filter(({ blockedBy }) => blockedBy !== null).slice(0, namedJobs);
  return blocked.length === 0 ? filter : and(filter, ...blocked.map(({ jobId }) => not(eq('jobId', jobId))));
}
