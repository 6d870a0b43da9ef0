/**
 * Agents for supervisor.ts: each takes what is dispatched to it, and says at once that it is done, a hundred tasks in a
 * batch. Their own cost is to be small, so they share no code with the real one.
 *
 * usage: simulated-agents.js MORAY_URL ID...
 */
import { randomUUID } from 'node:crypto';
import { createBus } from '../../src/bus/bus.js';
import { agentChannel, domainChannel, domainsChannel } from '../../src/bus/channels.js';
import type { Operation, Stored } from '../../src/bus/types.js';
import { systemClock } from '../../src/common/clock.js';
import { isoTime } from '../../src/common/iso-time.js';
import { createLogger } from '../../src/common/logging.js';
import { connectMoray } from '../../src/moray/client/client.js';
import { absent, and, eq } from '../../src/moray/client/filter.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { TaskRecord } from '../../src/records/task.js';

const tasksPerBatch = 100;
const beatMs = 5_000;
const log = createLogger({ name: 'agents', level: 'warn', stream: process.stderr });

async function startAgent(url: string, id: string): Promise<void> {
  const moray = await connectMoray({ url, log });
  const bus = createBus({ moray, buckets: defaultBuckets, clock: systemClock, random: Math.random, log, instance: id });
  const generation = isoTime(Date.now());
  await moray.putObject('manta_storage', `1.stor.${id}`, {
    manta_storage_id: `1.stor.${id}`,
    manta_compute_id: id,
    zone_uuid: `zone-${id}`,
  });
  const health: Operation = {
    op: 'put',
    bucket: 'health',
    key: id,
    value: { component: 'agent', instance: id, generation },
  };
  await bus.batch([health], { notify: [[domainsChannel, ['health']]] });
  setInterval(() => void bus.batch([health]), beatMs);

  const waiting: { readonly task: Stored<TaskRecord>; readonly resolve: () => void }[] = [];
  let writing = false;
  async function write(): Promise<void> {
    if (writing) return;
    writing = true;
    while (waiting.length > 0) {
      const some = waiting.splice(0, tasksPerBatch);
      const domains = new Set(some.map(({ task }) => task.value.domain));
      await bus.batch(
        some.flatMap(({ task }) => done(task, generation)),
        { notify: [...domains].map((domain) => [domainChannel(domain), ['task', 'taskoutput']] as const) },
      );
      for (const { resolve } of some) resolve();
    }
    writing = false;
  }
  bus.subscribe<TaskRecord>({
    name: `agent ${id}`,
    bucket: 'task',
    filter: () => and(eq('mantaComputeId', id), eq('state', 'dispatched'), absent('timeAbandoned')),
    channels: [agentChannel(id)],
    everyMs: 1_000,
    onRecord: (task) =>
      new Promise((resolve) => {
        waiting.push({ task, resolve });
        setImmediate(() => void write());
      }),
  });
}

function done({ key, etag, value }: Stored<TaskRecord>, agentGeneration: string): Operation[] {
  const { jobId, taskId, domain, phaseNum, input } = value;
  const now = isoTime(Date.now());
  const output = `/wilma/jobs/${jobId}/stor${input}.${phaseNum}.${randomUUID()}`;
  const made = { jobId, taskId, domain, phaseNum, intermediate: 'false', output, timeCreated: now };
  const ended = { state: 'done', result: 'ok', nOutputs: 1, timeAccepted: now, timeDone: now, agentGeneration };
  return [
    { op: 'put', bucket: 'taskoutput', key: randomUUID(), value: made },
    { op: 'put', bucket: 'task', key, etag, value: { ...value, ...ended } },
  ];
}

const [url = '', ...ids] = process.argv.slice(2);
await Promise.all(ids.map((id) => startAgent(url, id)));
process.send?.('ready');
