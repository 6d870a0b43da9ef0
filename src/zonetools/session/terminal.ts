/** A command on a pseudo-terminal of its own: the native program `terminal` as a child. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex, Readable, Writable } from 'node:stream';

export interface TerminalOptions {
  /** The native program. */
  readonly program: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly columns: number;
  readonly lines: number;
  readonly onStarted: (pid: number) => void;
  readonly onError: (message: string) => void;
  /** @returns false: no more before `resume`. */
  readonly onOutput: (bytes: Buffer) => boolean;
  /** The command has ended and nobody holds the terminal any more. */
  readonly onExit: () => void;
}

export interface Terminal {
  /** @returns false: the terminal takes no more before `onDrain`. */
  type(bytes: Buffer, onDrain: () => void): boolean;
  resize(columns: number, lines: number): void;
  resume(): void;
  hangUp(): void;
}

export function openTerminal(options: TerminalOptions): Terminal {
  const { program, args, cwd, env, columns, lines } = options;
  const command = locate(options.command, env['PATH'] ?? '');
  const child = spawn(program, [String(columns), String(lines), command, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env,
    stdio: ['pipe', 'pipe', 'ignore', 'pipe'],
  });
  const input = child.stdio[0] as Writable;
  const output = child.stdio[1] as Readable;
  const control = child.stdio[3] as Duplex;
  for (const stream of [input, control]) stream.on('error', () => {}); // it has ended: 'close' says so
  let failed = false;
  const fail = (message: string): void => {
    if (!failed) options.onError(message);
    failed = true;
  };
  child.once('error', (error) => fail(error.message));
  createInterface({ input: control }).on('line', (line) => {
    const [what, ...rest] = line.split(' ');
    if (what === 'started') options.onStarted(Number(rest[0]));
    if (what === 'error') fail(rest.join(' '));
  });
  output.on('data', (bytes: Buffer) => {
    if (!options.onOutput(bytes)) output.pause();
  });
  child.once('close', () => {
    if (!failed) options.onExit();
  });
  return {
    type(bytes, onDrain) {
      const more = input.write(bytes);
      if (!more) input.once('drain', onDrain);
      return more;
    },
    resize: (newColumns, newLines) => void control.write(`${newColumns} ${newLines}\n`),
    resume: () => void output.resume(),
    hangUp: () => void input.end(),
  };
}

/** Clients name programs where illumos has them: what is not there is looked for by its name. */
function locate(command: string, searchPath: string): string {
  if (isExecutable(command)) return command;
  const name = path.basename(command);
  const found = searchPath.split(':').map((directory) => path.join(directory, name));
  return found.find(isExecutable) ?? command;
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
