/**
 * The supervisor: theory of operation. It looks after jobs from their creation to their end: finds their inputs, has
 * agents run tasks where the inputs are, commits what is done, runs again what was lost. All of its knowledge is in the
 * store; it may be killed at any instant, and another, or itself, goes on from there.
 *
 *   global queries --health, domains, storage--> who lives, what is ours, where objects are      (this file)
 *   domain queries --jobs, inputs, tasks, outputs--> handlers --batches behind a fence--> store  (domain.ts)
 *
 * Order of start: no domain runs before agents, peers, domains and storage nodes have been read once, or inputs would
 * fail for lack of agents that are just not known yet.
 */
import VError from 'verror';
import type { AccountStore } from '../accounts/types.js';
import { domainsChannel } from '../bus/channels.js';
import type { BatchFence, Bus, Operation, Query, Stored, Subscription } from '../bus/types.js';
import type { Clock } from '../common/clock.js';
import { isoTime } from '../common/iso-time.js';
import type { Logger } from '../common/logging.js';
import type { MorayClient } from '../moray/client/types.js';
import { type DomainRecord, isDomainRecord } from '../records/domain.js';
import { type HealthRecord, isHealthRecord } from '../records/health.js';
import type { StorageRecord } from '../records/storage.js';
import { type HealthEvent, HealthTable } from './agents.js';
import type { SupervisorConfig } from './config.js';
import { type OperatedDomain, startDomain } from './domain.js';
import { firstDomain, type Operating, stepDomain, takeOver } from './domains.js';
import { createFinder, type StoragePlace } from './pipeline/find.js';
import { createLocator } from './pipeline/locate.js';
import { globalQueries, type QueryRow } from './queries.js';
import { jobSnapshot } from './snapshot.js';
import { createRemover } from './tasks/remove.js';

export interface SupervisorDeps {
  readonly bus: Bus;
  readonly index: MorayClient;
  readonly accounts: Pick<AccountStore, 'user'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface Supervisor {
  /** Stops taking new jobs, or takes them again. false: the own domain is operated by another. */
  accept(accepts: boolean): boolean;
  snapshot(): object;
  stop(): Promise<void>;
}

const storageRefreshMs = 1000;

export async function startSupervisor(config: SupervisorConfig, deps: SupervisorDeps): Promise<Supervisor> {
  const { bus, clock, random, log } = deps;
  const { instanceUuid: me, tunables } = config;
  const startedMs = clock.nowMs();
  const stopping = new AbortController();
  const agents = new HealthTable({ everyMs: tunables.timeAgentPoll, timeoutMs: tunables.timeAgentTimeout });
  const peers = new HealthTable({ everyMs: tunables.timeWorkerPoll, timeoutMs: tunables.timeWorkerAbandon });
  const domains = new Map<string, Stored<DomainRecord>>();
  const operated = new Map<string, OperatedDomain>();
  const changing = new Map<string, Promise<void>>();
  const storage = new Map<string, StoragePlace>();
  let started = false;
  let accepting = true;

  const mayReturn = (agent: string): boolean => {
    const graceMs = tunables.timeAgentTimeout;
    if (clock.nowMs() - startedMs < graceMs) return true;
    const lately = agents.all().filter(({ lost, silentMs }) => lost && silentMs < 2 * graceMs);
    return agent === '' ? lately.length > 0 : lately.some(({ instance }) => instance === agent);
  };

  const subscribe = <Value>(row: QueryRow, query: Pick<Query<Value>, 'onRecord' | 'onPass'>): Subscription =>
    bus.subscribe({
      name: row.name,
      bucket: row.bucket,
      filter: () => row.filter(''),
      channels: row.channels.length === 0 ? [] : [domainsChannel],
      everyMs: typeof row.everyMs === 'number' ? row.everyMs : tunables[row.everyMs],
      unprovenEveryMs: typeof row.everyMs === 'number' ? row.everyMs : tunables[row.everyMs],
      ...query,
    });

  const onAgent = (event: HealthEvent | null): void => {
    if (event === null) return;
    if (event.event === 'lost') log.error({ agent: event.instance }, 'agent is lost: its tasks run elsewhere');
    else log.info({ agent: event.instance }, `agent ${event.event}`);
    for (const domain of operated.values()) {
      if (event.event !== 'forgotten') domain.sweepAgent(event.instance);
      if (event.event !== 'lost' && event.event !== 'forgotten') domain.agentCame();
    }
  };

  const validHealth = (record: Stored<HealthRecord>): boolean => {
    const problem = isHealthRecord.problem(record.value);
    if (problem !== null) log.warn({ record: record.key }, `health record is left alone: ${problem}`);
    return problem === null;
  };

  const storageQuery = subscribe<StorageRecord>(globalQueries.storage, {
    onRecord: ({ value: { manta_storage_id, manta_compute_id, zone_uuid } }) => {
      if (manta_storage_id === undefined || manta_compute_id === undefined || zone_uuid === undefined) return;
      storage.set(manta_storage_id, { agent: manta_compute_id, zonename: zone_uuid });
    },
  });
  let refreshedMs = Number.NEGATIVE_INFINITY;
  const finder = createFinder({
    accounts: deps.accounts,
    locator: createLocator(deps.index, tunables.maxPendingLocates, log),
    storage: {
      get: (storageId) => storage.get(storageId),
      async refresh() {
        if (clock.nowMs() - refreshedMs < storageRefreshMs) return;
        refreshedMs = clock.nowMs();
        storageQuery.wake();
        await storageQuery.fence();
      },
    },
    clock,
    patienceMs: tunables.timePatience,
    signal: stopping.signal,
  });
  const remover = createRemover({
    url: config.manta.url,
    timeoutMs: config.manta.connectTimeout,
    limit: tunables.maxPendingDeletes,
  });

  /** One change of a domain at a time. */
  const change = (domainId: string, what: string, work: () => Promise<void>): void => {
    if (changing.has(domainId)) return;
    const done = work()
      .catch((error: unknown) => log.warn({ err: error, domain: domainId }, `${what} failed; looked at again later`))
      .finally(() => changing.delete(domainId));
    changing.set(domainId, done);
  };

  const write = async (operation: Operation & { op: 'put' }): Promise<boolean> => {
    try {
      const [result] = await bus.batch([operation], { notify: [[domainsChannel, ['domain']]] });
      const before = domains.get(operation.key);
      if (before !== undefined && result?.etag !== undefined)
        domains.set(operation.key, { ...before, value: operation.value as DomainRecord, etag: result.etag });
      return true;
    } catch (error) {
      if (!VError.hasCauseWithName(error as Error, 'EtagConflictError')) throw error;
      domainQuery.wake();
      return false;
    }
  };

  const start = async (domainId: string): Promise<void> => {
    if (operated.has(domainId) || stopping.signal.aborted) return;
    log.info({ domain: domainId }, 'domain starts');
    const domain = await startDomain({
      domain: domainId,
      own: domainId === me && accepting,
      tunables,
      bus,
      fence: fenceOf(domainId),
      agents,
      mayReturn,
      finder,
      remover,
      clock,
      random,
      log: log.child({ domain: domainId }),
    });
    operated.set(domainId, domain);
    if (stopping.signal.aborted) await stop(domainId);
  };

  const stop = async (domainId: string): Promise<void> => {
    const domain = operated.get(domainId);
    operated.delete(domainId);
    await domain?.stop();
  };

  const fenceOf = (domainId: string): BatchFence => ({
    current() {
      const record = domains.get(domainId);
      if (record === undefined) throw new VError({ name: 'FenceLostError' }, 'domain "%s" is gone', domainId);
      return record;
    },
    changed(stored) {
      const record = stored as Stored<DomainRecord> | null;
      if (record === null) domains.delete(domainId);
      else domains.set(domainId, record);
      if (record !== null && record.value.operatedBy === me) return record;
      log.warn({ domain: domainId, operatedBy: record?.value.operatedBy }, 'domain was taken from us');
      change(domainId, 'stopping a domain', () => stop(domainId));
      return null;
    },
  });

  const onDomain = (record: Stored<DomainRecord>): void => {
    if (!isDomainRecord(record.value)) return;
    domains.set(record.key, record);
    if (!started) return;
    const { domainId } = record.value;
    const operating: Operating = changing.has(domainId) ? 'changing' : operated.has(domainId) ? 'running' : 'no';
    const step = stepDomain(record, me, operating);
    switch (step.step) {
      case 'nothing':
        break;
      case 'start':
        change(domainId, 'starting a domain', () => start(domainId));
        break;
      case 'stop':
        log.warn({ domain: domainId }, 'domain was taken from us');
        change(domainId, 'stopping a domain', () => stop(domainId));
        break;
      case 'take':
        change(domainId, 'taking a domain', async () => {
          if (await write(step.write)) await start(domainId);
        });
        break;
      case 'ask':
        change(domainId, 'asking for a domain', async () => {
          if (await write(step.write)) log.info({ domain: domainId }, 'asked for our domain');
        });
        break;
      case 'hand back':
        change(domainId, 'handing back a domain', async () => {
          await stop(domainId);
          if (await write(step.write)) log.info({ domain: domainId }, 'handed back a domain');
          else await start(domainId);
        });
    }
  };

  const onPeerPass = (): void => {
    for (const { event, instance } of peers.passed(clock.nowMs()))
      if (event === 'lost' && instance !== me) log.error({ peer: instance }, 'supervisor is lost');
    if (!started) return;
    const lost = peers.all().flatMap(({ instance, lost }) => (lost ? [instance] : []));
    for (const { domainId, write: operation } of takeOver([...domains.values()], lost, me, random)) {
      change(domainId, 'taking over a domain', async () => {
        if (!(await write(operation))) return;
        log.warn({ domain: domainId }, 'domain of a lost supervisor is taken over');
        await start(domainId);
      });
    }
  };

  const generation = isoTime(startedMs);
  const beat = (notify: boolean): Promise<void> => {
    const record: HealthRecord = { component: 'worker', instance: me, generation };
    return bus.heartbeat(record, notify ? { notify: [[domainsChannel, ['health']]] } : {});
  };
  let cancelBeat = (): void => {};
  const beatAgain = (): void => {
    cancelBeat = clock.after(tunables.timeHeartbeat, () => {
      beat(false)
        .catch((error: unknown) => log.warn({ err: error }, 'heartbeat failed'))
        .finally(() => {
          if (!stopping.signal.aborted) beatAgain();
        });
    });
  };

  await beat(true);
  beatAgain();
  const agentQuery = subscribe<HealthRecord>(globalQueries.agentHealth, {
    onRecord: (record) => {
      if (validHealth(record)) onAgent(agents.read(record));
    },
    onPass: () => {
      for (const event of agents.passed(clock.nowMs())) onAgent(event);
    },
  });
  const peerQuery = subscribe<HealthRecord>(globalQueries.peerHealth, {
    onRecord: (record) => {
      if (validHealth(record) && record.value.instance !== me) peers.read(record);
    },
    onPass: onPeerPass,
  });
  const domainQuery = subscribe<DomainRecord>(globalQueries.domains, { onRecord: onDomain });
  const queries = [agentQuery, peerQuery, domainQuery, storageQuery];
  await Promise.all(queries.map((query) => query.fence()));
  started = true;
  if (!domains.has(me)) {
    log.info('first start: makes its domain');
    await write(firstDomain(me));
  }
  await domainQuery.fence();
  await Promise.all(changing.values());

  return {
    accept(accepts) {
      const domain = operated.get(me);
      if (domain === undefined) return false;
      accepting = accepts;
      domain.accept(accepts);
      return true;
    },
    snapshot: () => ({
      service: { name: 'marlin', component: 'jobworker', ident: me, version: '0.0.1' },
      stats: { started: generation, memory: process.memoryUsage() },
      types: ['job', 'worker'],
      job: Object.fromEntries(
        [...operated.values()].flatMap(({ jobs }) => jobs.all().map((job) => [job.jobId, jobSnapshot(job)])),
      ),
      worker: {
        [me]: {
          domains: [...operated.keys()],
          agents: agents.all(),
          workers: peers.all(),
          quiesced: !accepting,
          pushProven: bus.pushProven,
        },
      },
    }),
    async stop() {
      stopping.abort();
      cancelBeat();
      for (const query of queries) query.stop();
      await Promise.all(changing.values());
      await Promise.all([...operated.keys()].map(stop));
      remover.close();
    },
  };
}
