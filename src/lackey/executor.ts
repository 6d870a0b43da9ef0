/**
 * Runs one script of the user's in a shell: with nothing of the lackey's but the descriptors and variables it is handed,
 * in a session of its own, offered to the kernel first when memory runs out. Its output goes straight to files, so the
 * lackey does no work while it runs. Source: 06 §3.
 */
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import type { Writable } from 'node:stream';

/** How the shell ended; `error`: it could not be started. */
export interface ShellResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly error?: string;
}

export interface Command {
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors that the shell inherits; the caller closes its own. */
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
  readonly offerToOomKiller: boolean;
}

export function runCommand(command: Command): Promise<ShellResult> {
  const { script, env, stdin, stdout, stderr, offerToOomKiller } = command;
  const failed = (error: Error) => ({
    code: null,
    signal: null,
    error: `failed to launch "${script}": ${error.message}`,
  });
  return new Promise((resolve) => {
    const launch = () =>
      // --norc: else a shell whose stdin is a socket takes itself for a remote one. detached: a session of its own.
      spawn('bash', ['--norc', '-c', script], { cwd: '/', env, detached: true, stdio: [stdin, stdout, stderr] });
    try {
      const shell = offerToOomKiller ? asFirstVictim(launch) : launch();
      shell.once('error', (error) => resolve(failed(error)));
      shell.once('exit', (code, signal) => resolve({ code, signal }));
    } catch (error) {
      resolve(failed(error as Error)); // such as a script longer than the kernel takes
    }
  });
}

const oomScoreFile = '/proc/self/oom_score_adj';

/** Raises the lackey's own score around the start: only what it starts keeps it. */
function asFirstVictim<T>(start: () => T): T {
  const own = fs.readFileSync(oomScoreFile, 'latin1');
  fs.writeFileSync(oomScoreFile, '1000');
  try {
    return start();
  } finally {
    fs.writeFileSync(oomScoreFile, own);
  }
}

/** Opens a file by its inode, without reading or writing it. Linux has it, Node does not name it. */
const openPath = 0o10000000;

export interface InputPipe {
  readonly readEnd: number;
  readonly writer: Writable;
  /** Lets go who waits for a writer; it then reads what is left, and the end. Once `writer` has ended. */
  releaseReaders(): void;
  /** Frees what `releaseReaders` needs. */
  forget(): void;
}

/**
 * A pipe, not the socket pair that Node makes: commands may open `/dev/stdin`, which no socket allows. Such an open waits
 * for a writer, and may come when all has been written and the writer is gone: `releaseReaders` is for that one.
 */
export function openPipe(name: string): InputPipe {
  const { O_RDWR, O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
  fs.rmSync(name, { force: true });
  execFileSync('mkfifo', [name], { stdio: ['ignore', 'ignore', 'pipe'] });
  const both = fs.openSync(name, O_RDWR | O_NONBLOCK); // so that neither of the next two waits for the other
  const readEnd = fs.openSync(name, O_RDONLY);
  const writeEnd = fs.openSync(name, O_WRONLY | O_NONBLOCK);
  const handle = fs.openSync(name, openPath);
  fs.closeSync(both);
  fs.unlinkSync(name);
  return {
    readEnd,
    writer: new net.Socket({ fd: writeEnd, readable: false, writable: true }),
    releaseReaders() {
      try {
        fs.closeSync(fs.openSync(`/proc/self/fd/${handle}`, O_WRONLY | O_NONBLOCK));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error; // nobody reads any more
      }
    },
    forget: () => fs.closeSync(handle),
  };
}
