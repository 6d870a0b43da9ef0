/** What the parts of a domain share: narrow, so that each says what it needs. */
import type { BatchOptions, Bus, Operation, OperationResult } from '../bus/types.js';
import type { Env } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import type { HealthTable } from './agents.js';
import type { Tunables } from './config.js';
import type { Counters } from './counters.js';
import type { Job } from './jobs/job.js';
import type { JobTable } from './jobs/table.js';
import type { Turns } from './jobs/turns.js';
import type { AgentLoad } from './pipeline/load.js';
import type { DomainQuery } from './queries.js';

export interface DomainContext {
  readonly domain: string;
  readonly tunables: Tunables;
  readonly log: Logger;
  readonly bus: Bus;
  readonly agents: HealthTable;
  readonly load: AgentLoad;
  readonly counters: Counters;
  readonly jobs: JobTable;
  readonly turns: Turns;
  readonly isStopped: boolean;
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
  wake(...queries: readonly (DomainQuery | 'jobsCreated')[]): void;
  /** Work that nobody waits for, so that a stop can. A failure is logged: whatever it was, it is tried again. */
  follow(what: string, work: Promise<unknown>): void;
  /** Something happened to the job: looks whether it can go on. */
  changed(job: Job): void;
  /** Looks at the job whatever its hints say. */
  look(job: Job): void;
  /** An agent that does not live, but lately did or may be about to start; '': any. */
  mayReturn(agent: string): boolean;
  /** A task was written for an agent. It may have been lost, or have restarted, while the write was on its way. */
  taskGiven(to: { readonly agent: string; readonly generation: string }): void;
  /**
   * Looks for tasks at lost agents, not more often than an agent is lost: of a process that died, a late write. Agents
   * that live find what was dispatched to them whatever generation it bears.
   */
  sweepLost(): void;
  /** Removes an intermediate object of the job; resolves when it is gone, or cannot be removed for good. */
  remove(job: Job, name: string): Promise<void>;
}
