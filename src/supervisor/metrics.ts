/** `/metrics` of a supervisor: what it counts anyway, read when asked. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { BusCounters } from '../bus/types.js';
import type { Counters } from './counters.js';

export interface Gauges {
  readonly counters: Counters;
  readonly bus: BusCounters;
  readonly domains: number;
  readonly jobs: number;
  readonly agentsLiving: number;
  readonly agentsLost: number;
  readonly inPipeline: number;
  readonly setAside: number;
  readonly pushProven: boolean;
}

interface Row {
  readonly name: string;
  readonly help: string;
  readonly value: (gauges: Gauges) => number;
}

// biome-ignore format: table
const gauges: readonly Row[] = [
  { name: 'domains',            help: 'domains operated here',                            value: ({ domains }) => domains },
  { name: 'jobs',               help: 'unfinished jobs of these domains',                 value: ({ jobs }) => jobs },
  { name: 'agents_living',      help: 'agents that live',                                 value: ({ agentsLiving }) => agentsLiving },
  { name: 'agents_lost',        help: 'agents that are lost',                             value: ({ agentsLost }) => agentsLost },
  { name: 'pipeline_records',   help: 'records being located, decided and written',       value: ({ inPipeline }) => inPipeline },
  { name: 'records_aside',      help: 'invalid records that are set aside',               value: ({ setAside }) => setAside },
  { name: 'push_proven',        help: '1 while echoes of heartbeats prove that push works', value: ({ pushProven }) => Number(pushProven) },
];

// biome-ignore format: table
const counters: readonly Row[] = [
  { name: 'jobs_claimed_total',          help: 'jobs claimed',                                value: ({ counters: { jobsClaimed } }) => jobsClaimed },
  { name: 'claims_lost_total',           help: 'claims that another made, or a user crossed', value: ({ counters: { claimsLost } }) => claimsLost },
  { name: 'jobs_taken_up_total',         help: 'jobs taken up that ran before',               value: ({ counters: { jobsTakenUp } }) => jobsTakenUp },
  { name: 'jobs_done_total',             help: 'jobs ended',                                  value: ({ counters: { jobsDone } }) => jobsDone },
  { name: 'inputs_to_tasks_total',       help: 'inputs that became map tasks',                value: ({ counters: { inputsToTasks } }) => inputsToTasks },
  { name: 'inputs_to_reducers_total',    help: 'inputs given to reducers',                    value: ({ counters: { inputsToReducers } }) => inputsToReducers },
  { name: 'inputs_to_errors_total',      help: 'inputs that became errors',                   value: ({ counters: { inputsToErrors } }) => inputsToErrors },
  { name: 'inputs_dropped_total',        help: 'inputs for reducers that had ended',          value: ({ counters: { inputsDropped } }) => inputsDropped },
  { name: 'tasks_committed_ok_total',    help: 'tasks committed that succeeded',              value: ({ counters: { tasksCommittedOk } }) => tasksCommittedOk },
  { name: 'tasks_committed_fail_total',  help: 'tasks committed that failed',                 value: ({ counters: { tasksCommittedFail } }) => tasksCommittedFail },
  { name: 'tasks_retried_total',         help: 'of the failed: to be run again',              value: ({ counters: { tasksRetried } }) => tasksRetried },
  { name: 'tasks_abandoned_total',       help: 'tasks of lost or restarted agents',           value: ({ counters: { tasksAbandoned } }) => tasksAbandoned },
  { name: 'objects_removed_total',       help: 'intermediate objects removed',                value: ({ counters: { objectsRemoved } }) => objectsRemoved },
  { name: 'removals_refused_total',      help: 'intermediate objects that stay for good',     value: ({ counters: { removalsRefused } }) => removalsRefused },
  { name: 'domains_taken_over_total',    help: 'domains taken over from lost peers',          value: ({ counters: { domainsTakenOver } }) => domainsTakenOver },
  { name: 'domains_handed_back_total',   help: 'domains handed back',                         value: ({ counters: { domainsHandedBack } }) => domainsHandedBack },
  { name: 'domains_lost_total',          help: 'domains that others took from here',          value: ({ counters: { domainsLost } }) => domainsLost },
  { name: 'records_set_aside_total',     help: 'invalid records set aside',                   value: ({ counters: { recordsSetAside } }) => recordsSetAside },
  { name: 'store_queries_total',         help: 'pages read by queries',                       value: ({ bus: { queries } }) => queries },
  { name: 'store_reads_total',           help: 'single reads and counts',                     value: ({ bus: { reads } }) => reads },
  { name: 'store_batches_total',         help: 'batches sent',                                value: ({ bus: { batches } }) => batches },
  { name: 'store_operations_total',      help: 'operations in these batches',                 value: ({ bus: { operations } }) => operations },
  { name: 'store_refusals_total',        help: 'batches refused or not answered',             value: ({ bus: { refusals } }) => refusals },
];

export function registerMetrics(registry: Registry, current: () => Gauges): void {
  for (const { name, help, value } of gauges)
    new Gauge({
      name: `marlin_supervisor_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(value(current()));
      },
    });
  for (const { name, help, value } of counters)
    new Counter({
      name: `marlin_supervisor_${name}`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(value(current()));
      },
    });
}
