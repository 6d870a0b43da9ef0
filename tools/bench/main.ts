/**
 * `make bench`: what Marlin costs, beside what a user would run instead, in one run on one machine. Absolute figures
 * say little on a shared machine; the ratios are what to compare between versions. Prints a table, then one JSON line.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { connectManta, type Manta } from '../../src/standalone/manta-client.js';
import { startBox } from '../../src/standalone/up.js';
import { measureRivals } from './rivals.js';
import { measureMoray } from './store.js';

const latencyJobs = 50;
const objectCount = 1_000;
const uploadsAtOnce = 8;
const content = 'the quick brown fox jumps over the lazy dog\n'.repeat(100);

interface Figures {
  readonly [name: string]: number | null;
}

async function main(): Promise<void> {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-bench-'));
  const data = path.join(work, 'data');
  fs.mkdirSync(data, { mode: 0o700 });
  const box = await startBox({ data, portBase: 0, driver: 'auto', host: '127.0.0.1', say: () => {} });
  try {
    const { manta: address, moray, agent, sshAuthSock } = box.ready();
    if (sshAuthSock !== undefined) process.env['SSH_AUTH_SOCK'] = sshAuthSock;
    const manta = connectManta(
      address,
      address.keyFile === undefined ? undefined : fs.readFileSync(address.keyFile, 'utf8'),
    );
    const names = await storeObjects(manta);
    const latency = await measureLatency(manta, names[0] ?? '', agent.url);
    const tasksPerSecond = await measureThroughput(manta, names);
    manta.close();
    const rivals = await measureRivals(path.join(work, 'rivals'), objectCount, content);
    const store = await measureMoray(moray);
    report({
      'latency of a tiny job, p50 (ms)': latency.p50,
      'latency of a tiny job, p99 (ms)': latency.p99,
      'tasks per second, 1,000 objects': tasksPerSecond,
      'commands per second, parallel -j2': rivals.parallel,
      'commands per second, xargs -P2 bwrap': rivals.bwrap,
      'ratio to parallel': ratio(tasksPerSecond, rivals.parallel),
      'ratio to xargs bwrap': ratio(tasksPerSecond, rivals.bwrap),
      'Moray puts per second, one after another': store.sequential,
      'Moray puts per second, in batches of 100': store.batched,
    });
  } finally {
    await box.stop();
    fs.rmSync(work, { recursive: true, force: true });
  }
}

async function storeObjects(manta: Manta): Promise<string[]> {
  const directory = `/${manta.user}/stor/bench`;
  await manta.mkdirp(directory);
  const names = Array.from({ length: objectCount }, (_, index) => `${directory}/${String(index).padStart(4, '0')}`);
  const queue = names.values();
  const worker = async () => {
    for (const name of queue) await manta.put(name, Readable.from([Buffer.from(content)]), content.length);
  };
  await Promise.all(Array.from({ length: uploadsAtOnce }, worker));
  return names;
}

/**
 * From the request that creates the job to the first status that says `done`, looked at every 20 ms, which costs the
 * services less than the job does. Each job finds a zone that is ready, and no reset under way: resets between jobs
 * are in the figures of zones.ts.
 */
async function measureLatency(manta: Manta, name: string, agentUrl: string): Promise<{ p50: number; p99: number }> {
  const times: number[] = [];
  for (let index = 0; index < latencyJobs + 3; index++) {
    await zonesReady(agentUrl);
    const elapsedMs = await timeJob(manta, [name], 20);
    if (index >= 3) times.push(elapsedMs); // the first warm up zones and code
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => Math.round(times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0);
  return { p50: at(0.5), p99: at(0.99) };
}

/** Resolves when a zone waits for work and none is being reset. */
async function zonesReady(agentUrl: string): Promise<void> {
  for (;;) {
    const zones = (await (await fetch(`${agentUrl}/zones`)).json()) as { state: string; nwaiters: number }[];
    const waits = zones.some(({ state, nwaiters }) => state === 'ready' && nwaiters > 0);
    if (waits && !zones.some(({ state }) => state === 'uninit')) return;
    await delay(20);
  }
}

async function measureThroughput(manta: Manta, names: readonly string[]): Promise<number> {
  const elapsedMs = await timeJob(manta, names, 200);
  return Math.round((names.length / elapsedMs) * 1000);
}

async function timeJob(manta: Manta, names: readonly string[], lookEveryMs: number): Promise<number> {
  const startMs = performance.now();
  const job = await manta.createJob([{ type: 'map', exec: 'wc' }]);
  await manta.addInputs(job, names);
  for (;;) {
    const { state, stats } = await manta.status(job);
    if (state === 'done') {
      if (stats.outputs !== names.length)
        throw new Error(`job ${job} has ${stats.outputs} outputs: ${JSON.stringify(await manta.errors(job))}`);
      return performance.now() - startMs;
    }
    await delay(lookEveryMs);
  }
}

function ratio(ours: number, theirs: number | null): number | null {
  return theirs === null ? null : Math.round((100 * ours) / theirs) / 100;
}

function report(figures: Figures): void {
  for (const [name, value] of Object.entries(figures)) {
    process.stdout.write(`${name.padEnd(44)} ${(value === null ? 'not here' : String(value)).padStart(10)}\n`);
  }
  process.stdout.write(`${JSON.stringify({ node: process.version, cpus: os.cpus().length, ...figures })}\n`);
}

await main();
