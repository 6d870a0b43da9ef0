/**
 * One domain that this process operates: its jobs, its queries (domain-subscriptions.ts) and who handles what they
 * deliver (record-handlers.ts). Nothing outlives a stop, and everything is found again in the store at the next start,
 * here or elsewhere. Jobs are loaded before records that belong to them are asked for, so that a restart does not look up
 * each job by each of its records.
 */
import VError from 'verror';
import type { BatchFence, Bus } from '../bus/types.js';
import { type Clock, isWithin } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import type { JobRecord } from '../records/job.js';
import type { HealthTable } from './agents.js';
import type { Tunables } from './config.js';
import type { Counters } from './counters.js';
import type { DomainContext } from './domain-context.js';
import { createSubscriptions } from './domain-subscriptions.js';
import { markStragglers } from './jobs/cancel.js';
import { type Job, touch } from './jobs/job.js';
import { lookIfHinted, lookNow, removeJob } from './jobs/look.js';
import { type Gone, JobTable, type Unsettled } from './jobs/table.js';
import { placeMissing, takeUp } from './jobs/take-up.js';
import { tickJobs } from './jobs/tick.js';
import { createTurns } from './jobs/turns.js';
import type { Finder } from './pipeline/find.js';
import { AgentLoad } from './pipeline/load.js';
import { isAnonymous } from './pipeline/names.js';
import { createPipeline } from './pipeline/pipeline.js';
import { type DomainQuery, domainQueries, ownQueries } from './queries.js';
import { recordHandlers } from './record-handlers.js';
import { SetAside } from './set-aside.js';
import type { Remover } from './tasks/remove.js';
import { sweepAgent } from './tasks/sweep.js';

export interface DomainOptions {
  readonly domain: string;
  /** Also takes new jobs. */
  readonly own: boolean;
  readonly tunables: Tunables;
  readonly bus: Bus;
  readonly fence: BatchFence;
  readonly agents: HealthTable;
  /** Other supervisors that live. */
  readonly peers: () => readonly string[];
  readonly mayReturn: (agent: string) => boolean;
  readonly finder: Finder;
  readonly remover: Pick<Remover, 'remove'>;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface OperatedDomain {
  readonly jobs: JobTable;
  /** Records in the pipeline, and records that are set aside. */
  readonly gauges: { readonly inPipeline: number; readonly setAside: number };
  /** Takes new jobs, or does not; only of the own domain. */
  accept(accepts: boolean): void;
  /** Abandons what an agent lost: everything, or what it had accepted before it restarted. */
  sweepAgent(agent: string): void;
  /** An agent lives: what waited for one goes on. */
  agentCame(): void;
  stop(): Promise<void>;
}

const tickMs = 1000;

export async function startDomain(options: DomainOptions): Promise<OperatedDomain> {
  const { domain, own, tunables, bus, fence, agents, finder, remover, counters, clock, random, log } = options;
  const working = new Set<Promise<unknown>>();
  const setAside = new SetAside();
  const nowMs = () => clock.nowMs();
  let stopped = false;

  const subscriptions = createSubscriptions({ domain, bus, tunables, setAside, nowMs }, () => jobs);
  const find = async (jobId: string): Promise<Job | Gone | Unsettled> => {
    const record = await bus.get<JobRecord>('job', jobId);
    if (record === null || record.value.worker !== domain) return 'not ours';
    if (record.value.state !== 'done') return takeUp(record, context);
    if (record.value.timeCancelled === undefined) return 'over';
    await markStragglers(record, context);
    return 'marked';
  };
  const jobs = new JobTable(find, (error) =>
    log.warn({ err: error }, 'a job could not be looked up; it is tried again'),
  );

  let lastSweepMs = nowMs();
  const turns = createTurns({
    clock,
    me: domain,
    peers: options.peers,
    lookAgain: () => subscriptions.wake('jobsCreated'),
  });

  const context: DomainContext = {
    domain,
    tunables,
    log,
    bus,
    agents,
    load: new AgentLoad(),
    counters,
    jobs,
    turns,
    get isStopped() {
      return stopped;
    },
    env: () => ({ nowMs: nowMs(), random }),
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
    wake(...names) {
      for (const name of names) subscriptions.wake(name);
    },
    follow(what, work) {
      const followed = work
        .catch((error: unknown) => log.warn({ err: error }, `${what} failed; it is tried again`))
        .finally(() => working.delete(followed));
      working.add(followed);
    },
    changed(job) {
      touch(job, nowMs());
      lookIfHinted(job, context);
    },
    look: (job) => lookNow(job, context),
    mayReturn: options.mayReturn,
    taskGiven({ agent, generation }) {
      const known = agents.get(agent);
      if (known === undefined || known.lost || known.generation !== generation) sweep(agent);
    },
    sweepLost() {
      if (isWithin(tunables.timeAgentTimeout, lastSweepMs, nowMs())) return;
      lastSweepMs = nowMs();
      for (const { instance, lost } of agents.all()) if (lost) sweep(instance);
    },
    async remove(job, name) {
      const { auth } = job.stored.value;
      if (keepsIntermediate(job) || auth === undefined || !isAnonymous(name, job.jobId)) return;
      if ((await remover.remove(name, auth.token)) === 'removed') counters.objectsRemoved++;
      else {
        counters.removalsRefused++;
        log.error({ jobId: job.jobId, object: name }, 'an intermediate object cannot be removed');
      }
    },
  };

  const sweep = (agent: string) => context.follow('abandoning tasks of an agent', sweepAgent(agent, context));
  const pipeline = createPipeline(context, finder);
  const handlers = recordHandlers(context, pipeline, setAside);
  const subscribe = (name: DomainQuery) => subscriptions.add(name, domainQueries[name], handlers[name]);
  const accept = (accepts: boolean): void => {
    if (!accepts) {
      subscriptions.drop('jobsCreated');
      turns.stop();
    } else if (!subscriptions.has('jobsCreated'))
      subscriptions.add('jobsCreated', ownQueries.jobsCreated, handlers.jobsCreated, turns.passed);
  };

  await subscribe('jobsOwned').fence();
  for (const name of Object.keys(domainQueries) as DomainQuery[]) if (name !== 'jobsOwned') subscribe(name);
  if (own) accept(true);
  for (const { instance } of agents.all()) sweep(instance);
  let lastStampMs = nowMs();
  const tick = () => {
    const stamps = !isWithin(tunables.timeMarkInputs, lastStampMs, nowMs());
    if (stamps) lastStampMs = nowMs();
    tickJobs(context, stamps);
    cancelTick = clock.after(tickMs, tick);
  };
  let cancelTick = clock.after(tickMs, tick);

  return {
    jobs,
    get gauges() {
      return { inPipeline: pipeline.inHand, setAside: setAside.size };
    },
    accept,
    sweepAgent: sweep,
    agentCame() {
      context.wake('jobInputs', 'taskOutputs', 'retryTasks');
      for (const job of jobs.all()) context.follow('placing reducers', placeMissing(job, context));
    },
    async stop() {
      stopped = true;
      cancelTick();
      turns.stop();
      subscriptions.stop();
      for (const job of jobs.all()) removeJob(job, 'the domain stops', context);
      await Promise.all(working);
    },
  };
}

function keepsIntermediate(job: Job): boolean {
  return (job.stored.value.options as { keepIntermediate?: boolean } | undefined)?.keepIntermediate === true;
}

function isLost(error: Error): boolean {
  return VError.hasCauseWithName(error, 'EtagConflictError') || VError.hasCauseWithName(error, 'FenceLostError');
}
