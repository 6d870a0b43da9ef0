/**
 * Two compute nodes: a one-box, and beside it a second agent with a storage node of its own. A map task runs where a
 * copy of its object is, and a reducer reads from everywhere.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { createLogger } from '../../src/common/logging.js';
import { connectMoray } from '../../src/moray/client/client.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { TaskRecord } from '../../src/records/task.js';
import { requestToken } from '../../src/standalone/token.js';
import { readJob, submit, waitDone } from '../support/jobs.js';
import { marlinCommand, type OneBox, startOneBox } from '../support/one-box.js';

interface AgentFile extends Record<string, unknown> {
  readonly mantaComputeId: string;
  readonly installRoot: string;
}

interface StorageFile extends Record<string, unknown> {
  readonly nodes: readonly { readonly host: string; readonly server_uuid: string }[];
}

const objects = 24;

/** Starts a service of the second node, and resolves when it is ready. */
async function startService(t: Test, box: OneBox, service: string, config: object): Promise<void> {
  const file = path.join(box.data, `second-${service}.json`);
  fs.writeFileSync(file, JSON.stringify(config));
  const child: ChildProcess = spawn(marlinCommand, [service, file], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    env: { ...process.env, MARLIN_PARENT_FD: '3', NODE_OPTIONS: '--no-deprecation' },
  });
  t.teardown(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  });
  const said = child.stdio[3] as Readable;
  const [line] = (await Promise.race([once(said, 'data'), once(child, 'exit').then(() => [`${service} ended`])])) as [
    Buffer | string,
  ];
  if (!String(line).includes('ready')) throw new Error(String(line));
}

async function addSecondNode(t: Test, box: OneBox): Promise<{ readonly computeId: string; readonly root: string }> {
  const etc = (name: string) => JSON.parse(fs.readFileSync(path.join(box.data, 'etc', `${name}.json`), 'utf8'));
  const storage = etc('storage') as StorageFile;
  const agent = etc('agent') as AgentFile;
  const [computeId, zonename] = ['2.cn.second', randomUUID()];
  const data = path.join(box.data, '..', 'second');
  const root = path.join(data, 'objects');
  fs.mkdirSync(root, { recursive: true });
  const port = await freePort();
  await startService(t, box, 'storage', {
    ...storage,
    log: { file: path.join(data, 'storage.log') },
    nodes: [
      {
        ...storage.nodes[0],
        manta_storage_id: '3.stor.second',
        root,
        port,
        url: `http://127.0.0.1:${port}`,
        zone_uuid: zonename,
        manta_compute_id: computeId,
        server_uuid: randomUUID(),
      },
    ],
  });
  await startService(t, box, 'agent', {
    ...agent,
    instanceUuid: randomUUID(),
    mantaComputeId: computeId,
    port: 0,
    zones: [randomUUID(), randomUUID()],
    storage: [{ zonename, root }],
    dataDir: data,
    zoneUidBase: 1_500_000_000,
    log: { file: path.join(data, 'agent.log') },
  });
  return { computeId, root };
}

/** Resolves when the supervisor would give the agent work. */
async function isKnown(box: OneBox, computeId: string): Promise<void> {
  const { port } = JSON.parse(fs.readFileSync(path.join(box.data, 'etc', 'supervisor.json'), 'utf8'));
  for (;;) {
    const snapshot = await (await fetch(`http://127.0.0.1:${port}/kang/snapshot`)).text();
    if (snapshot.includes(computeId)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function tasksOf(box: OneBox, jobId: string): Promise<TaskRecord[]> {
  const { moray: address } = box.ready();
  const log = createLogger({ name: 'test', level: 'fatal' });
  const moray = await connectMoray({ url: `tcp://${address.host}:${address.port}`, log });
  try {
    const tasks: TaskRecord[] = [];
    for await (const { value } of moray.findObjects<TaskRecord>(defaultBuckets.task, `(jobId=${jobId})`))
      tasks.push(value);
    return tasks;
  } finally {
    await moray.close();
  }
}

const filesBelow = (root: string) =>
  fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;

t.test('map tasks run where a copy is, reducers read from everywhere', { timeout: 200_000 }, async (t) => {
  const box = await startOneBox(t, { zones: 2 });
  const second = await addSecondNode(t, box);
  await isKnown(box, second.computeId);
  const directory = `/${box.login}/stor/in`;
  await box.manta.mkdirp(directory);
  const names: string[] = [];
  const authorization = `Token ${await requestToken(box.manta, box.ready().manta.url)}`;
  // One copy each: until both nodes have some, for the front door chooses where.
  const onlyOnSecond = () => filesBelow(second.root);
  while (names.length < objects || onlyOnSecond() < 3 || onlyOnSecond() > names.length - 3) {
    const name = `${directory}/${names.length}`;
    const response = await fetch(`${box.ready().manta.url}${name}`, {
      method: 'PUT',
      headers: { authorization, 'durability-level': '1' },
      body: 'word '.repeat(names.length + 1),
    });
    if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
    names.push(name);
    if (names.length > 500) throw new Error('the second node is given no objects');
  }
  const id = await submit(
    box,
    [
      { exec: 'wc -w' },
      { type: 'reduce', count: 2, exec: 'cat' },
      { type: 'reduce', exec: "awk '{s+=$1} END {print s}'" },
    ],
    names,
  );
  await waitDone(box, id, 120_000);
  const job = await readJob(box, id);
  t.same(job.errors, []);
  t.same(job.contents, [`${(names.length * (names.length + 1)) / 2}\n`]);
  const tasks = await tasksOf(box, id);
  const maps = tasks.filter(({ phaseNum }) => phaseNum === 0);
  const here = maps.filter(({ mantaComputeId }) => mantaComputeId === second.computeId);
  t.equal(maps.length, names.length);
  t.ok(here.length >= 3 && here.length < maps.length, `${here.length} of ${maps.length} on the second node`);
  const zonesBy = (computeId: string) =>
    new Set(maps.filter((one) => one.mantaComputeId === computeId).map((one) => one.machine));
  const [first] = maps.filter(({ mantaComputeId }) => mantaComputeId !== second.computeId);
  const shared = [...zonesBy(second.computeId)].filter((zone) => zonesBy(first?.mantaComputeId ?? '').has(zone));
  t.same(shared, [], 'no zone is of both');
  for (const { objectid, creator, account } of here) {
    t.ok(fs.existsSync(path.join(second.root, creator ?? account ?? '', objectid ?? '')), 'the object is there');
  }
});
