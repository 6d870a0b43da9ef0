/**
 * The services of a one-box as child processes: theory of operation. Each child holds one end of a socket pair; when
 * this process goes, however it goes, the children read end of file there and stop, so that `kill -9` of `up` alone
 * leaves nothing behind. On the same socket a child says "ready". A child that ends without having been asked to is
 * started again: at once, then after 0.2 s doubling to 5 s; having stayed up for 10 s clears its record.
 *
 *   starting --"ready"--> up --exit--> waiting --pause--> starting      any --stop()--> stopped
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import type { ServiceName } from './layout.js';

const firstPauseMs = 200;
const longestPauseMs = 5_000;
const steadyMs = 10_000;
const stopGraceMs = 20_000;

export interface Child {
  readonly name: ServiceName;
  /** Of the process running now; undefined between two. */
  pid(): number | undefined;
  /** Asks it to stop, resolves when it has. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly name: ServiceName;
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** What the process writes outside its log: stack traces, warnings of the runtime. */
  readonly outputFile: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called each time that it has become ready. */
  readonly onReady: () => void;
  /** Told how it ended when it did so by itself, each time that it is about to be started again. */
  readonly onRestart: (how: string) => void;
  /** Ends a start that is under way; later it has no effect. */
  readonly signal?: AbortSignal | undefined;
}

/** Resolves when the child is ready for the first time. @throws when it ends before that, or is told to end by `signal`. */
export async function startChild(options: ChildOptions): Promise<Child> {
  let current: ChildProcess | undefined;
  let stopping = false;
  let failures = 0;
  let cancelPause = () => {};
  let firstDone: { resolve: () => void; reject: (error: Error) => void } | undefined;
  const first = new Promise<void>((resolve, reject) => {
    firstDone = { resolve, reject };
  });

  const start = () => {
    const child = spawnService(options);
    current = child;
    const startedMs = options.clock.nowMs();
    child.stdio[3]?.once('data', () => {
      options.log.info({ service: options.name, pid: child.pid }, 'service is ready');
      firstDone?.resolve();
      firstDone = undefined;
      options.onReady();
    });
    child.once('error', (error) => options.log.error({ service: options.name, err: error }, 'cannot start service'));
    child.once('close', (code, signal) => {
      current = undefined;
      if (stopping) return;
      const how = signal ?? `exit status ${code}`;
      if (firstDone !== undefined) {
        firstDone.reject(new Error(`${options.name} ended while it started (${how})${tail(options.outputFile)}`));
        firstDone = undefined;
        return;
      }
      failures = options.clock.nowMs() - startedMs > steadyMs ? 0 : failures + 1;
      const pauseMs = failures <= 1 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 2));
      options.log.warn({ service: options.name, code, signal, pauseMs }, 'service ended, starting it again');
      options.onRestart(how);
      cancelPause = options.clock.after(pauseMs, start);
    });
  };
  const abandon = () => {
    stopping = true;
    const ended = current === undefined ? Promise.resolve() : endProcess(current, options);
    void ended.then(() => firstDone?.reject(new Error(`${options.name} was stopped while it started`)));
  };
  start();
  options.signal?.addEventListener('abort', abandon, { once: true });
  if (options.signal?.aborted === true) abandon();
  await first.finally(() => options.signal?.removeEventListener('abort', abandon));
  return {
    name: options.name,
    pid: () => current?.pid,
    async stop() {
      stopping = true;
      cancelPause();
      if (current !== undefined) await endProcess(current, options);
    },
  };
}

function spawnService(options: ChildOptions): ChildProcess {
  const [program = '', ...args] = options.command;
  const output = fs.openSync(options.outputFile, 'a', 0o600);
  try {
    // A group of its own: ^C in the terminal reaches `up` alone, which stops the services in their order.
    return spawn(program, args, {
      env: { ...options.env, MARLIN_PARENT_FD: '3' },
      stdio: ['ignore', output, output, 'pipe'],
      detached: true,
    });
  } finally {
    fs.closeSync(output);
  }
}

async function endProcess(child: ChildProcess, options: ChildOptions): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.kill('SIGTERM');
  const cancel = options.clock.after(stopGraceMs, () => {
    options.log.error({ service: options.name, pid: child.pid }, 'service did not stop in time, killing it');
    child.kill('SIGKILL');
  });
  await ended;
  cancel();
}

function tail(file: string): string {
  const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n  ');
  return lines === '' ? '' : `:\n  ${lines}`;
}
