/**
 * Which domains this process operates: carries out the steps of domains.ts, one at a time per domain, and keeps the
 * fences. What is known of the records is kept up with every read, every write of ours and every lost fence.
 */
import VError from 'verror';
import { domainsChannel } from '../bus/channels.js';
import type { BatchFence, Bus, Operation, Stored } from '../bus/types.js';
import type { Logger } from '../common/logging.js';
import type { DomainRecord } from '../records/domain.js';
import type { Counters } from './counters.js';
import type { OperatedDomain } from './domain.js';
import { firstDomain, type Operating, operatorOf, stepDomain, takeOver } from './domains.js';

export interface DomainKeeperOptions {
  readonly me: string;
  readonly bus: Bus;
  readonly random: () => number;
  readonly counters: Counters;
  readonly log: Logger;
  readonly start: (domainId: string, fence: BatchFence) => Promise<OperatedDomain>;
  /** Domain records should be read now. */
  readonly lookAgain: () => void;
  /** A domain was taken over; the lost peer may have left more. */
  readonly tookOver: () => void;
}

export interface DomainKeeper {
  /** Domains that run here. */
  readonly operated: ReadonlyMap<string, OperatedDomain>;
  /** From now on what is read is acted upon. */
  begin(): Promise<void>;
  read(record: Stored<DomainRecord>): void;
  /** Takes over a domain of each of these peers. */
  takeFrom(lostPeers: readonly string[]): void;
  /** Who operates any domain. */
  operators(): Set<string>;
  /** Resolves when nothing is being changed. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export function createDomainKeeper(options: DomainKeeperOptions): DomainKeeper {
  const { me, bus, random, counters, log } = options;
  const domains = new Map<string, Stored<DomainRecord>>();
  /** By domain: the etag that our last write replaced. A search that was on its way meanwhile may still deliver it. */
  const replaced = new Map<string, string>();
  const operated = new Map<string, OperatedDomain>();
  /** Of the domains that run here, or are starting. */
  const fences = new Map<string, BatchFence>();
  const changing = new Map<string, Promise<void>>();
  let isActing = false;
  let isStopped = false;

  const change = (domainId: string, what: string, work: () => Promise<void>): void => {
    if (changing.has(domainId)) return;
    const done = work()
      .catch((error: unknown) => log.warn({ err: error, domain: domainId }, `${what} failed; looked at again later`))
      .finally(() => changing.delete(domainId));
    changing.set(domainId, done);
  };

  /** @returns whether nobody was faster. */
  const write = async (operation: Operation & { op: 'put' }): Promise<boolean> => {
    const before = domains.get(operation.key);
    try {
      const [result] = await bus.batch([operation], { notify: [[domainsChannel, ['domain']]] });
      if (before === undefined || result?.etag === undefined) return true;
      replaced.set(operation.key, before.etag);
      const value = operation.value as DomainRecord;
      // Unless somebody has written since, and we have read that while we waited for the answer.
      if (domains.get(operation.key)?.etag === before.etag)
        domains.set(operation.key, { ...before, value, etag: result.etag });
      return true;
    } catch (error) {
      if (!VError.hasCauseWithName(error as Error, 'EtagConflictError')) throw error;
      options.lookAgain();
      return false;
    }
  };

  const start = async (domainId: string): Promise<void> => {
    if (operated.has(domainId) || isStopped) return;
    log.info({ domain: domainId }, 'domain starts');
    operated.set(domainId, await options.start(domainId, newFence(domainId)));
    if (isStopped) await stop(domainId);
  };

  const stop = async (domainId: string): Promise<void> => {
    const domain = operated.get(domainId);
    operated.delete(domainId);
    fences.delete(domainId);
    await domain?.stop();
  };

  const robbed = (domainId: string, operatedBy: string | undefined): void => {
    counters.domainsLost++;
    log.warn({ domain: domainId, operatedBy }, 'domain was taken from us');
    change(domainId, 'stopping a domain', () => stop(domainId));
  };

  /**
   * Holds for one term of office. Writes may still wait to be sent again when it is over: what they carry then must not
   * be the record as we know it by now, which is the one of our successor.
   */
  const newFence = (domainId: string): BatchFence => {
    const fence: BatchFence = {
      current() {
        const record = domains.get(domainId);
        if (record === undefined || record.value.operatedBy !== me || fences.get(domainId) !== fence)
          throw new VError({ name: 'FenceLostError' }, 'domain "%s" is not operated here any more', domainId);
        return record;
      },
      changed(stored) {
        const record = stored as Stored<DomainRecord> | null;
        if (record === null) domains.delete(domainId);
        else domains.set(domainId, record);
        if (record !== null && record.value.operatedBy === me) return fences.get(domainId) === fence ? record : null;
        if (operated.has(domainId)) robbed(domainId, record?.value.operatedBy);
        return null;
      },
    };
    fences.set(domainId, fence);
    return fence;
  };

  const read = (record: Stored<DomainRecord>): void => {
    const isMaybeOld = replaced.get(record.key) === record.etag;
    replaced.delete(record.key); // the next pass begins after our write
    if (isMaybeOld) {
      options.lookAgain();
      return;
    }
    domains.set(record.key, record);
    if (!isActing) return;
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
        robbed(domainId, record.value.operatedBy);
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
          if (!(await write(step.write))) return start(domainId);
          counters.domainsHandedBack++;
          log.info({ domain: domainId, to: step.write.value }, 'handed back a domain');
        });
    }
  };

  return {
    operated,
    async begin() {
      isActing = true;
      if (domains.has(me)) return;
      log.info('first start: makes its domain');
      await write(firstDomain(me));
    },
    read,
    takeFrom(lostPeers) {
      if (!isActing) return;
      for (const { domainId, write: operation } of takeOver([...domains.values()], lostPeers, me, random)) {
        change(domainId, 'taking over a domain', async () => {
          if (!(await write(operation))) return;
          counters.domainsTakenOver++;
          log.warn({ domain: domainId }, 'domain of a lost supervisor is taken over');
          options.tookOver();
          await start(domainId);
        });
      }
    },
    operators: () => new Set([...domains.values()].map(operatorOf)),
    settled: async () => void (await Promise.all(changing.values())),
    async stop() {
      isStopped = true;
      await Promise.all(changing.values());
      await Promise.all([...operated.keys()].map(stop));
    },
  };
}
