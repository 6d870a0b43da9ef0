/** Composition of the bus. */
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import type { MorayClient } from '../moray/client/types.js';
import type { BucketName } from '../records/buckets.js';
import type { Bus } from './types.js';

export interface BusOptions {
  readonly moray: MorayClient;
  /** Names in Moray by logical name. */
  readonly buckets: Readonly<Record<BucketName, string>>;
  /** Of the process: names the channel on which it proves that push works. */
  readonly instance: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

export function createBus(options: BusOptions): Bus {
  throw new Error(`the bus of ${options.instance} is being built`);
}
