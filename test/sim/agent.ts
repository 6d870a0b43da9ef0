/**
 * A simulated node: the real agent's bus, queries, table of tasks and inputs, with a few slots in place of scheduler and
 * zones. A slot runs a command for a while; then it has an end, which may be that it was killed.
 */

import { inputQueries, type QueryContext, queryEveryMs, taskQueries } from '../../src/agent/queries.js';
import type { SchedulerEvent } from '../../src/agent/scheduler/events.js';
import { adoptTasks } from '../../src/agent/tasks/adopt.js';
import { createInputs, type Inputs } from '../../src/agent/tasks/inputs.js';
import { createTaskTable, type TaskTable } from '../../src/agent/tasks/table.js';
import { allInputsRead, type Task, type TaskEnd } from '../../src/agent/tasks/task.js';
import { createBus } from '../../src/bus/bus.js';
import { agentChannel, domainsChannel } from '../../src/bus/channels.js';
import type { Subscription } from '../../src/bus/types.js';
import { sleep } from '../../src/common/clock.js';
import { isoTime } from '../../src/common/iso-time.js';
import type { Logger } from '../../src/common/logging.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import { newId } from '../../src/supervisor/ids.js';
import { taskObjectNames } from '../../src/taskapi/object-names.js';
import type { Network } from './network.js';
import { isBad, login, mapped, type Objects, type Tokens } from './objects.js';
import type { Life } from './process.js';
import type { Chance } from './random.js';

export interface AgentWorld {
  readonly network: Network;
  readonly objects: Objects;
  readonly log: Logger;
  /** How often an attempt is killed to make room, and how often it fails for other reasons. */
  readonly killed: () => number;
  readonly fails: () => number;
  readonly heartbeatMs: number;
  /** Attempt and what its program was given. */
  readonly ran: (taskId: string, inputs: readonly string[]) => void;
}

const slotCount = 3;
const acceptAhead = 4;
const pollMs = 1_000;
const checkAfterMs = 15_000;

export async function runAgent(life: Life, chance: Chance, world: AgentWorld): Promise<void> {
  const { network, objects, log } = world;
  const { clock, name } = life;
  const me = {
    computeId: name,
    serverUuid: `server of ${name}`,
    generation: `${isoTime(clock.nowMs())}/${life.number}`,
  };
  const random = () => chance.next();
  const ids = () => newId(random);
  const moray = network.clientOf(life);
  const options = { moray, buckets: defaultBuckets, clock, random, log, defer: life.defer };
  const bus = createBus({ ...options, instance: name });
  const subscriptions = { tasks: [] as Subscription[], inputs: [] as Subscription[] };
  const wake = (what: 'tasks' | 'inputs') => {
    for (const subscription of subscriptions[what]) subscription.wake();
  };
  const queued: string[] = [];
  let busySlots = 0;
  /** Of tasks that run: called when they have something to do, or must stop. */
  const nudges = new Map<Task, () => void>();
  const stopped = new Set<Task>();

  const send = (event: SchedulerEvent) => {
    if (event.event === 'task runnable') queued.push(event.task);
    if (event.event === 'task withdrawn') remove(queued, event.task);
    life.defer(fill);
  };

  const table: TaskTable = createTaskTable({
    bus,
    me,
    clock,
    newId: ids,
    log,
    counts: { tasks_failed: 0, tasks_committed: 0 },
    send,
    needsOf: () => ({ memoryMb: 0, diskGb: 0 }),
    imageFor: () => ({ name: 'sim', version: '16.1.0' }),
    lookAgain: () => wake('tasks'),
    told: {
      accepted: (task) => inputs.accepted(task),
      ended: (task) => inputs.ended(task),
      lost: (task) => inputs.lost(task),
      reducerAdded: () => wake('inputs'),
      workArrived: (task) => nudges.get(task)?.(),
      earlyEnd: () => {},
      stop: (task) => {
        stopped.add(task);
        nudges.get(task)?.();
      },
    },
  });
  const inputs: Inputs = createInputs({
    tasks: table.tasks,
    bus,
    clock,
    log,
    inputArrived: (task) => table.inputArrived(task),
    wantMore: () => wake('inputs'),
  });

  /** Reducers always have a place: the real scheduler sees to it that those that wait keep nobody from running. */
  function fill(): void {
    for (const taskId of [...queued]) {
      const task = table.tasks.get(taskId);
      const weight = task?.stored.value.input === undefined ? 0 : 1;
      if (busySlots + weight > slotCount) continue;
      remove(queued, taskId);
      if (task === undefined || task.state === 'done' || task.zone !== null) continue;
      busySlots += weight;
      task.zone = `zone of ${name}`;
      void run(task).finally(() => {
        busySlots -= weight;
        life.defer(fill);
      });
    }
    for (const taskId of queued.slice(0, acceptAhead)) {
      const task = table.tasks.get(taskId);
      if (task?.group.details?.isMap === true && task.state === 'dispatched') void table.accept(task);
    }
  }

  async function run(task: Task): Promise<void> {
    if (!(await table.accept(task))) return;
    await sleep(clock, chance.next() * 400);
    const given = await gather(task);
    if (given === null || stopped.has(task)) return;
    await sleep(clock, chance.next() * 600);
    if (stopped.has(task)) return;
    world.ran(task.id, given);
    const { input, phaseNum } = task.stored.value;
    const tokens = given.flatMap((object) => objects.contents.get(object) ?? [`missing ${object}`]);
    const end = endOf(tokens, phaseNum === 0 && input !== undefined);
    const made = input === undefined ? (tokens.length === 0 ? [] : [[...tokens].sort()]) : mapped(tokens, phaseNum);
    const count = end.result === 'ok' ? made.length : chance.between(0, made.length);
    for (const [index, output] of made.slice(0, count).entries()) {
      await emit(task, index, output);
      if (stopped.has(task)) return;
    }
    table.finish(task, end);
  }

  function endOf(tokens: Tokens, mayBeBad: boolean): TaskEnd {
    const fail = (code: 'UserTaskError' | 'TaskKilledError' | 'InternalError', message: string): TaskEnd => ({
      result: 'fail',
      error: { code, message },
      machine: 'zone',
    });
    if (mayBeBad && tokens.some(isBad)) return fail('UserTaskError', 'user command exited with code 1');
    if (chance.happens(world.killed())) return fail('TaskKilledError', 'task killed (excessive resource usage)');
    if (chance.happens(world.fails())) return fail('InternalError', 'internal error');
    return { result: 'ok', machine: 'zone' };
  }

  /** What the program is given; a reducer waits for all of it. null: it must stop. */
  async function gather(task: Task): Promise<string[] | null> {
    const { input } = task.stored.value;
    if (input !== undefined) return [input];
    const given: string[] = [];
    while (!stopped.has(task)) {
      if (task.state === 'done') return null;
      const some = task.inputs.map(({ stored }) => stored.value.input);
      given.push(...some);
      inputs.fed(task, some.length);
      if (some.length > 0) continue;
      if (allInputsRead(task)) return given;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(5_000, resolve);
        nudges.set(task, () => {
          cancel();
          resolve();
        });
      });
      nudges.delete(task);
    }
    return null;
  }

  /** Stores the object first, then says so. */
  async function emit(task: Task, index: number, tokens: Tokens): Promise<void> {
    const { jobId, phaseNum, input, p0input, rIdx } = task.stored.value;
    const isReduce = rIdx !== undefined;
    const names = taskObjectNames({ login, jobId, phaseNum, taskId: task.id, isReduce, input, p0input });
    const object = index === 0 ? names.taskOutputKey : `${names.taskOutputBase}${ids()}`;
    await new Promise<void>((resolve) => network.delay(life, resolve));
    objects.put(object, tokens, [name]);
    await table.addOutput(task, object, null);
  }

  const health = { component: 'agent', instance: name, serverUuid: me.serverUuid, generation: me.generation } as const;
  await adoptTasks(bus, me);
  await bus.heartbeat(health, { notify: [[domainsChannel, ['health']]] });
  const context: QueryContext = { me, table, inputs };
  const poll = { channels: [agentChannel(name)], everyMs: queryEveryMs, unprovenEveryMs: pollMs };
  for (const row of taskQueries)
    subscriptions.tasks.push(
      bus.subscribe({ ...poll, ...row, filter: () => row.filter(context), onRecord: row.onRecord(context) }),
    );
  for (const row of inputQueries)
    subscriptions.inputs.push(
      bus.subscribe({ ...poll, ...row, filter: () => row.filter(context), onRecord: row.onRecord(context) }),
    );
  every(life, world.heartbeatMs, () => bus.heartbeat(health));
  every(life, checkAfterMs, () => table.dropAbandoned(checkAfterMs));
}

/** Again and again, each time after the last has ended. */
function every(life: Life, everyMs: number, action: () => Promise<void>): void {
  life.clock.after(everyMs, () => {
    void action()
      .catch(() => {}) // what went wrong is tried again
      .finally(() => every(life, everyMs, action));
  });
}

function remove(list: string[], item: string): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
