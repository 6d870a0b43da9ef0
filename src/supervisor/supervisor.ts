/**
 * The supervisor: theory of operation. It looks after jobs from their creation to their end: finds their inputs, has
 * agents run tasks where the inputs are, commits what is done, runs again what was lost. All of its knowledge is in the
 * store; it may be killed at any instant, and another, or itself, goes on from there.
 *
 *   global queries --health, domains, storage--> who lives, what is ours, where objects are      (this file)
 *   domain records --> which domains run here                                                    (domain-keeper.ts)
 *   domain queries --jobs, inputs, tasks, outputs--> handlers --batches behind a fence--> store  (domain.ts)
 *
 * Order of start: no domain runs before agents, peers, domains and storage nodes have been read once, or inputs would
 * fail for lack of agents that are just not known yet.
 */
import { setMaxListeners } from 'node:events';
import type { AccountStore } from '../accounts/types.js';
import { domainsChannel } from '../bus/channels.js';
import type { Bus, Query, Stored, Subscription } from '../bus/types.js';
import type { Clock } from '../common/clock.js';
import { isoTime } from '../common/iso-time.js';
import type { Logger } from '../common/logging.js';
import type { MorayClient } from '../moray/client/types.js';
import { type DomainRecord, isDomainRecord } from '../records/domain.js';
import { type HealthRecord, isHealthRecord } from '../records/health.js';
import { isStorageRecord, type StorageRecord } from '../records/storage.js';
import type { RecordCheck } from '../records/validation.js';
import { type HealthEvent, HealthTable } from './agents.js';
import type { SupervisorConfig } from './config.js';
import { newCounters } from './counters.js';
import { startDomain } from './domain.js';
import { createDomainKeeper } from './domain-keeper.js';
import type { Gauges } from './metrics.js';
import { createFinder } from './pipeline/find.js';
import { createLocator } from './pipeline/locate.js';
import { globalQueries, type QueryRow } from './queries.js';
import { SetAside } from './set-aside.js';
import { snapshotOf } from './snapshot.js';
import { StorageMap } from './storage-map.js';
import type { Remover } from './tasks/remove.js';

export interface SupervisorDeps {
  readonly bus: Bus;
  readonly index: MorayClient;
  readonly accounts: Pick<AccountStore, 'user'>;
  readonly remover: Pick<Remover, 'remove'>;
  readonly clock: Clock;
  /** Runs an action soon, after all that is ready to run. */
  readonly defer: (action: () => void) => void;
  readonly random: () => number;
  readonly log: Logger;
}

export interface Supervisor {
  /** Stops taking new jobs, or takes them again. false: the own domain is operated by another. */
  accept(accepts: boolean): boolean;
  snapshot(): object;
  gauges(): Gauges;
  stop(): Promise<void>;
}

export async function startSupervisor(config: SupervisorConfig, deps: SupervisorDeps): Promise<Supervisor> {
  const { bus, remover, clock, defer, random, log } = deps;
  const { instanceUuid: me, tunables } = config;
  const startedMs = clock.nowMs();
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // each look-up that waits for its next try listens, and in an outage there are many
  const counters = newCounters();
  const agents = new HealthTable({ everyMs: tunables.timeAgentPoll, timeoutMs: tunables.timeAgentTimeout });
  const peers = new HealthTable({ everyMs: tunables.timeWorkerPoll, timeoutMs: tunables.timeWorkerAbandon }, (peer) =>
    keeper.operators().has(peer),
  );
  const storage = new StorageMap();
  const aside = new SetAside();
  let accepting = true;
  let graceFromMs = startedMs;

  const mayReturn = (agent: string): boolean => {
    const graceMs = tunables.timeAgentTimeout;
    graceFromMs = Math.min(graceFromMs, clock.nowMs()); // a clock that is set back begins it anew
    if (clock.nowMs() - graceFromMs < graceMs) return true;
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

  /** Few, and soon put right by who wrote them: they are read with each pass, but reported once. */
  const checked =
    <Value>(check: RecordCheck<Value>, read: (record: Stored<Value>) => void) =>
    (record: Stored<Value>): void => {
      const problem = check.problem(record.value);
      if (problem === null) read(record);
      else if (aside.add(record, clock.nowMs()))
        log.error({ record: `${record.bucket}/${record.key}`, problem }, 'record is left alone: it is invalid');
    };

  const onAgent = (event: HealthEvent | null): void => {
    if (event === null) return;
    if (event.event === 'lost') log.error({ agent: event.instance }, 'agent is lost: its tasks run elsewhere');
    else log.info({ agent: event.instance }, `agent ${event.event}`);
    for (const domain of keeper.operated.values()) {
      if (event.event !== 'forgotten') domain.sweepAgent(event.instance);
      if (event.event !== 'lost' && event.event !== 'forgotten') domain.agentCame();
    }
  };

  const onPeerPass = (): void => {
    for (const { event, instance } of peers.passed(clock.nowMs()))
      if (event === 'lost' && instance !== me) log.error({ peer: instance }, 'supervisor is lost');
    keeper.takeFrom(peers.all().flatMap(({ instance, lost }) => (lost ? [instance] : [])));
    for (const operator of keeper.operators()) if (operator !== me) peers.expect(operator);
  };

  /** Health records of one component, with a pass in time when somebody falls silent. */
  const watchHealth = (
    row: QueryRow,
    table: HealthTable,
    read: (record: Stored<HealthRecord>) => void,
    passed: () => void,
  ) => {
    let cancelLook = () => {};
    const query: Subscription = subscribe<HealthRecord>(row, {
      onRecord: checked(isHealthRecord, read),
      onPass() {
        passed();
        cancelLook();
        const lossMs = table.nextLossMs();
        if (lossMs !== null) cancelLook = clock.after(lossMs, () => query.wake());
      },
    });
    return {
      ...query,
      stop() {
        cancelLook();
        query.stop();
      },
    };
  };

  const storageQuery = subscribe<StorageRecord>(globalQueries.storage, {
    onRecord: checked(isStorageRecord, (record) => storage.onRecord(record)),
    onPass: () => storage.onPass(),
  });
  const finder = createFinder({
    accounts: deps.accounts,
    locator: createLocator(deps.index, { namesAtATime: tunables.maxPendingLocates, clock, defer, log }),
    storage: storage.view(storageQuery, clock),
    clock,
    patienceMs: tunables.timePatience,
    signal: stopping.signal,
  });
  const keeper = createDomainKeeper({
    me,
    bus,
    random,
    counters,
    log,
    start: (domain, fence) =>
      startDomain({
        domain,
        own: domain === me && accepting,
        tunables,
        bus,
        fence,
        agents,
        peers: () => peers.living().map(({ instance }) => instance),
        mayReturn,
        finder,
        remover,
        counters,
        clock,
        random,
        log: log.child({ domain }),
      }),
    lookAgain: () => domainQuery.wake(),
    tookOver: () => peerQuery.wake(),
  });

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
  const onHeartbeat = (record: Stored<HealthRecord>) => onAgent(agents.read(record));
  const agentQuery = watchHealth(globalQueries.agentHealth, agents, onHeartbeat, () => {
    for (const event of agents.passed(clock.nowMs())) onAgent(event);
  });
  const onPeer = (record: Stored<HealthRecord>) => {
    if (record.value.instance !== me) peers.read(record);
  };
  const peerQuery = watchHealth(globalQueries.peerHealth, peers, onPeer, onPeerPass);
  const domainQuery = subscribe<DomainRecord>(globalQueries.domains, {
    onRecord: checked(isDomainRecord, (record) => keeper.read(record)),
  });
  const queries = [agentQuery, peerQuery, domainQuery, storageQuery];
  await Promise.all(queries.map((query) => query.fence()));
  await keeper.begin();
  await domainQuery.fence();
  await keeper.settled();

  const view = { me, generation, config, agents, peers, counters, bus, operated: keeper.operated };
  return {
    accept(accepts) {
      const domain = keeper.operated.get(me);
      if (domain === undefined) return false;
      accepting = accepts;
      domain.accept(accepts);
      return true;
    },
    snapshot: () => snapshotOf({ ...view, quiesced: !accepting }),
    gauges() {
      const domains = [...keeper.operated.values()];
      const sum = (of: (domain: (typeof domains)[number]) => number) => domains.reduce((all, one) => all + of(one), 0);
      return {
        counters,
        bus: bus.counters,
        domains: domains.length,
        jobs: sum(({ jobs }) => jobs.all().length),
        agentsLiving: agents.living().length,
        agentsLost: agents.all().length - agents.living().length,
        inPipeline: sum(({ gauges }) => gauges.inPipeline),
        setAside: sum(({ gauges }) => gauges.setAside),
        pushProven: bus.pushProven,
      };
    },
    async stop() {
      stopping.abort();
      cancelBeat();
      for (const query of queries) query.stop();
      await keeper.stop();
    },
  };
}
