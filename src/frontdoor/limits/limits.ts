/**
 * What one account may have of a front door that others use too: theory of operation. Requests are counted against the
 * account that signed them, its users included; those without credentials, and those whose credentials are good for
 * nobody, against the address that they come from. Two things are limited: how many come per second, and how many are
 * under way at a time; of jobs, how many are not done. Beyond a limit the answer is 503 `ThrottledError`, with the time
 * after which to come again; nothing has happened then.
 *
 * Operators have no limit, and neither have jobs: what tasks do comes with a token that says so, is held back by the
 * agents, and a task that is refused an output would be a failure that its user can do nothing about.
 *
 * Connections, which nobody has signed, are limited before all that: connections.ts.
 *
 * The limits come after the check of the signature: before it, a request says of itself whose it is, and whoever knows a
 * login could use up what is its owner's. They are those of this process: behind a balancer each front door has its own.
 */
import type { Registry } from 'prom-client';
import type { Clock } from '../../common/clock.js';
import type { FrontdoorConfig } from '../config.js';
import type { Call, Handler } from '../request/call.js';
import { createAllowance } from './allowance.js';
import { clientAddress } from './client-address.js';
import { type Connections, createConnections } from './connections.js';
import { createRefusalCount, type LimitName, throttledError } from './refusal.js';

export interface Limits {
  /** @throws VError `ThrottledError` instead, or what `handle` throws. */
  during(call: Call, handle: Handler): Promise<void>;
  /** Of a request that could not be found to be anybody's. @throws VError `ThrottledError`. */
  countUnknown(request: Call['request'], nowMs: number): void;
  /** @throws VError `ThrottledError`. */
  assertRoomForJob(call: Call): Promise<void>;
  /** Requests under way, by login or address. */
  underWay(): Readonly<Record<string, number>>;
  readonly connections: Connections;
}

/** Who is counted, and by which limits. */
interface Payer {
  readonly key: string;
  readonly name: string;
  readonly kind: 'account' | 'address';
}

const atOnceRetryMs = 1_000;
const liveJobsRetryMs = 60_000;

export interface LimitParts {
  readonly config: FrontdoorConfig['limits'];
  readonly clock: Clock;
  readonly registry: Registry;
}

export function createLimits({ config, clock, registry }: LimitParts): Limits {
  const { burstS } = config;
  const kinds = {
    account: {
      rate: createAllowance({ perSecond: config.requestsPerSecond, burstS }),
      rateName: 'requestsPerSecond',
      atOnce: config.requestsAtOnce,
      atOnceName: 'requestsAtOnce',
    },
    address: {
      rate: createAllowance({ perSecond: config.anonymousRequestsPerSecond, burstS }),
      rateName: 'anonymousRequestsPerSecond',
      atOnce: config.anonymousRequestsAtOnce,
      atOnceName: 'anonymousRequestsAtOnce',
    },
  } as const;
  const countRefusal = createRefusalCount(registry);
  const connections = createConnections({ config, clock, countRefusal, registry });
  const underWay = new Map<string, { readonly name: string; count: number }>();

  function refusal(limit: LimitName, why: string, waitMs: number): Error {
    countRefusal(limit);
    return throttledError(why, waitMs);
  }

  function assertRate({ key, name, kind }: Payer, nowMs: number): void {
    const { rate, rateName } = kinds[kind];
    const waitMs = rate.take(key, nowMs);
    if (waitMs > 0) throw refusal(rateName, `${name} may send ${config[rateName]} requests per second`, waitMs);
  }

  const byAddress = (request: Call['request']): Payer => {
    const address = clientAddress(request, config.behindBalancer);
    return { key: `address ${address}`, name: address, kind: 'address' };
  };
  const payerOf = (call: Call): Payer => {
    const { principal, scheme } = call.caller;
    if (principal === null || scheme === 'none') return byAddress(call.request);
    return { key: principal.account.uuid, name: principal.account.login, kind: 'account' };
  };

  return {
    async during(call, handle) {
      if (isFree(call)) {
        connections.trust(call.request.socket);
        return handle(call);
      }
      const payer = payerOf(call);
      assertRate(payer, call.nowMs);
      const { atOnce, atOnceName } = kinds[payer.kind];
      const mine = underWay.get(payer.key) ?? { name: payer.name, count: 0 };
      if (atOnce > 0 && mine.count >= atOnce) {
        throw refusal(atOnceName, `${payer.name} may have ${atOnce} requests under way`, atOnceRetryMs);
      }
      mine.count++;
      underWay.set(payer.key, mine);
      try {
        await handle(call);
      } finally {
        mine.count--;
        if (mine.count === 0) underWay.delete(payer.key);
      }
    },
    countUnknown: (request, nowMs) => assertRate(byAddress(request), nowMs),
    async assertRoomForJob({ caller, owner, services, isOperator }) {
      const { liveJobs } = config;
      if (liveJobs === 0 || isOperator || caller.claims?.fromjob === true) return;
      const { uuid, login } = owner.account;
      if ((await services.jobs.countLive(uuid)) < liveJobs) return;
      throw refusal(
        'liveJobs',
        `${login} has ${liveJobs} jobs that are not done, the most there may be`,
        liveJobsRetryMs,
      );
    },
    underWay: () => Object.fromEntries([...underWay.values()].map(({ name, count }) => [name, count])),
    connections,
  };
}

/** Operators, and what jobs do. */
function isFree({ caller }: Call): boolean {
  return caller.claims?.fromjob === true || (caller.scheme !== 'none' && caller.principal?.account.isOperator === true);
}
