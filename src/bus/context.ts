/** What the parts of the bus share. */
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import type { MorayClient } from '../moray/client/types.js';
import type { BucketName } from '../records/buckets.js';
import { busTimeout } from './errors.js';
import type { BusCounters } from './types.js';

export interface BusContext {
  readonly moray: MorayClient;
  /** Names in Moray by logical name. */
  readonly buckets: Readonly<Record<BucketName, string>>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
  /** Runs the action soon, after everything that is ready to run now. */
  readonly defer: (action: () => void) => void;
  readonly counters: { -readonly [Name in keyof BusCounters]: number };
}

/** A connection may be dead without anybody noticing: then no answer ever comes. */
const answerTimeoutMs = 60_000;

/** Rejects with a transient error when no answer comes. */
export function answered<Result>({ clock }: BusContext, what: string, call: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(answerTimeoutMs, () => reject(busTimeout(what, answerTimeoutMs)));
    call.then(resolve, reject).finally(cancel);
  });
}
