/**
 * Runs one script of the user's in a shell: with nothing of the lackey's but the descriptors and variables it is handed,
 * in a session of its own, offered to the kernel first when memory runs out. Its output goes straight to files, so the
 * lackey does no work while it runs. Source: spec 06 §3.
 *
 * The shell is a child of a small native program (launcher.c), since a start from Node takes twice as long. That stays
 * for one command after the other, and is not among the processes that are killed after each; but where a stray has to
 * be killed by a call that reaches all, it goes too, and the next command gets another.
 *
 *   none --run--> idle --run--> asked --"started"--> busy --"exit"/"signal"--> idle
 *                               asked --"failed"--> idle        each --the launcher dies--> none
 *
 * With a launcher that we killed, its command died of the same; how a command ended whose launcher died of something else
 * nobody knows.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import os from 'node:os';
import { createInterface } from 'node:readline';
import { getSystemErrorName } from 'node:util';

/** How the shell ended; `error`: it could not be started, or nobody knows how. */
export interface ShellResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly error?: string;
}

export interface Command {
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors of files or pipes, which the shell opens anew; the caller closes its own once the command has begun. */
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
  readonly offerToOomKiller: boolean;
}

export interface Running {
  /** The shell runs, or will never. */
  readonly begun: Promise<void>;
  readonly ended: Promise<ShellResult>;
}

export interface Launcher {
  /** One at a time. */
  run(command: Command): Running;
  /** Of the process, while there is one. */
  pid(): number | undefined;
  /** Says that the process is being killed, with all others. */
  killed(): void;
  /** Resolves when there is no process that was killed. */
  settled(): Promise<void>;
}

/** The one under way, and what its answers do. */
interface Request {
  begin(): void;
  end(result: ShellResult): void;
  readonly script: string;
}

interface Process {
  readonly child: ChildProcess;
  readonly gone: Promise<void>;
  isKilled: boolean;
}

const signalNames = new Map(Object.entries(os.constants.signals).map(([name, number]) => [number, name]));

/** @param program the native launcher. Starts it, so that the first command need not wait. */
export function createLauncher(program: string): Launcher {
  let request: Request | undefined;
  let current: Process | undefined = start();

  function start(): Process {
    const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    const gone = new Promise<void>((resolve) => {
      const end = (reason: string) => {
        resolve();
        if (current?.child !== child) return; // told twice: a request of its successor is none of its business
        const { isKilled } = current;
        current = undefined;
        answer(isKilled ? ['signal', String(os.constants.signals.SIGKILL)] : ['lost', reason]);
      };
      child.once('error', (error) => end(error.message));
      child.once('close', () => end('launcher died')); // after its last answer
    });
    child.stdin?.on('error', () => {}); // of a process that is gone, which `close` tells
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => answer(line.split(' ')));
    return { child, gone, isKilled: false };
  }

  function answer([what, detail = '']: readonly string[]): void {
    if (request === undefined) return;
    const { begin, end, script } = request;
    begin();
    if (what === 'started') return;
    request = undefined;
    if (what === 'exit') end({ code: Number(detail), signal: null });
    else if (what === 'signal') end({ code: null, signal: signalNames.get(Number(detail)) ?? `signal ${detail}` });
    else {
      const reason = what === 'failed' ? `spawn ${getSystemErrorName(-Number(detail))}` : detail;
      end({ code: null, signal: null, error: `failed to launch "${script}": ${reason}` });
    }
  }

  function run(command: Command): Running {
    assert(request === undefined, 'a launcher runs one command at a time');
    let begin = () => {};
    let end: (result: ShellResult) => void = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const ended = new Promise<ShellResult>((resolve) => {
      end = resolve;
    });
    request = { begin, end, script: command.script };
    const strings = stringsOf(command);
    if (strings.some((text) => text.includes('\0'))) answer(['lost', 'it contains a zero byte']);
    else {
      current ??= start();
      current.child.stdin?.write(frame(strings));
    }
    return { begun, ended };
  }

  return {
    run,
    pid: () => current?.child.pid,
    killed() {
      if (current !== undefined) current.isKilled = true;
    },
    async settled() {
      if (current?.isKilled === true) await current.gone;
    },
  };
}

function stringsOf({ script, env, stdin, stdout, stderr, offerToOomKiller }: Command): string[] {
  const files = [stdin, stdout, stderr].map((descriptor) => `/proc/${process.pid}/fd/${descriptor}`);
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [offerToOomKiller ? 'oom' : '', ...files, script, ...variables];
}

function frame(strings: readonly string[]): Buffer {
  const body = Buffer.from(strings.map((text) => `${text}\0`).join(''));
  const length = new Uint32Array([body.length]); // in the order of this machine
  return Buffer.concat([Buffer.from(length.buffer), body]);
}
