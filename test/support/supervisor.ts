/**
 * A supervisor with real Moray, and a fake of what lies across the border: an agent that runs JavaScript functions in
 * place of shell commands, and a front door that only removes objects. The contents of objects are in memory.
 */
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import VError from 'verror';
import type { AccountAnswer } from '../../src/accounts/types.js';
import { createBus } from '../../src/bus/bus.js';
import { agentChannel, domainChannel, jobChannel, jobsChannel } from '../../src/bus/channels.js';
import { ensureBuckets } from '../../src/bus/ensure-buckets.js';
import type { Bus, Stored } from '../../src/bus/types.js';
import { systemClock } from '../../src/common/clock.js';
import { isoTime } from '../../src/common/iso-time.js';
import { createLogger } from '../../src/common/logging.js';
import { connectMoray } from '../../src/moray/client/client.js';
import { absent, and, eq, present } from '../../src/moray/client/filter.js';
import type { MorayClient } from '../../src/moray/client/types.js';
import { type BucketName, defaultBuckets } from '../../src/records/buckets.js';
import type { ErrorRecord } from '../../src/records/error.js';
import type { JobRecord, Phase } from '../../src/records/job.js';
import type { TaskRecord } from '../../src/records/task.js';
import type { TaskInputRecord } from '../../src/records/task-input.js';
import type { TaskOutputRecord } from '../../src/records/task-output.js';
import type { SupervisorConfig } from '../../src/supervisor/config.js';
import { type Supervisor, startSupervisor } from '../../src/supervisor/supervisor.js';
import { createRemover } from '../../src/supervisor/tasks/remove.js';
import { startTestMoray } from './moray.js';
import type { TestContext } from './one-box.js';
import { supervisorConfig } from './supervisor-config.js';

export const owner = '11111111-1111-4111-8111-111111111111';
const log = createLogger({ name: 'test', level: process.env['LOG_LEVEL'] ?? 'fatal', stream: process.stderr });

const account: AccountAnswer = {
  account: {
    uuid: owner,
    login: 'wilma',
    approved_for_provisioning: true,
    groups: [],
    isOperator: false,
    keys: {},
    roles: [],
    defaultRoles: [],
  },
  roles: {},
};

/** What a task does: gives its outputs, or throws a `TaskFailure`. */
export type Command = (inputs: readonly string[], task: TaskRecord) => readonly string[];

export class TaskFailure extends Error {
  constructor(
    readonly code: string,
    message: string,
    /** What it had made by then. */
    readonly outputs: readonly string[] = [],
  ) {
    super(message);
  }
}

export interface World {
  readonly morayUrl: string;
  readonly client: MorayClient;
  readonly bus: Bus;
  readonly removed: string[];
  /** By name, `/wilma/…`. */
  readonly contents: Map<string, string>;
  /** @param through what lies between it and the store. */
  startSupervisor(
    instance: string,
    tunables?: Partial<SupervisorConfig['tunables']>,
    through?: (client: MorayClient) => MorayClient,
  ): Promise<RunningSupervisor>;
  startAgent(id: string, command: (phase: number) => Command): Promise<FakeAgent>;
  putObject(name: string, content: string): Promise<void>;
  submit(phases: readonly Phase[], inputs: readonly string[], endInput?: boolean): Promise<string>;
  change(jobId: string, fields: Partial<JobRecord>): Promise<void>;
  claimed(jobId: string): Promise<JobRecord>;
  done(jobId: string): Promise<JobRecord>;
  outputs(job: JobRecord): Promise<string[]>;
  errors(jobId: string): Promise<ErrorRecord[]>;
  tasks(jobId: string): Promise<TaskRecord[]>;
}

export interface RunningSupervisor {
  readonly supervisor: Supervisor;
  stop(): Promise<void>;
  /** Cuts its connection to the store first: what is in flight is lost. */
  kill(): Promise<void>;
}

export interface FakeAgent {
  readonly id: string;
  /** Forgets everything, and comes back with a new generation. */
  restart(): Promise<void>;
  /** Falls silent. */
  die(): void;
  stop(): Promise<void>;
}

export async function startWorld(t: TestContext): Promise<World> {
  const moray = await startTestMoray(t);
  const { client } = moray;
  await ensureBuckets({ moray: client, buckets: defaultBuckets, clock: systemClock, log });
  await client.putBucket('manta', { index: { type: { type: 'string' } }, options: { version: 1 } });
  const storageIndex = { manta_compute_id: { type: 'string' }, manta_storage_id: { type: 'string' } } as const;
  await client.putBucket('manta_storage', { index: storageIndex, options: { version: 1 } });
  const contents = new Map<string, string>();
  const removed: string[] = [];
  const door = http.createServer((request, response) => {
    const name = decodeURIComponent(request.url ?? '');
    if (request.method !== 'DELETE' || request.headers.authorization !== 'Token secret') response.statusCode = 403;
    else response.statusCode = contents.delete(name) ? 204 : 404;
    removed.push(name);
    void client.delObject('manta', internal(name)).catch(() => {});
    response.end();
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  const doorUrl = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  const options = { buckets: defaultBuckets, clock: systemClock, random: Math.random, log };
  const bus = createBus({ ...options, moray: client, instance: `test-${randomUUID()}` });
  const stops: (() => Promise<void>)[] = [];
  t.teardown(async () => {
    await Promise.all(stops.map((stop) => stop().catch(() => {})));
    await bus.stop();
    door.closeAllConnections();
    door.close();
  });

  const once = (jobId: string, is: string) =>
    new Promise<JobRecord>((resolve) => {
      const watch = bus.subscribe<JobRecord>({
        name: 'test: a job',
        bucket: 'job',
        filter: () => and(eq('jobId', jobId), is),
        channels: [jobChannel(jobId)],
        everyMs: 200,
        onRecord: ({ value }) => {
          resolve(value);
          watch.stop();
        },
      });
    });

  const world: World = {
    morayUrl: moray.url,
    client,
    bus,
    removed,
    contents,
    async startSupervisor(instance, tunables = {}, through = (client) => client) {
      const config = supervisorConfig({
        instanceUuid: instance,
        port: 0,
        manta: { url: doorUrl },
        moray: { index: { url: moray.url }, storage: { url: moray.url } },
        auth: { url: 'http://unused' },
        tunables,
      });
      const own = await connectMoray({ url: moray.url, log });
      const ownBus = createBus({ ...options, moray: through(own), instance });
      const accounts = {
        async user(login: string) {
          if (login === 'wilma') return account;
          throw new VError({ name: 'AccountDoesNotExistError' }, 'no such account');
        },
      };
      const remover = createRemover({ url: config.manta.url, timeoutMs: 30_000, limit: 50 });
      const outside = { bus: ownBus, index: own, accounts, remover };
      const here = { clock: systemClock, defer: setImmediate, random: Math.random, log };
      const supervisor = await startSupervisor(config, { ...outside, ...here });
      let ended = false;
      const end = async (first: () => Promise<void>, second: () => Promise<void>) => {
        if (ended) return;
        ended = true;
        await first();
        await second();
        remover.close();
      };
      const running: RunningSupervisor = {
        supervisor,
        stop: () =>
          end(
            () => supervisor.stop(),
            async () => {
              await ownBus.stop();
              await own.close();
            },
          ),
        kill: () =>
          end(
            () => own.close(),
            async () => {
              void supervisor.stop().catch(() => {});
              void ownBus.stop().catch(() => {});
            },
          ),
      };
      stops.push(running.stop);
      return running;
    },
    async startAgent(id, command) {
      await client.putObject('manta_storage', `1.stor.${id}`, {
        manta_storage_id: `1.stor.${id}`,
        manta_compute_id: id,
        zone_uuid: `zone-${id}`,
      });
      const agent = await startFakeAgent(world, id, command);
      stops.push(agent.stop);
      return agent;
    },
    async putObject(name, content) {
      const storage: { manta_storage_id: string }[] = [];
      for await (const { value } of client.findObjects('manta_storage', present('manta_storage_id')))
        storage.push({ manta_storage_id: String(value['manta_storage_id']) });
      const objectId = randomUUID();
      contents.set(name, content);
      await client.putObject('manta', internal(name), {
        type: 'object',
        key: internal(name),
        owner,
        creator: owner,
        objectId,
        contentLength: content.length,
        sharks: content.length === 0 ? [] : storage, // of the agents started before
      });
    },
    async submit(phases, inputs, endInput = true) {
      const jobId = randomUUID();
      const job: JobRecord = {
        jobId,
        owner,
        name: '',
        auth: { login: 'wilma', token: 'secret', uuid: owner, groups: [], principal: { ...account } },
        phases: [...phases],
        options: {},
        state: 'queued',
        timeCreated: isoTime(Date.now()),
      };
      await bus.batch([{ op: 'put', bucket: 'job', key: jobId, value: job, etag: null }], {
        notify: [[jobsChannel, ['job']]],
      });
      for (let at = 0; at < inputs.length; at += 100)
        await bus.batch(
          inputs.slice(at, at + 100).map((input) => ({
            op: 'put',
            bucket: 'jobinput',
            key: randomUUID(),
            value: { jobId, input, timeCreated: isoTime(Date.now()) },
          })),
          { notify: [[jobsChannel, ['jobinput']]] },
        );
      if (endInput) await world.change(jobId, { timeInputDone: isoTime(Date.now()) });
      return jobId;
    },
    async change(jobId, fields) {
      const stored = await bus.get<JobRecord>('job', jobId);
      if (stored === null) throw new Error('no such job');
      let worker = stored.value.worker;
      await bus.batch(
        [{ op: 'put', bucket: 'job', key: jobId, etag: stored.etag, value: { ...stored.value, ...fields } }],
        {
          merge: (_mine, now) => {
            worker = (now.value as JobRecord).worker;
            return { ...now.value, ...fields };
          },
        },
      );
      if (worker === undefined) bus.notify(jobsChannel, ['job']);
      else bus.notify(domainChannel(worker), ['job', 'jobinput']);
    },
    done: (jobId) => once(jobId, eq('state', 'done')),
    claimed: (jobId) => once(jobId, present('worker')),
    async outputs(job) {
      const filter = and(
        eq('jobId', job.jobId),
        eq('phaseNum', job.phases.length - 1),
        present('timeCommitted'),
        eq('valid', 'true'),
      );
      const names: string[] = [];
      for await (const { value } of bus.find<TaskOutputRecord>('taskoutput', filter)) names.push(value.output);
      return names.map((name) => contents.get(name) ?? `missing: ${name}`).sort();
    },
    errors: (jobId) => collect(bus, 'error', and(eq('jobId', jobId), present('timeCommitted'), eq('retried', 'false'))),
    tasks: (jobId) => collect(bus, 'task', eq('jobId', jobId)),
  };
  return world;
}

async function collect<Value>(bus: Bus, bucket: BucketName, filter: string): Promise<Value[]> {
  const values: Value[] = [];
  for await (const { value } of bus.find<Value>(bucket, filter)) values.push(value);
  return values;
}

function internal(name: string): string {
  return name.replace(/^\/wilma\//, `/${owner}/`);
}

async function startFakeAgent(world: World, id: string, command: (phase: number) => Command): Promise<FakeAgent> {
  const { bus, contents } = world;
  let generation = '';
  let life = 0;
  let alive = true;
  const reducing = new Map<string, { task: Stored<TaskRecord>; names: Map<string, string> }>();

  const beat = () =>
    bus.batch([{ op: 'put', bucket: 'health', key: id, value: { component: 'agent', instance: id, generation } }], {
      notify: [['marlin.domains', ['health']]],
    });
  const write = async (
    operations: Parameters<Bus['batch']>[0],
    domain: string,
    merge?: NonNullable<Parameters<Bus['batch']>[1]>['merge'],
  ) => {
    try {
      const [result] = await bus.batch(operations, {
        notify: [[domainChannel(domain), ['task', 'taskoutput']]],
        ...(merge === undefined ? {} : { merge }),
      });
      return result?.etag ?? null;
    } catch (error) {
      if (VError.hasCauseWithName(error as Error, 'EtagConflictError')) return null;
      throw error;
    }
  };
  const put = (task: Stored<TaskRecord>, change: Partial<TaskRecord>) =>
    ({ op: 'put', bucket: 'task', key: task.key, etag: task.etag, value: { ...task.value, ...change } }) as const;

  /** What happened to the task meanwhile stays, unless it was taken from this life of the agent. */
  const over = (change: Partial<TaskRecord>) => (_mine: unknown, stored: Stored<object>) => {
    const task = stored.value as TaskRecord;
    return task.state === 'accepted' && task.agentGeneration === generation ? { ...task, ...change } : null;
  };

  const accept = async (task: Stored<TaskRecord>) => {
    const mine = life;
    if (!alive) return;
    if (task.value.timeCancelled !== undefined) {
      await write(
        [put(task, { state: 'done', result: 'fail', nOutputs: 0, timeDone: isoTime(Date.now()) })],
        task.value.domain,
      );
      return;
    }
    const accepted = { state: 'accepted', timeAccepted: isoTime(Date.now()) } as const;
    const etag = await write([put(task, accepted)], task.value.domain);
    if (etag === null || mine !== life || !alive) return;
    const now = { ...task, etag, value: { ...task.value, ...accepted } };
    if (task.value.input === undefined) {
      reducing.set(task.key, { task: now, names: new Map() });
      inputQuery.wake();
      endQuery.wake();
    } else await run(now, [task.value.input], mine);
  };

  const run = async (task: Stored<TaskRecord>, inputs: readonly string[], mine: number) => {
    const { value } = task;
    const now = isoTime(Date.now());
    const base = { jobId: value.jobId, domain: value.domain, phaseNum: value.phaseNum };
    const emit = async (results: readonly string[]) => {
      const job = await bus.get<JobRecord>('job', value.jobId);
      const last = (job?.value.phases.length ?? 1) - 1;
      const outputs = [];
      for (const text of results) {
        const stem = value.p0input?.slice(1) ?? 'reduce';
        const name = `/wilma/jobs/${value.jobId}/stor/${stem}.${value.phaseNum}.${randomUUID()}`;
        await world.putObject(name, text);
        outputs.push({
          op: 'put',
          bucket: 'taskoutput',
          key: randomUUID(),
          value: {
            ...base,
            taskId: value.taskId,
            intermediate: value.phaseNum < last ? 'true' : 'false',
            output: name,
            ...(value.input === undefined ? {} : { input: value.input, p0input: value.p0input }),
            timeCreated: now,
          },
        } as const);
      }
      return outputs;
    };
    try {
      const texts = inputs.map((name) => contents.get(name) ?? `missing: ${name}`);
      const results = command(value.phaseNum)(texts, value);
      if (mine !== life || !alive) return;
      const outputs = await emit(results);
      if (mine !== life || !alive) return;
      const done = { state: 'done', result: 'ok', nOutputs: outputs.length, timeDone: now } as const;
      await write([put(task, done), ...outputs], value.domain, over(done));
    } catch (error) {
      if (!(error instanceof TaskFailure)) throw error;
      const errorId = randomUUID();
      const record = {
        ...base,
        errorId,
        taskId: value.taskId,
        errorCode: error.code,
        errorMessage: error.message,
        input: value.input,
        p0input: value.p0input,
      };
      const done = { state: 'done', result: 'fail', nOutputs: 0, timeDone: now, errorCode: error.code } as const;
      await write(
        [put(task, done), { op: 'put', bucket: 'error', key: errorId, value: record }],
        value.domain,
        over(done),
      );
    }
  };

  const finishReduce = async (taskId: string) => {
    const entry = reducing.get(taskId);
    const mine = life;
    if (entry === undefined || !alive) return;
    const current = await bus.get<TaskRecord>('task', taskId);
    if (current === null || current.value.timeInputDone === undefined || mine !== life) return;
    if ((current.value.nInputs ?? 0) > entry.names.size) return;
    if (!reducing.delete(taskId)) return;
    await run(current, [...entry.names.values()], mine);
  };

  const channels = [agentChannel(id)];
  const mine =
    (...also: string[]) =>
    () =>
      and(eq('mantaComputeId', id), eq('agentGeneration', generation), ...also);
  const taskQuery = bus.subscribe<TaskRecord>({
    name: `agent ${id}: tasks`,
    bucket: 'task',
    filter: mine(eq('state', 'dispatched'), absent('timeAbandoned')),
    channels,
    everyMs: 500,
    onRecord: accept,
  });
  const inputQuery = bus.subscribe<TaskInputRecord>({
    name: `agent ${id}: inputs`,
    bucket: 'taskinput',
    filter: () => and(eq('mantaComputeId', id), absent('timeRead'), absent('retryTaskId'), absent('timeJobCancelled')),
    channels,
    everyMs: 500,
    onRecord: async (input) => {
      const entry = reducing.get(input.value.taskId);
      if (entry === undefined) return;
      entry.names.set(input.key, input.value.input);
      await finishReduce(input.value.taskId);
    },
  });
  const endQuery = bus.subscribe<TaskRecord>({
    name: `agent ${id}: ends`,
    bucket: 'task',
    filter: mine(eq('state', 'accepted')),
    channels,
    everyMs: 500,
    onRecord: async (task) => {
      const entry = reducing.get(task.key);
      if (entry === undefined || !alive) return;
      if (task.value.timeCancelled === undefined) return finishReduce(task.key);
      reducing.delete(task.key);
      const done = { state: 'done', result: 'fail', nOutputs: 0, errorCode: 'JobCancelledError' } as const;
      await write([put(task, done)], task.value.domain, over(done));
    },
  });
  const timer = setInterval(() => {
    if (alive) void beat().catch(() => {});
  }, 100);

  const agent: FakeAgent = {
    id,
    async restart() {
      life++;
      alive = true;
      reducing.clear();
      generation = `${isoTime(Date.now())}-${life}`;
      // As a real one does before its first heartbeat.
      const filter = and(eq('mantaComputeId', id), eq('state', 'dispatched'));
      await bus.batch([{ op: 'update', bucket: 'task', filter, fields: { agentGeneration: generation }, limit: 1000 }]);
      await beat();
      taskQuery.wake();
    },
    die() {
      alive = false;
      life++;
      reducing.clear();
    },
    async stop() {
      alive = false;
      clearInterval(timer);
      for (const query of [taskQuery, inputQuery, endQuery]) query.stop();
    },
  };
  await agent.restart();
  return agent;
}
