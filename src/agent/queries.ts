/** What the agent looks for in the store, all of it. Source: spec 05 §3.2. */

import type { Stored } from '../bus/types.js';
import { absent, and, eq, not, present } from '../moray/client/filter.js';
import type { TaskRecord } from '../records/task.js';
import type { TaskInputRecord } from '../records/task-input.js';
import type { Inputs } from './tasks/inputs.js';
import type { AgentIdentity } from './tasks/records.js';
import type { TaskTable } from './tasks/table.js';

export interface QueryContext {
  readonly me: AgentIdentity;
  readonly table: TaskTable;
  readonly inputs: Inputs;
}

interface PollingQuery<Bucket extends 'task' | 'taskinput', Value> {
  readonly name: string;
  readonly bucket: Bucket;
  readonly filter: (context: QueryContext) => string;
  readonly onRecord: (context: QueryContext) => (stored: Stored<Value>) => Promise<void> | void;
}

const mine = ({ me }: QueryContext, ...also: readonly string[]) => and(eq('mantaComputeId', me.computeId), ...also);
const accepted = ({ me }: QueryContext) => and(eq('state', 'accepted'), eq('agentGeneration', me.generation));

/** Whatever generation they carry: accepting gives them ours. */
const dispatched = (context: QueryContext) => mine(context, eq('state', 'dispatched'), absent('timeAbandoned'));

export const taskQueries: readonly PollingQuery<'task', TaskRecord>[] = [
  { name: 'tasks dispatched', bucket: 'task', filter: dispatched, onRecord: ({ table }) => table.onTask },
  {
    name: 'tasks cancelled',
    bucket: 'task',
    filter: (context) => mine(context, accepted(context), present('timeCancelled')),
    onRecord: ({ table }) => table.onCancelled,
  },
  {
    name: 'tasks input done',
    bucket: 'task',
    filter: (context) =>
      mine(context, accepted(context), absent('timeCancelled'), present('timeInputDone'), absent('timeInputDoneRead')),
    onRecord: ({ table }) => table.onInputDone,
  },
];

/** Reducers that hold enough names leave the rest in the store; more than these would not fit a filter. */
const maxLeftOut = 100;

export const inputQueries: readonly PollingQuery<'taskinput', TaskInputRecord>[] = [
  {
    name: 'task inputs',
    bucket: 'taskinput',
    filter: (context) =>
      mine(
        context,
        absent('timeRead'),
        absent('timeJobCancelled'),
        absent('retryTaskId'),
        ...[...context.inputs.full].slice(0, maxLeftOut).map((taskId) => not(eq('taskId', taskId))),
      ),
    onRecord: ({ inputs }) => inputs.onTaskInput,
  },
];

/** While push is proven to work; the bus polls faster otherwise. */
export const queryEveryMs = 10_000;
