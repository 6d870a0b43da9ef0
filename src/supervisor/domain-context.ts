/** What the handlers of a domain's records share: narrow, so that each says what it needs. */
import type { BatchOptions, Bus, Operation, OperationResult } from '../bus/types.js';
import type { Env } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import type { HealthTable } from './agents.js';
import type { Tunables } from './config.js';
import type { Job } from './jobs/job.js';
import type { DomainQuery } from './queries.js';

export interface DomainContext {
  readonly domain: string;
  readonly tunables: Tunables;
  readonly log: Logger;
  readonly bus: Bus;
  readonly agents: HealthTable;
  env(): Env;
  /**
   * Writes behind the domain's fence. null: somebody else changed a record or the domain; whoever handles the record
   * lets go of it, it comes again if it still needs anything.
   */
  write(
    operations: readonly Operation[],
    options?: Pick<BatchOptions, 'notify' | 'merge'>,
  ): Promise<readonly OperationResult[] | null>;
  /** Runs queries of the domain at once. */
  wake(...queries: readonly DomainQuery[]): void;
  /** The job of a record; undefined when it is not (yet) here: the record comes again. */
  job(jobId: string): Job | undefined;
  /** Something happened to the job: looks whether it can go on. */
  changed(job: Job): void;
  /** An agent that does not live, but lately did or may be about to start. */
  mayReturn(agent: string): boolean;
}
