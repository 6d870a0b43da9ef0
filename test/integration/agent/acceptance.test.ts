/** Accepting a task when the store answers badly: the table of tasks, alone with a real store. */
import t from 'tap';
import VError from 'verror';
import { createTaskTable } from '../../../src/agent/tasks/table.js';
import type { Stored } from '../../../src/bus/types.js';
import { systemClock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import type { BatchRequest, MorayClient } from '../../../src/moray/client/types.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import type { TaskRecord } from '../../../src/records/task.js';
import { openBus, startTestBus } from '../../support/bus.js';

const me = { computeId: 'cn1', serverUuid: 'server', generation: 'second life' };
const task: TaskRecord = {
  taskId: 'task',
  jobId: 'job',
  domain: 'domain',
  phaseNum: 0,
  mantaComputeId: me.computeId,
  agentGeneration: me.generation,
  state: 'dispatched',
  timeDispatched: '2019-05-02T10:00:00.000Z',
  rIdx: 0,
};

const isAcceptance = (requests: readonly BatchRequest[]) =>
  requests.some((request) => 'value' in request && (request.value as { state?: string }).state === 'accepted');

/** The answer to the acceptance is lost, and the supervisor changes the task before it is asked for again. */
function losingAcceptance(client: MorayClient, change: Readonly<Record<string, unknown>>): MorayClient {
  let lost = false;
  return {
    ...client,
    async batch(requests, options) {
      const answer = await client.batch(requests, options);
      if (lost || !isAcceptance(requests)) return answer;
      lost = true;
      await client.updateObjects(defaultBuckets.task, change, '(taskId=task)');
      throw new VError({ name: 'FastTransportError' }, 'the answer was lost');
    },
  };
}

async function accepting(t: Tap, change: Readonly<Record<string, unknown>>) {
  const { bus, moray } = await startTestBus(t);
  await bus.batch([
    { op: 'put', bucket: 'task', key: 'task', value: task },
    {
      op: 'put',
      bucket: 'job',
      key: 'job',
      value: { jobId: 'job', owner: 'o', auth: {}, phases: [], state: 'running' },
    },
  ]);
  const told: string[] = [];
  const tell = (what: string) => () => void told.push(what);
  const table = createTaskTable({
    bus: openBus(t, losingAcceptance(moray.client, change), 'agent'),
    me,
    clock: systemClock,
    newId: () => 'new',
    log: createLogger({ name: 'test', level: 'fatal' }),
    counts: { tasks_failed: 0, tasks_committed: 0 },
    send: () => {},
    lookAgain: tell('looks again'),
    needsOf: () => ({ memoryMb: 0, diskGb: 0 }),
    imageFor: () => null,
    told: {
      accepted: tell('accepted'),
      ended: tell('ended'),
      lost: tell('lost'),
      reducerAdded: () => {},
      workArrived: () => {},
      earlyEnd: () => {},
      stop: tell('stop'),
    },
  });
  await table.onTask((await bus.get<TaskRecord>('task', 'task')) as Stored<TaskRecord>);
  const known = table.tasks.get('task');
  if (known === undefined) throw new Error('the task is not known');
  return { isOurs: await table.accept(known), known, told, stored: await bus.get<TaskRecord>('task', 'task') };
}

type Tap = Parameters<typeof startTestBus>[0];

t.test('a task whose acceptance was answered by silence is ours, with what was told since', async (t) => {
  const { isOurs, known, told, stored } = await accepting(t, { timeInputDone: '2019-05-02T10:00:01.000Z' });
  t.ok(isOurs);
  t.same(told, ['accepted']);
  t.match(stored?.value, { state: 'accepted', timeInputDone: String });
  t.match(known.stored, { value: { timeInputDone: String }, etag: stored?.etag });
});

t.test('one that was given up meanwhile is not', async (t) => {
  const { isOurs, told, stored } = await accepting(t, { state: 'done', result: 'fail', timeAbandoned: 'now' });
  t.notOk(isOurs);
  t.same(told, ['lost', 'looks again']);
  t.match(stored?.value, { state: 'done', timeAbandoned: 'now' });
});
