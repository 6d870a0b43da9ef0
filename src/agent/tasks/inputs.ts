/**
 * Inputs of reducers: from the store into the memory of a task, at most 1,000 names each. The record is marked as read
 * once the task is accepted: only then the input belongs to this attempt. What does not fit stays in the store: the
 * query leaves full reducers out until half of their names are fed. Inputs are taken by their task, whatever generation
 * they carry. Source: spec 05 §3.4.
 */
import type { Bus, Stored } from '../../bus/types.js';
import type { Clock } from '../../common/clock.js';
import { isoTime } from '../../common/iso-time.js';
import type { Logger } from '../../common/logging.js';
import { isTaskInputRecord, type TaskInputRecord } from '../../records/task-input.js';
import { createLogThrottle } from '../log-throttle.js';
import { readInput } from './records.js';
import { allInputsRead, type Task, type TaskInput } from './task.js';

export interface InputsParts {
  readonly tasks: ReadonlyMap<string, Task>;
  readonly bus: Pick<Bus, 'batch'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly inputArrived: (task: Task) => void;
  /** Asks for the inputs that were left in the store. */
  readonly wantMore: () => void;
}

export interface Inputs {
  onTaskInput(stored: Stored<TaskInputRecord>): Promise<void> | void;
  /** The task is ours from now on. */
  accepted(task: Task): void;
  /** The oldest `count` inputs are fed. */
  fed(task: Task, count: number): void;
  /** What is in memory for the task is dropped. */
  lost(task: Task): void;
  /** The reducer has ended: inputs that are still to come are only marked. */
  ended(task: Task): void;
  /** Reducers whose inputs are to stay in the store. */
  readonly full: ReadonlySet<string>;
}

const maxHeldNames = 1_000;
const maxRemembered = 10_000;

export function createInputs(parts: InputsParts): Inputs {
  const { tasks, bus, clock, log } = parts;
  const full = new Set<string>();
  const throttled = createLogThrottle(clock);
  /** Inputs in memory that are not marked: the query delivers them again and again. */
  const held = new Set<string>();
  /** A query that was under way while an input was marked may deliver it once more. */
  const marked = new Set<string>();
  const endedReducers = new Set<string>();

  function onTaskInput(stored: Stored<TaskInputRecord>): Promise<void> | void {
    if (!isTaskInputRecord(stored.value)) {
      const problem = isTaskInputRecord.problem(stored.value);
      throttled(`record taskinput/${stored.key}`, () => {
        log.warn({ record: stored.key, problem }, 'onRecord: validation error');
      });
      return;
    }
    const task = tasks.get(stored.value.taskId);
    if (task === undefined || task.state === 'done') {
      return endedReducers.has(stored.value.taskId) ? mark(stored) : undefined;
    }
    if (held.has(stored.key) || marked.has(stored.key)) return;
    if (allInputsRead(task)) {
      log.error({ task: task.id, input: stored.value.input }, 'dropping key: all inputs have been read already');
      return mark(stored);
    }
    if (task.inputs.length >= maxHeldNames) {
      full.add(task.id);
      return;
    }
    return hold(task, stored);
  }

  function hold(task: Task, stored: Stored<TaskInputRecord>): Promise<void> | void {
    const input: TaskInput = { stored, marked: false };
    task.readCount++;
    held.add(stored.key);
    if (task.early === null) task.inputs.push(input);
    const marking = task.state === 'accepted' ? markHeld(input) : undefined;
    parts.inputArrived(task);
    return marking;
  }

  function markHeld(input: TaskInput): Promise<void> | void {
    if (input.marked) return;
    input.marked = true;
    held.delete(input.stored.key);
    remember(marked, input.stored.key);
    return mark(input.stored);
  }

  async function mark(stored: Stored<TaskInputRecord>): Promise<void> {
    const operation = readInput(stored, isoTime(clock.nowMs()));
    await bus.batch([operation]).catch((error: unknown) => {
      log.info({ err: error, taskInput: stored.key }, 'input was changed while it was read');
    });
  }

  function drop(task: Task): void {
    full.delete(task.id);
    for (const input of task.inputs.splice(0)) held.delete(input.stored.key);
  }

  return {
    full,
    onTaskInput,
    accepted(task) {
      for (const input of task.inputs) void markHeld(input);
    },
    fed(task, count) {
      task.inputs.splice(0, count);
      if (task.inputs.length <= maxHeldNames / 2 && full.delete(task.id)) parts.wantMore();
    },
    lost: drop,
    ended(task) {
      drop(task);
      if (task.group.details?.isReduce === true) remember(endedReducers, task.id);
    },
  };
}

/** The oldest is forgotten when there are too many. */
function remember(set: Set<string>, id: string): void {
  set.add(id);
  const [oldest] = set;
  if (set.size > maxRemembered && oldest !== undefined) set.delete(oldest);
}
