/**
 * A node of `make sim-scale`: once a second it takes all that is dispatched to it, and says that it is done. It shares no
 * code with the real agent: only the supervisor is looked at there.
 */
import { domainChannel, domainsChannel } from '../../src/bus/channels.js';
import { isoTime } from '../../src/common/iso-time.js';
import { absent, and, eq, present } from '../../src/moray/client/filter.js';
import type { BatchRequest } from '../../src/moray/client/types.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { JobRecord } from '../../src/records/job.js';
import type { TaskRecord } from '../../src/records/task.js';
import type { TaskInputRecord } from '../../src/records/task-input.js';
import type { TaskOutputRecord } from '../../src/records/task-output.js';
import { newId } from '../../src/supervisor/ids.js';
import type { Network } from './network.js';
import { login, type Objects } from './objects.js';
import type { Life } from './process.js';
import type { Chance } from './random.js';
import type { Store } from './store.js';

interface Found<Value> {
  readonly key: string;
  readonly _etag: string;
  readonly value: Value;
}

const stepMs = 1_000;
const stepsPerBeat = 5;
/** Tasks, or inputs, in one batch. */
const batchLimit = 100;

interface Parts {
  readonly network: Network;
  readonly store: Store;
  readonly objects: Objects;
  /** Only beats. */
  readonly isPaused: () => boolean;
}

export function runScaleAgent(life: Life, chance: Chance, { network, store, objects, isPaused }: Parts): void {
  const { clock, name } = life;
  const moray = network.clientOf(life, true);
  const generation = isoTime(clock.nowMs());
  const ids = () => newId(() => chance.next());
  const mine = (...also: string[]) => and(eq('mantaComputeId', name), ...also);
  /** Inputs that reducers have read. */
  const read = new Map<string, number>();
  let steps = 0;

  function find<Value>(bucket: 'task' | 'taskinput', filter: string): Found<Value>[] {
    return store.find(defaultBuckets[bucket], filter, { limit: 1_000, no_count: true });
  }

  const put = (bucket: keyof typeof defaultBuckets, key: string, value: object, etag?: string): BatchRequest => ({
    operation: 'put',
    bucket: defaultBuckets[bucket],
    key,
    value,
    ...(etag === undefined ? {} : { options: { etag } }),
  });

  function ended({ key, _etag, value }: Found<TaskRecord>): BatchRequest[] {
    const { jobId, taskId, phaseNum, domain, input = 'reduce' } = value;
    const now = isoTime(clock.nowMs());
    const job = store.row('job', jobId)?.value as unknown as JobRecord;
    const intermediate = phaseNum < job.phases.length - 1 ? 'true' : 'false';
    const object = `/${login}/jobs/${jobId}/stor/${input.replace(/.*\//, '')}.${phaseNum}.${ids()}`;
    objects.put(object, ['x'], [name]);
    const output: TaskOutputRecord = {
      jobId,
      taskId,
      domain,
      phaseNum,
      intermediate,
      output: object,
      timeCreated: now,
    };
    const accepted = { timeAccepted: value.timeAccepted ?? now, agentGeneration: generation };
    const done: TaskRecord = { ...value, ...accepted, state: 'done', result: 'ok', nOutputs: 1, timeDone: now };
    return [put('taskoutput', ids(), output), put('task', key, done, _etag)];
  }

  async function write<Record extends { value: { domain?: string } }>(
    records: readonly Record[],
    change: (record: Record) => BatchRequest[],
  ): Promise<void> {
    for (let at = 0; at < records.length; at += batchLimit) {
      const some = records.slice(at, at + batchLimit);
      const domains = new Set(some.map(({ value }) => value.domain ?? ''));
      const notify = [...domains].map((domain): [string, string] => [domainChannel(domain), 'task,taskoutput']);
      await moray.batch(some.flatMap(change), { notify });
    }
  }

  async function work(): Promise<void> {
    if (isPaused()) return;
    const dispatched = find<TaskRecord>('task', mine(eq('state', 'dispatched'), absent('timeAbandoned')));
    await write(
      dispatched.filter(({ value }) => value.input !== undefined),
      ended,
    );
    await write(
      dispatched.filter(({ value }) => value.input === undefined),
      ({ key, _etag, value }) => {
        const accepted = { state: 'accepted', agentGeneration: generation, timeAccepted: isoTime(clock.nowMs()) };
        return [put('task', key, { ...value, ...accepted }, _etag)];
      },
    );
    const inputs = find<TaskInputRecord>('taskinput', mine(absent('timeRead'), absent('retryTaskId')));
    await write(inputs, ({ key, _etag, value }) => {
      read.set(value.taskId, (read.get(value.taskId) ?? 0) + 1);
      return [put('taskinput', key, { ...value, timeRead: isoTime(clock.nowMs()) }, _etag)];
    });
    const told = find<TaskRecord>('task', mine(eq('state', 'accepted'), present('timeInputDone')));
    await write(
      told.filter(({ value }) => value.nInputs === (read.get(value.taskId) ?? 0)),
      (record) => {
        read.delete(record.value.taskId);
        return ended(record);
      },
    );
  }

  function step(): void {
    const beat = put('health', name, { component: 'agent', instance: name, generation });
    if (steps++ % stepsPerBeat === 0)
      void moray.batch([beat], { notify: steps === 1 ? [[domainsChannel, 'health']] : [] });
    // A record that was changed meanwhile is found again.
    void work()
      .catch(() => {})
      .finally(() => clock.after(stepMs, step));
  }

  clock.after(chance.next() * stepMs, step);
}
