/**
 * A whole Marlin for tests: `marlin up` as an operator would start it, in a directory and on ports of its own, spoken to
 * through its front door and with the published commands. Its teardown stops it and fails on what it leaves behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { environmentOf } from '../../src/standalone/environment.js';
import { connectManta, type Manta } from '../../src/standalone/manta-client.js';
import type { ReadyBox } from '../../src/standalone/up.js';
import { type Session, startOnTerminal } from './terminal.js';

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const marlinCommand = path.join(repository, 'build', 'bin', 'marlin');

/** The part of a test that we need. */
export interface TestContext {
  teardown(action: () => void | Promise<void>): void;
}

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface OneBox {
  readonly data: string;
  readonly login: string;
  /** Of the account; its public half is beside it. */
  readonly keyFile: string;
  readonly agentLog: string;
  readonly manta: Manta;
  /** As the ready file has it now: pids change when services are killed. */
  ready(): ReadyBox;
  put(name: string, content: string | Buffer): Promise<void>;
  /** Runs a shell command with the published tools and ours on its path. */
  run(command: string, options?: { stdin?: string; env?: NodeJS.ProcessEnv }): Promise<CommandResult>;
  /** Starts a shell command as `run` does, but on a terminal. */
  onTerminal(command: string): Session;
  /** SIGKILL to `up` and every service at once, as when the machine dies. */
  killAll(): Promise<void>;
  /** `marlin up` on the same directory again. */
  restart(): Promise<void>;
}

export interface OneBoxOptions {
  readonly driver?: 'auto' | 'oci' | 'process';
  readonly zones?: number;
  /** Directory of images for zones. */
  readonly images?: string;
  /** Where to make its directory; by default the system's temporary one. */
  readonly parent?: string;
}

export const testLogin = 'marlin_test';

export async function startOneBox(t: TestContext, options: OneBoxOptions = {}): Promise<OneBox> {
  const work = fs.mkdtempSync(path.join(options.parent ?? os.tmpdir(), 'marlin-test-'));
  const data = path.join(work, 'data');
  const home = path.join(work, 'home');
  fs.mkdirSync(path.join(home, '.ssh'), { recursive: true, mode: 0o700 });
  const key = path.join(home, '.ssh', 'id_rsa');
  await execute('ssh-keygen', ['-q', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', '', '-f', key], {});
  const args = ['up', '--data', data, '--port-base', '0', '--account', testLogin, '--key', `${key}.pub`];
  args.push(
    '--ready-file',
    path.join(work, 'ready.json'),
    '--driver',
    options.driver ?? testDriver(),
    '--zones',
    String(options.zones ?? 4),
  );
  if (options.images !== undefined) args.push('--images', options.images);

  let up = await launch(args);
  const ready = () => JSON.parse(fs.readFileSync(path.join(work, 'ready.json'), 'utf8')) as ReadyBox;
  const manta = connectManta(ready().manta, fs.readFileSync(key, 'utf8'));
  t.teardown(async () => {
    manta.close();
    await stop(up);
    const left = leftovers(data);
    const keep = process.env['MARLIN_TEST_LOGS'];
    if (keep !== undefined)
      fs.cpSync(path.join(data, 'log'), path.join(keep, path.basename(work)), { recursive: true });
    fs.rmSync(work, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`);
  });
  return {
    data,
    login: testLogin,
    keyFile: key,
    agentLog: path.join(data, 'log', 'agent.log'),
    manta,
    ready,
    async put(name, content) {
      const object = name.replace(/^~~/, `/${testLogin}`);
      const bytes = Buffer.from(content);
      const parent = path.posix.dirname(object);
      if (parent.split('/').length > 3) await manta.mkdirp(parent); // roots exist without being made
      await manta.put(object, Readable.from(bytes.length === 0 ? [] : [bytes]), bytes.length);
    },
    run: (command, extra = {}) =>
      execute('bash', ['-c', command], {
        env: { ...cleanEnvironment(home), ...environmentOf(ready()), ...extra.env },
        ...(extra.stdin === undefined ? {} : { stdin: extra.stdin }),
      }),
    onTerminal: (command) => startOnTerminal(command, { ...cleanEnvironment(home), ...environmentOf(ready()) }),
    async killAll() {
      const ended = once(up, 'exit');
      const pids = Object.values(ready().pids);
      up.kill('SIGKILL');
      for (const pid of pids) killIfThere(pid);
      await ended;
    },
    async restart() {
      up = await launch(args);
    },
  };
}

/** The driver that live tests use: what the environment asks for, else what the machine can. */
function testDriver(): 'auto' | 'oci' | 'process' {
  const driver = process.env['MARLIN_TEST_DRIVER'];
  return driver === 'oci' || driver === 'process' ? driver : 'auto';
}

/** Resolves when the box is up. @throws with everything it printed when it is not. */
async function launch(args: readonly string[]): Promise<ChildProcess> {
  const up = spawn(marlinCommand, [...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: cleanEnvironment(os.homedir()),
  });
  const printed: string[] = [];
  up.stderr.on('data', (chunk) => printed.push(String(chunk)));
  const isUp = new Promise<void>((resolve, reject) => {
    createInterface({ input: up.stdout }).on('line', (line) => {
      printed.push(`${line}\n`);
      if (line.startsWith('Marlin is up')) resolve();
    });
    up.once('close', (status, signal) =>
      reject(new Error(`marlin up ended (${signal ?? status}):\n${printed.join('')}`)),
    );
  });
  await isUp;
  return up;
}

async function stop(up: ChildProcess): Promise<void> {
  if (up.exitCode !== null || up.signalCode !== null) return;
  const ended = once(up, 'exit');
  up.kill('SIGTERM');
  const [status] = await ended;
  if (status !== 0) throw new Error(`marlin up stopped with status ${status}`);
}

/** Processes and mounts that name the directory of the box. */
function leftovers(data: string): string[] {
  const found: string[] = [];
  for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (command.includes(data)) found.push(`process ${pid} (${command.trim()})`);
    } catch {
      // it has ended since it was listed
    }
  }
  for (const line of fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n'))
    if (line.includes(data)) found.push(`mount ${line}`);
  return found;
}

export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function cleanEnvironment(home: string): NodeJS.ProcessEnv {
  const tools = [path.join(repository, 'build', 'bin')];
  return { HOME: home, PATH: [...tools, process.env['PATH']].join(':'), LANG: 'C.UTF-8', TZ: 'UTC' };
}

export async function execute(
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; stdin?: string },
): Promise<CommandResult> {
  const child = spawn(program, [...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  child.stdin.on('error', () => {}); // a command that does not read its input is no fault of ours
  child.stdin.end(options.stdin ?? '');
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout: Buffer.concat(out).toString('utf8'), stderr: Buffer.concat(err).toString('utf8') };
}
