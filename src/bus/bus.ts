/**
 * The bus: how supervisor and agent read and write records. Composition of its parts: push.ts knows whether
 * notifications can be believed, subscriptions.ts runs queries, transactions.ts writes, conflicts.ts decides what a
 * conflict means, reads.ts reads single things.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import type { MorayClient } from '../moray/client/types.js';
import type { BucketName } from '../records/buckets.js';
import { selfChannel } from './channels.js';
import type { BusContext } from './context.js';
import { createPush } from './push.js';
import { createReads } from './reads.js';
import { createSubscription } from './subscriptions.js';
import { throttledWarnings } from './throttled-log.js';
import { createTransactions } from './transactions.js';
import type { Bus, Query, Subscription, SubscriptionState } from './types.js';

export interface BusOptions {
  readonly moray: MorayClient;
  /** Names in Moray by logical name. */
  readonly buckets: Readonly<Record<BucketName, string>>;
  /** Of the process: names the channel on which it proves that push works, and its health record. */
  readonly instance: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  /** Runs an action after everything that is ready to run: what is handed in till then is written together. */
  readonly defer?: (action: () => void) => void;
}

export function createBus(options: BusOptions): Bus {
  const { instance, defer = setImmediate, ...rest } = options;
  const counters = { queries: 0, reads: 0, batches: 0, operations: 0, refusals: 0 };
  const context: BusContext = { ...rest, defer: (action) => void defer(action), counters };
  const ownChannel = selfChannel(instance);
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // each read that waits for its next try listens, and in an outage there are many
  const warn = throttledWarnings(context);
  const reads = createReads(context, warn, stopping.signal);
  const push = createPush(context, ownChannel);
  const transactions = createTransactions(context, reads, push, warn);
  const subscriptions = new Map<Subscription, () => SubscriptionState>();
  let heartbeat: Promise<void> | null = null;

  function subscribe<Value>(query: Query<Value>): Subscription {
    const subscription = createSubscription(context, push, warn, query);
    const own: Subscription = {
      ...subscription,
      stop() {
        subscriptions.delete(own);
        subscription.stop();
      },
    };
    subscriptions.set(own, subscription.state);
    return own;
  }

  const beat: Bus['heartbeat'] = async (value, { notify = [] } = {}) => {
    const sentMs = context.clock.nowMs();
    await transactions.batch([{ op: 'put', bucket: 'health', key: instance, value }], {
      urgent: true,
      notify: [[ownChannel, ['health']], ...notify],
    });
    push.heartbeatAnswered(sentMs);
  };

  return {
    subscribe,
    batch: transactions.batch,
    get: reads.get,
    find: reads.find,
    count: reads.count,
    heartbeat(record, beatOptions) {
      heartbeat ??= beat(record, beatOptions).finally(() => {
        heartbeat = null;
      });
      return heartbeat;
    },
    notify: push.notify,
    get pushProven() {
      return push.isProven;
    },
    counters,
    state: () => ({
      subscriptions: [...subscriptions.values()].map((stateOf) => stateOf()),
      transactions: transactions.state(),
    }),
    async stop() {
      for (const subscription of [...subscriptions.keys()]) subscription.stop();
      await transactions.stop();
      stopping.abort();
      push.stop();
    },
  };
}
