/**
 * What a task costs in a warm zone: the time from the end of one task `true` to the end of the next, in the one zone of
 * a one-box, beside a plain spawn of `true` and of `bash -c true` on the same machine in the same run. The times are
 * those of the agent's metering records. And what a call of `mpipe` costs inside a task, beside a JavaScript runtime
 * that has nothing to do. Prints a table, then one JSON line.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { connectManta, type Manta } from '../../src/standalone/manta-client.js';
import { startBox } from '../../src/standalone/up.js';

const taskCount = 500;
const warmUp = 50;
const callCount = 200;

/** Calls in a zone, a line of times in ms for each: one that ends before it has read or sent anything, a whole one. */
const calls = ['"mpipe", "-x"', '"mpipe", "-f", $ENV{MANTA_INPUT_FILE}', '"node", "-e", "0"'];
const timeCalls = `f=$(mktemp); perl -MTime::HiRes=time -e '
  open F, ">", shift; open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null";
  for my $call (${calls.map((call) => `[${call}]`).join(', ')}) {
    for (1 .. ${callCount + warmUp}) { my $start = time; system @$call; printf F "%.3f ", 1000 * (time - $start) }
    print F "\\n"
  }' $f && curl -fsT $f "$MANTA_URL$MANTA_USER/stor/bench/times"; rm $f`;

interface MeterLine {
  readonly event?: string;
  readonly jobId?: string;
  readonly hrtimestamp?: readonly [number, number];
}

async function main(): Promise<void> {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-bench-'));
  const data = path.join(work, 'data');
  fs.mkdirSync(data, { mode: 0o700 });
  const options = { data, portBase: 0, driver: 'auto', host: '127.0.0.1', zoneCount: 1, say: () => {} } as const;
  const box = await startBox(options);
  try {
    const { manta: address, sshAuthSock } = box.ready();
    if (sshAuthSock !== undefined) process.env['SSH_AUTH_SOCK'] = sshAuthSock;
    const key = address.keyFile === undefined ? undefined : fs.readFileSync(address.keyFile, 'utf8');
    const manta = connectManta(address, key);
    const job = await runTasks(manta);
    const [start, call, runtime] = await callTimes(manta);
    manta.close();
    const tasks = figures(taskTimes(path.join(data, 'log', 'agent.log'), job));
    const plain = figures(await spawnTimes('true', []));
    const shell = figures(await spawnTimes('bash', ['-c', 'true']));
    report({
      'task `true` in a warm zone, p50 (ms)': tasks.p50,
      'task `true` in a warm zone, p99 (ms)': tasks.p99,
      'plain spawn of `true`, p50 (ms)': plain.p50,
      'plain spawn of `true`, p99 (ms)': plain.p99,
      'plain spawn of `bash -c true`, p50 (ms)': shell.p50,
      'plain spawn of `bash -c true`, p99 (ms)': shell.p99,
      'overhead of a task, p50 (ms)': tasks.p50 - plain.p50,
      'overhead of a task, p99 (ms)': tasks.p99 - plain.p99,
      'start-up of `mpipe` in a zone, p50 (ms)': start.p50,
      'start-up of `mpipe` in a zone, p99 (ms)': start.p99,
      '`mpipe` of a byte, p50 (ms)': call.p50,
      '`mpipe` of a byte, p99 (ms)': call.p99,
      'start-up of `node` in a zone, p50 (ms)': runtime.p50,
      'start-up of `node` in a zone, p99 (ms)': runtime.p99,
    });
  } finally {
    await box.stop();
    fs.rmSync(work, { recursive: true, force: true });
  }
}

async function runTasks(manta: Manta): Promise<string> {
  const directory = `/${manta.user}/stor/bench`;
  await manta.mkdirp(directory);
  const names = Array.from({ length: taskCount + warmUp }, (_, index) => `${directory}/${index}`);
  const queue = names.values();
  const worker = async () => {
    for (const name of queue) await manta.put(name, Readable.from([Buffer.from('x')]), 1);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  const job = await manta.createJob([{ type: 'map', exec: 'true' }]);
  await manta.addInputs(job, names);
  await waitDone(manta, job);
  return job;
}

async function waitDone(manta: Manta, job: string): Promise<void> {
  while ((await manta.status(job)).state !== 'done') await new Promise((resolve) => setTimeout(resolve, 500));
}

async function callTimes(manta: Manta): Promise<[Figures, Figures, Figures]> {
  const job = await manta.createJob([{ type: 'map', exec: timeCalls }]);
  await manta.addInputs(job, [`/${manta.user}/stor/bench/0`]);
  await waitDone(manta, job);
  const lines = (await manta.get(`/${manta.user}/stor/bench/times`)).toString('utf8').split('\n');
  const of = (line = '') => figures(line.trim().split(' ').map(Number));
  return [of(lines[0]), of(lines[1]), of(lines[2])];
}

function taskTimes(logFile: string, job: string): number[] {
  const ends: number[] = [];
  for (const line of fs.readFileSync(logFile, 'utf8').split('\n')) {
    if (!line.includes('"TaskDone"')) continue;
    const { event, jobId, hrtimestamp } = JSON.parse(line) as MeterLine;
    if (event === 'TaskDone' && jobId === job && hrtimestamp !== undefined)
      ends.push(hrtimestamp[0] * 1e3 + hrtimestamp[1] / 1e6);
  }
  return ends.slice(1).map((end, index) => end - (ends[index] ?? 0));
}

async function spawnTimes(program: string, args: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < taskCount + warmUp; index++) {
    const startMs = performance.now();
    await once(spawn(program, args, { stdio: 'ignore' }), 'exit');
    times.push(performance.now() - startMs);
  }
  return times;
}

interface Figures {
  readonly p50: number;
  readonly p99: number;
}

function figures(times: readonly number[]): Figures {
  const sorted = times.slice(warmUp).sort((a, b) => a - b);
  const at = (share: number) => Math.round(100 * (sorted[Math.floor(share * sorted.length)] ?? 0)) / 100;
  return { p50: at(0.5), p99: at(0.99) };
}

function report(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    process.stdout.write(`${name.padEnd(44)} ${value.toFixed(2).padStart(10)}\n`);
  }
  process.stdout.write(`${JSON.stringify({ node: process.version, cpus: os.cpus().length, ...values })}\n`);
}

await main();
