/**
 * Transactions: theory of operation. Every change of a record goes through here. Calls to Moray are what is scarce, so
 * transactions that are ready together travel together, as one Moray batch. A lone one leaves at once; when many have
 * left lately, those that are ready wait a moment for company (pace.ts).
 *
 *   held --earlier writes of its records are over--> ready --sent, alone or with others--> in flight
 *   in flight --answered--> over
 *             --no answer, or the store is away--> pausing (100 ms to 10 s) --> ready, at the back
 *             --refused: it was not alone--> ready; the culprit, or everybody if nobody can tell, now travels alone
 *             --conflict, alone--> resolved (conflicts.ts) --> ready, or over
 *             --refused, alone--> over: the caller is told
 *
 * Invariants: (1) two transactions that put or delete the same record are sent one after the other, in the order in
 * which they were handed in; so those that travel together are independent; (2) a transaction is atomic, also in
 * company; (3) at most `callsInFlight` calls are under way and urgent ones besides; (4) whatever happens, a transaction
 * ends exactly once; (5) nothing waits for company for longer than a turn of the pace, and what can have none, or is
 * urgent, or fills a batch, does not wait at all.
 */
import { isoTime } from '../common/iso-time.js';
import { backOffMs } from './back-off.js';
import {
  type Conflicting,
  copyOf,
  findCulprit,
  type Put,
  type Resolution,
  resolveConflict,
  resolveFence,
} from './conflicts.js';
import { answered, type BusContext } from './context.js';
import { busStopped, type ConflictContext, conflictOf, isNotFound, isTransient } from './errors.js';
import { etagOf } from './etag.js';
import { toEntry, toMorayBatch } from './moray-batch.js';
import { createPace } from './pace.js';
import type { Push } from './push.js';
import type { Reads } from './reads.js';
import type { ThrottledWarning } from './throttled-log.js';
import type { BatchOptions, Operation, OperationResult, TransactionState } from './types.js';

const callsInFlight = 2;
/** Operations that travel together. A transaction with more travels alone. */
const operationLimit = 250;
/** A small job writes six times in a row; and the user of a large one does not see 150 ms. */
const paceLimits = { burst: 10, everyMs: 25, longestMs: 150 };

/** More in a snapshot would help nobody. */
const maxShown = 1_000;

export interface Transactions {
  batch(operations: readonly Operation[], options?: BatchOptions): Promise<readonly OperationResult[]>;
  state(): readonly TransactionState[];
  /** Resolves when nothing is in flight; what has not been sent by then is refused. */
  stop(): Promise<void>;
}

interface Transaction extends Conflicting {
  readonly id: number;
  /** Where it is, and since when. */
  place: 'held' | 'ready' | 'in flight' | 'pausing';
  sinceMs: number;
  mayBeDone: boolean;
  travelsAlone: boolean;
  failures: number;
  /** Records that it puts or deletes. */
  readonly records: readonly string[];
  readonly resolve: (results: readonly OperationResult[]) => void;
  readonly reject: (error: Error) => void;
}

export function createTransactions(
  context: BusContext,
  reads: Reads,
  push: Push,
  warn: ThrottledWarning,
): Transactions {
  const { moray, buckets, clock } = context;
  const names = new Map(Object.entries(buckets).map(([logical, name]) => [name, logical as keyof typeof buckets]));
  const env = { bucketOf: (name: string) => names.get(name), get: reads.get<object> };
  /** By record: the transactions that name it, in order. The first may go. */
  const lines = new Map<string, Transaction[]>();
  let ready: Transaction[] = [];
  const pausing = new Map<Transaction, () => void>();
  const unfinished = new Set<Transaction>();
  let created = 0;
  let inFlight = 0;
  let isFlushPlanned = false;
  let isStopped = false;
  let whenIdle = () => {};
  const pace = createPace(clock, paceLimits, flush);

  function batch(operations: readonly Operation[], options: BatchOptions = {}): Promise<readonly OperationResult[]> {
    if (isStopped) return Promise.reject(busStopped());
    if (operations.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const transaction: Transaction = {
        id: ++created,
        place: 'held',
        sinceMs: clock.nowMs(),
        operations: operations.map((operation) =>
          operation.op === 'put' ? { ...operation, value: copyOf(operation.value) } : operation,
        ),
        options,
        mayBeDone: false,
        travelsAlone: options.urgent === true || operations.length > operationLimit,
        failures: 0,
        records: recordsOf(operations),
        resolve,
        reject,
      };
      unfinished.add(transaction);
      for (const record of transaction.records) lineOf(record).push(transaction);
      if (isFirst(transaction)) makeReady(transaction);
    });
  }

  function lineOf(record: string): Transaction[] {
    const line = lines.get(record) ?? [];
    lines.set(record, line);
    return line;
  }

  const isFirst = (transaction: Transaction) =>
    transaction.records.every((record) => lines.get(record)?.[0] === transaction);

  function moveTo(transaction: Transaction, place: Transaction['place']): void {
    transaction.place = place;
    transaction.sinceMs = clock.nowMs();
  }

  function makeReady(transaction: Transaction): void {
    moveTo(transaction, 'ready');
    if (transaction.options.urgent === true) ready.unshift(transaction);
    else ready.push(transaction);
    if (isFlushPlanned) return;
    isFlushPlanned = true;
    context.defer(() => {
      isFlushPlanned = false;
      flush();
    });
  }

  function flush(): void {
    for (let [first] = ready; first !== undefined; [first] = ready) {
      const isUrgent = first.options.urgent === true;
      if (!isUrgent && inFlight >= callsInFlight) return;
      const waits = !isUrgent && !first.travelsAlone && !isStopped && countReady() < operationLimit;
      if (!pace.take() && waits) return;
      const company = takeCompany();
      const startMs = clock.nowMs();
      inFlight++;
      void travel(company).finally(() => {
        inFlight--;
        pace.took(clock.nowMs() - startMs);
        flush();
        if (inFlight === 0) whenIdle();
      });
    }
  }

  function countReady(): number {
    return ready.reduce((count, { operations }) => count + operations.length, 0);
  }

  /** The first that is ready, and as many more as may go with it. */
  function takeCompany(): Transaction[] {
    const company: Transaction[] = [];
    const left: Transaction[] = [];
    let operationCount = 0;
    for (const transaction of ready) {
      const count = operationCount + transaction.operations.length;
      const fits = company.length === 0 || (count <= operationLimit && isSociable(transaction, company[0]));
      if (fits) {
        company.push(transaction);
        operationCount = count;
      } else left.push(transaction);
    }
    ready = left;
    return company;
  }

  async function travel(company: readonly Transaction[]): Promise<void> {
    for (const transaction of company) moveTo(transaction, 'in flight');
    context.counters.batches++;
    context.counters.operations += company.reduce((count, { operations }) => count + operations.length, 0);
    try {
      const { requests, notifications, placeOf, options } = toMorayBatch(company, buckets); // may find its fence lost
      const { etags } = await answered(context, 'batch', moray.batch(requests, options));
      push.afterCommit(notifications);
      company.forEach((transaction, index) => {
        const place = placeOf[index] ?? 0;
        const entries = etags.slice(place, place + transaction.operations.length);
        end(transaction, () => transaction.resolve(entries.map((entry) => toEntry(entry, transaction.mayBeDone))));
      });
    } catch (error) {
      await refused(company, error as Error);
    }
  }

  async function refused(company: readonly Transaction[], error: Error): Promise<void> {
    context.counters.refusals++;
    if (isTransient(error)) {
      warn('batch', error, 'write failed, will be repeated');
      for (const transaction of company) {
        transaction.mayBeDone = true;
        pause(transaction);
      }
      return;
    }
    const conflict = conflictOf(error);
    if (conflict !== null && (await fenceRefused(company, conflict))) return;
    const [first] = company;
    if (first !== undefined && company.length === 1) {
      await refusedAlone(first, error, conflict);
      return;
    }
    const culprit = conflict && company.find(({ operations }) => findCulprit(operations, conflict, env) !== null);
    for (const transaction of company) {
      transaction.travelsAlone = culprit === null || culprit === undefined || transaction === culprit;
      makeReady(transaction);
    }
  }

  /** @returns whether it was the fence that refused. All have the same, so all have the same fate. */
  async function fenceRefused(company: readonly Transaction[], conflict: ConflictContext): Promise<boolean> {
    const operations = company.flatMap((transaction) => transaction.operations);
    const options = company[0]?.options ?? {};
    const resolution = await resolveFence({ options, operations }, conflict, env).catch(
      (error: unknown): Resolution => ({ verdict: 'failed', error: error as Error }),
    );
    if (resolution === null) return false;
    for (const transaction of company) {
      if (resolution.verdict === 'failed') end(transaction, () => transaction.reject(resolution.error));
      else sendAgain(transaction);
    }
    return true;
  }

  /** The first time nobody has to wait; but two who disagree must not go on at full speed. */
  function sendAgain(transaction: Transaction): void {
    if (transaction.failures > 0) {
      pause(transaction);
      return;
    }
    transaction.failures++;
    makeReady(transaction);
  }

  async function refusedAlone(transaction: Transaction, error: Error, conflict: ConflictContext | null): Promise<void> {
    if (conflict === null) {
      const wasDeleted = isNotFound(error) && transaction.mayBeDone && isDelete(transaction);
      if (wasDeleted) end(transaction, () => transaction.resolve([{ repeated: true }]));
      else end(transaction, () => transaction.reject(error));
      return;
    }
    try {
      const resolution = await resolveConflict(transaction, conflict, error, env);
      if (resolution.verdict === 'done') end(transaction, () => transaction.resolve(assumedResults(transaction)));
      else if (resolution.verdict === 'failed') end(transaction, () => transaction.reject(resolution.error));
      else sendAgain(transaction);
    } catch (failure) {
      end(transaction, () => transaction.reject(failure as Error));
    }
  }

  function pause(transaction: Transaction): void {
    transaction.failures++;
    if (isStopped) {
      end(transaction, () => transaction.reject(busStopped()));
      return;
    }
    const cancel = clock.after(backOffMs(transaction.failures), () => {
      pausing.delete(transaction);
      makeReady(transaction);
    });
    moveTo(transaction, 'pausing');
    pausing.set(transaction, cancel);
  }

  /** Lets those go that waited for the same records. */
  function end(transaction: Transaction, tell: () => void): void {
    unfinished.delete(transaction);
    const next = new Set<Transaction>();
    for (const record of transaction.records) {
      const line = lines.get(record);
      line?.shift();
      if (line?.[0] === undefined) lines.delete(record);
      else next.add(line[0]);
    }
    tell();
    for (const waiting of next) if (isFirst(waiting)) makeReady(waiting);
  }

  async function stop(): Promise<void> {
    isStopped = true;
    pace.stop();
    for (const [transaction, cancel] of pausing) {
      cancel();
      end(transaction, () => transaction.reject(busStopped()));
    }
    pausing.clear();
    while (inFlight > 0 || ready.length > 0) {
      flush();
      await new Promise<void>((resolve) => {
        whenIdle = resolve;
      });
    }
  }

  const state = () =>
    [...unfinished].slice(0, maxShown).map(
      ({ id, records, place, sinceMs, failures }): TransactionState => ({
        id,
        records,
        running: place === 'in flight',
        nFails: failures,
        waitStart: place === 'in flight' ? null : isoTime(sinceMs),
        waitDelay: place === 'pausing' ? backOffMs(Math.max(1, failures)) : null,
      }),
    );

  return { batch, state, stop };
}

function recordsOf(operations: readonly Operation[]): string[] {
  const records = operations.flatMap((operation) =>
    operation.op === 'put' || operation.op === 'delete' ? [`${operation.bucket}/${operation.key}`] : [],
  );
  return [...new Set(records)];
}

/** Those with different fences travel apart: a fence speaks for the whole batch. */
function isSociable(transaction: Transaction, first: Transaction | undefined): boolean {
  return (
    !transaction.travelsAlone && first?.travelsAlone === false && transaction.options.fence === first.options.fence
  );
}

function isDelete({ operations }: Transaction): boolean {
  return operations.length === 1 && operations[0]?.op === 'delete';
}

/** What the lost answer must have said, as far as it can be known. */
function assumedResults({ operations }: Transaction): OperationResult[] {
  const isPut = (operation: Operation): operation is Put => operation.op === 'put';
  return operations.map((operation) =>
    isPut(operation) ? { etag: etagOf(operation.value), repeated: true } : { repeated: true },
  );
}
