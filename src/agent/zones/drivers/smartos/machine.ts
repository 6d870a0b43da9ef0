/**
 * All that the `smartos` driver does to the machine goes through `Machine`: its commands, and files below `root`. So the
 * driver is tested on any machine against one that plays SmartOS (test/support/smartos-machine.ts).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import VError from 'verror';

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Its standard input; by default there is none. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Where its standard output goes, instead of into the result. */
  readonly outputFile?: string;
}

/** A command that listens in a zone for us. */
export interface Listening {
  /** Resolves when it has ended, asked or not. */
  readonly gone: Promise<void>;
  /** Resolves when nobody listens any more. Safe to repeat. */
  close(): Promise<void>;
}

export interface Machine {
  /** Put before the path of every file: empty on a real machine. */
  readonly root: string;
  /** Path of the native helper. */
  readonly helper: string;
  /** @returns its standard output. @throws VError `CommandError` with its standard error, and `info.status`. */
  run(argv: readonly string[], options?: RunOptions): Promise<string>;
  /** Runs a command that hands over connections; resolves when it listens. @throws VError `CommandError` */
  listen(argv: readonly string[], take: (connection: Socket) => void): Promise<Listening>;
  pauseMs(ms: number, signal?: AbortSignal): Promise<void>;
}

const maxOutputBytes = 4 * 1024 * 1024;

export const thisMachine: Machine = {
  root: '',
  helper: fileURLToPath(new URL('../../../../../zone-helper', import.meta.url)),
  run,
  listen,
  async pauseMs(ms, signal) {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  },
};

async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { signal, input, outputFile } = options;
  const [command = '', ...rest] = argv;
  const child = spawn(command, rest, {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  const ended = endOf(child, 'close');
  ended.catch(() => {}); // looked at below
  if (child.stdout === null || child.stderr === null) throw new VError('a command was started without its pipes');
  const stderr = text(child.stderr);
  const [stdout] = await Promise.all([
    outputFile === undefined
      ? text(child.stdout)
      : pipeline(child.stdout, createWriteStream(outputFile, { mode: 0o600 })).then(() => ''),
    // A command that has failed reads no further; its status says why.
    child.stdin === null || input === undefined
      ? null
      : pipeline(Readable.from(input), child.stdin).catch((error: NodeJS.ErrnoException) => {
          child.kill();
          if (error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
        }),
  ]);
  throwUnlessGood(argv, await ended, await stderr);
  return stdout;
}

interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
}

async function endOf(child: ReturnType<typeof spawn>, event: 'close' | 'exit'): Promise<Ended> {
  const [status, signal] = (await once(child, event)) as [number | null, string | null];
  return { status, signal };
}

function throwUnlessGood(argv: readonly string[], { status, signal }: Ended, stderr: string): void {
  if (status !== 0) throw commandFailed(argv, { status, signal }, stderr);
}

/** The words are those that operators know. Source: spec 05 §1.2 and §5.4. */
export function commandFailed(argv: readonly string[], { status, signal }: Ended, stderr: string): VError {
  const cause = new VError(signal === null ? `child exited with status ${status}` : `child killed by signal ${signal}`);
  const what = 'command "%s" failed with stderr: %s';
  return new VError({ name: 'CommandError', cause, info: { status } }, what, argv.join(' '), stderr.trim());
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxOutputBytes) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function listen(argv: readonly string[], take: (connection: Socket) => void): Promise<Listening> {
  const [command = '', ...rest] = argv;
  const child = spawn(command, rest, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  const ended = endOf(child, 'exit'); // no 'close' comes where we have disconnected
  const gone = ended.then(
    () => {},
    () => {},
  );
  if (child.stderr === null) throw new VError('a command was started without its pipes');
  const stderr = text(child.stderr);
  await new Promise<void>((resolve, reject) => {
    child.on('message', (message, connection) => {
      if (message === 'listening') resolve();
      else if (connection !== undefined) take(connection as Socket);
    });
    ended.then(async (end) => reject(commandFailed(argv, end, await stderr)), reject);
  });
  return {
    gone,
    async close() {
      if (child.connected) child.disconnect(); // it ends by itself then
      await gone;
    },
  };
}
