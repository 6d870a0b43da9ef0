/**
 * A third storage node in a process of its own, as an operator starts one by hand, which is killed again and again while
 * objects are stored and read. What was acknowledged must be there: by its other copy at once, and on the killed node,
 * too, when that is back.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { entryBucket } from '../../src/frontdoor/metadata/buckets.js';
import type { TestFrontdoor } from './frontdoor.js';
import { marlinCommand, type TestContext } from './one-box.js';

export interface KilledStorageOptions {
  readonly kills: number;
  /** Objects stored, and reads, between a kill and the start, and between the start and the next kill. */
  readonly uploadsBetween: number;
  readonly uploaders: number;
  readonly readers: number;
}

export interface KilledStorageReport {
  readonly kills: number;
  readonly acknowledged: number;
  /** Acknowledged objects of which a copy was given to the node that was killed. */
  readonly onKilled: number;
  /** How often each status was the answer to an upload that was not acknowledged. */
  readonly refused: Readonly<Record<string, number>>;
  readonly reads: number;
  /** Acknowledged objects that could not be read whole, and why. */
  readonly unreadable: readonly string[];
  /** Acknowledged copies that the killed node does not have. */
  readonly lost: readonly string[];
  readonly ms: Readonly<Record<'put' | 'putWhileDead' | 'get' | 'getWhileDead', Percentiles>>;
}

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

const nodeId = '3.stor.test';
/** In one message; as a stream; as a stream that is asked for. */
const kinds = [
  { sizeBytes: 1_000, headers: {} },
  { sizeBytes: 200_000, headers: {} },
  { sizeBytes: 1_000_000, headers: { expect: '100-continue' } },
] as const;

export async function killStorageNode(
  t: TestContext,
  frontdoor: TestFrontdoor,
  options: KilledStorageOptions,
): Promise<KilledStorageReport> {
  const node = await startThirdNode(t, frontdoor);
  const acknowledged: { name: string; content: Buffer }[] = [];
  const refused: Record<string, number> = {};
  const unreadable: string[] = [];
  const times = {
    put: [] as number[],
    putWhileDead: [] as number[],
    get: [] as number[],
    getWhileDead: [] as number[],
  };
  let reads = 0;
  let isDead = false;
  let over = false;

  const timed = async <Result>(what: 'put' | 'get', action: () => Promise<Result>): Promise<Result> => {
    const startMs = performance.now();
    const whileDead = isDead;
    const result = await action();
    times[whileDead || isDead ? (`${what}WhileDead` as const) : what].push(performance.now() - startMs);
    return result;
  };
  async function upload(worker: number): Promise<void> {
    for (let index = 0; !over; index++) {
      const { sizeBytes, headers } = kinds[index % kinds.length] ?? kinds[0];
      const name = `/wilma/stor/killed-${worker}-${index}`;
      const content = Buffer.alloc(sizeBytes, crypto.createHash('md5').update(name).digest());
      const { status } = await timed('put', () => frontdoor.ask('PUT', name, { headers, body: content }));
      if (status === 204) acknowledged.push({ name, content });
      else refused[status] = (refused[status] ?? 0) + 1;
    }
  }
  async function check({ name, content }: { name: string; content: Buffer }): Promise<void> {
    reads++;
    const { status, bytes } = await timed('get', () => frontdoor.ask('GET', name));
    if (status !== 200 || !bytes.equals(content)) unreadable.push(`${name}: ${status}, ${bytes.length} bytes`);
  }
  async function read(): Promise<void> {
    while (!over) {
      const one = acknowledged[crypto.randomInt(acknowledged.length + 1)];
      await (one === undefined ? yieldOnce() : check(one));
    }
  }
  async function progress(): Promise<void> {
    const [uploads, seen] = [acknowledged.length + options.uploadsBetween, reads + options.uploadsBetween];
    while (acknowledged.length < uploads || reads < seen) await yieldOnce();
  }

  const workers = [
    ...Array.from({ length: options.uploaders }, (_, worker) => upload(worker)),
    ...Array.from({ length: options.readers }, read),
  ];
  const trouble = async () => {
    for (let kill = 0; kill < options.kills; kill++) {
      if (isDead) await node.start();
      isDead = false;
      await progress();
      isDead = true;
      await node.kill();
      await progress();
    }
    over = true;
  };
  await Promise.all([trouble(), ...workers]);
  for (const one of acknowledged) await check(one);
  const { onKilled, lost } = await copiesOf(frontdoor, node.root, acknowledged);
  return {
    kills: options.kills,
    acknowledged: acknowledged.length,
    onKilled,
    refused,
    reads,
    unreadable,
    lost,
    ms: {
      put: percentiles(times.put),
      putWhileDead: percentiles(times.putWhileDead),
      get: percentiles(times.get),
      getWhileDead: percentiles(times.getWhileDead),
    },
  };
}

const yieldOnce = () => new Promise((resolve) => setTimeout(resolve, 5));

interface ThirdNode {
  readonly root: string;
  /** Resolves when the node has said that it is there. */
  start(): Promise<void>;
  kill(): Promise<void>;
}

/** `marlin storage FILE`. Its port stays the same. */
async function startThirdNode(t: TestContext, { moray, directory }: TestFrontdoor): Promise<ThirdNode> {
  const root = path.join(directory, nodeId);
  const configFile = path.join(directory, 'third.json');
  const configure = (port: number) => {
    const ids = { zone_uuid: crypto.randomUUID(), manta_compute_id: '3.cn.test', server_uuid: crypto.randomUUID() };
    const nodes = [{ manta_storage_id: nodeId, root, port, ...ids }];
    const config = { nodes, datacenter: 'test', moray: { url: moray.url }, heartbeatMs: 1000 };
    fs.writeFileSync(configFile, JSON.stringify(config));
  };
  let child: ChildProcess | undefined;
  const kill = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  const launch = async (): Promise<string> => {
    child = spawn(marlinCommand, ['storage', configFile], { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      const { msg, nodes } = JSON.parse(line) as { msg: string; nodes?: readonly { url: string }[] };
      if (msg === 'ready') return nodes?.[0]?.url ?? '';
    }
    throw new Error('the third storage node ended before it was ready');
  };
  t.teardown(kill);
  configure(0);
  configure(Number(new URL(await launch()).port));
  return { root, start: async () => void (await launch()), kill };
}

interface Entry {
  readonly name: string;
  readonly creator?: string;
  readonly owner: string;
  readonly objectId: string;
  readonly contentMD5: string;
  readonly sharks: readonly { readonly manta_storage_id: string }[];
}

/** What the entries say that the killed node has, and what of it its disk has not. */
async function copiesOf(
  { moray, accounts }: TestFrontdoor,
  root: string,
  acknowledged: readonly { readonly name: string }[],
): Promise<{ onKilled: number; lost: readonly string[] }> {
  const lost: string[] = [];
  let onKilled = 0;
  for (const { name } of acknowledged) {
    const key = name.replace('/wilma/', `/${accounts.wilma.uuid}/`);
    const { value } = await moray.client.getObject<Entry>(entryBucket, key);
    if (!value.sharks.some((shark) => shark.manta_storage_id === nodeId)) continue;
    onKilled++;
    const file = path.join(root, value.creator ?? value.owner, value.objectId);
    const bytes = await fs.promises.readFile(file).catch(() => null);
    if (bytes === null || crypto.createHash('md5').update(bytes).digest('base64') !== value.contentMD5) lost.push(name);
  }
  return { onKilled, lost };
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p99: at(0.99), most: at(1) };
}
