/**
 * Subscriptions: theory of operation. A query runs in passes. A pass reads page after page in `_id` order, from a marker
 * rather than an offset, so that records that stop matching meanwhile move nothing, and hands out every record.
 *
 *   waiting --time, notification, fence--> passing --done--> waiting
 *                                             | notification, fence meanwhile
 *                                             v
 *                                       passing, again --done--> passing
 *
 * When passes have followed each other closely, the next waits a moment for more notifications (pace.ts).
 *
 * Invariants: (1) one pass at a time; (2) a notification is answered by a pass that starts after it, at once or at the next turn of the pace; (3) a record is not
 * handed out again with the same etag while it is in hand, nor later in a pass that may have read it before it was
 * dealt with; (4) a slow or failing record holds up no other, until `inHandLimit` are in hand: then the pass waits.
 */
import { isoTime } from '../common/iso-time.js';
import type { MorayObject } from '../moray/client/types.js';
import { backOffMs } from './back-off.js';
import { answered, type BusContext } from './context.js';
import { busStopped } from './errors.js';
import { createPace } from './pace.js';
import type { Push } from './push.js';
import { pageOptions, pageSize, pageWithout } from './reads.js';
import { toStored } from './stored.js';
import type { ThrottledWarning } from './throttled-log.js';
import type { Query, Stored, Subscription, SubscriptionState } from './types.js';

const defaultUnprovenEveryMs = 200;
const inHandLimit = 10_000;
/** A record whose handler failed is handed out again after this, then after twice as long, and so on. */
const firstRetryMs = 1_000;
const longestRetryMs = 10_000;
const paceLimits = { burst: 4, everyMs: 50, longestMs: 200 };

type State = 'waiting' | 'passing' | 'passing, again' | 'stopped';

interface Page {
  last: number | null;
  count: number;
  /** Where the next page begins, though this one is not full. */
  end: number | null;
}

interface Fence {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export function createSubscription<Value>(
  context: BusContext,
  push: Push,
  warn: ThrottledWarning,
  query: Query<Value>,
): Subscription & { readonly state: () => SubscriptionState } {
  const { moray, buckets, clock, random, log } = context;
  const inHand = new Set<string>();
  /** How often the handler of a record failed, in a row. */
  const failedTimes = new Map<string, number>();
  const retries = new Set<() => void>();
  /** Dealt with since the pass began: the pass may still come across what it read before. */
  let settled: string[] = [];
  let whenSettled = () => {};
  let state: State = 'waiting';
  let fences: Fence[] = [];
  let failures = 0;
  let cancelTimer = () => {};
  const seen = { filter: null as string | null, startMs: 0, nonEmptyMs: 0, nonEmptyCount: 0, requests: 0, records: 0 };

  const isStopped = () => state === 'stopped';

  const wake = () => {
    if (state === 'passing') state = 'passing, again';
    if (state !== 'waiting' || !pace.take()) return;
    cancelTimer();
    state = 'passing';
    void pass();
  };

  const pace = createPace(clock, paceLimits, wake);

  const schedule = () => {
    const isCovered = query.channels.length === 0 || push.covers(query.channels);
    const everyMs = isCovered ? query.everyMs : (query.unprovenEveryMs ?? defaultUnprovenEveryMs);
    const pauseMs = failures > 0 ? backOffMs(failures) : everyMs;
    cancelTimer();
    cancelTimer = clock.after(pauseMs * (0.9 + 0.2 * random()), wake);
  };

  async function pass(): Promise<void> {
    const waitingFences = fences;
    fences = [];
    try {
      await readPages();
      failures = 0;
    } catch (error) {
      failures++;
      fences = [...waitingFences, ...fences];
      warn(`query "${query.name}"`, error as Error, 'query failed, will be repeated');
    }
    releaseSettled();
    if (isStopped()) {
      for (const { reject } of waitingFences) reject(busStopped());
      return;
    }
    pace.took(clock.nowMs() - seen.startMs);
    const again = state === 'passing, again' && failures === 0;
    state = 'waiting';
    if (failures === 0) {
      for (const { resolve } of waitingFences) resolve();
      passed();
    }
    if (again) wake();
    else schedule();
  }

  function passed(): void {
    try {
      query.onPass?.();
    } catch (error) {
      log.error({ err: error, query: query.name }, 'end of a pass was not handled');
    }
  }

  async function readPages(): Promise<void> {
    let marker = 0;
    seen.startMs = clock.nowMs();
    const before = seen.records;
    for (;;) {
      const page: Page = { last: null, count: 0, end: null };
      await answered(context, `query "${query.name}"`, readPage(marker, page));
      if (seen.records > before) {
        seen.nonEmptyMs = seen.startMs;
        seen.nonEmptyCount = seen.records - before;
      }
      if (isStopped()) return;
      if (page.last !== null && page.count >= pageSize) marker = page.last + 1;
      else if (page.end !== null) marker = page.end;
      else return;
      while (inHand.size >= inHandLimit && !isStopped()) {
        await new Promise<void>((resolve) => {
          whenSettled = resolve;
        });
        releaseSettled();
      }
    }
  }

  /** Between two pages nothing that was read is still to come: the next page is read anew. */
  function releaseSettled(): void {
    for (const record of settled) inHand.delete(record);
    settled = [];
  }

  async function readPage(marker: number, page: Page): Promise<void> {
    const { filter, end } = pageWithout(query.filter(), marker, query.leaveOut?.() ?? []);
    page.end = end;
    seen.filter = filter;
    seen.requests++;
    context.counters.queries++;
    for await (const object of moray.findObjects<Value>(buckets[query.bucket], filter, pageOptions)) {
      if (isStopped()) return;
      page.last = object._id;
      page.count++;
      seen.records++;
      deliver(object);
    }
  }

  function deliver(object: MorayObject<Value>): void {
    const record = `${object._etag} ${object.key}`;
    if (inHand.has(record)) return;
    inHand.add(record);
    handle(toStored(query.bucket, object)).then(
      () => {
        failedTimes.delete(record);
        settle(record);
      },
      (error: unknown) => failed(record, object.key, error),
    );
  }

  /** It stays in hand for a while, so that no pass that somebody else asks for tries it at once. */
  function failed(record: string, key: string, error: unknown): void {
    if (isStopped()) return;
    const times = failedTimes.get(record) ?? 0;
    failedTimes.set(record, times + 1);
    if (failedTimes.size > inHandLimit) failedTimes.clear();
    const againMs = Math.min(longestRetryMs, firstRetryMs * 2 ** times);
    log.error({ err: error, query: query.name, key, times: times + 1 }, 'record was not handled, will be tried again');
    const cancel = clock.after(againMs, () => {
      retries.delete(cancel);
      settle(record);
      wake();
    });
    retries.add(cancel);
  }

  async function handle(record: Stored<Value>): Promise<void> {
    await query.onRecord(record);
  }

  function settle(record: string): void {
    if (state === 'waiting') inHand.delete(record);
    else settled.push(record);
    whenSettled();
  }

  const stopListening = push.listen(query.channels, {
    onWake(names) {
      if (names === null || names.includes(query.bucket)) wake();
    },
  });
  wake();

  return {
    wake,
    state: () => ({
      name: query.name,
      bucket: query.bucket,
      lastQuery: seen.filter,
      lastStart: seen.startMs === 0 ? null : isoTime(seen.startMs),
      lastNonEmptyStart: seen.nonEmptyMs === 0 ? null : isoTime(seen.nonEmptyMs),
      lastNonEmptyNRecords: seen.nonEmptyCount,
      running: state === 'passing' || state === 'passing, again',
      nBarrierPending: inHand.size,
      nRequests: seen.requests,
      nRecords: seen.records,
    }),
    fence: () =>
      new Promise((resolve, reject) => {
        if (isStopped()) {
          reject(busStopped());
          return;
        }
        fences.push({ resolve, reject });
        wake();
      }),
    stop() {
      if (isStopped()) return;
      state = 'stopped';
      cancelTimer();
      for (const cancel of retries) cancel();
      pace.stop();
      stopListening();
      whenSettled();
      for (const { reject } of fences) reject(busStopped());
      fences = [];
    },
  };
}
