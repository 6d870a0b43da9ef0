/**
 * The process that runs programs for the agent (commands.ts says why). It does what its messages say, answers each, and
 * ends when the agent does, which ends the zones whose sockets it holds.
 */
import { execFile, spawn } from 'node:child_process';
import net from 'node:net';

/** `run`: to its end, with its output. `hold`: to its end, and give what it started a socket. `release`: close that. */
export type HelperRequest =
  | { readonly kind: 'run' | 'hold'; readonly id: number; readonly program: string; readonly argv: readonly string[] }
  | { readonly kind: 'release'; readonly id: number };

/** `ended` comes once for each `run` and `hold`; `gone` once for each `hold`. */
export type HelperAnswer =
  | {
      readonly kind: 'ended';
      readonly id: number;
      /** Exit code, name of a signal, or what the system said when there is no such program. */
      readonly status: number | string;
      readonly stdout: string;
      readonly stderr: string;
    }
  | { readonly kind: 'gone'; readonly id: number };

const maxOutputBytes = 4 * 1024 * 1024;
const held = new Map<number, net.Socket>();

function answer(what: HelperAnswer): void {
  process.send?.(what, () => {}); // without an agent nobody waits for it
}

function run(id: number, program: string, argv: readonly string[]): void {
  execFile(program, argv, { maxBuffer: maxOutputBytes }, (error, stdout, stderr) => {
    answer({ kind: 'ended', id, status: error === null ? 0 : statusOf(error), stdout, stderr });
  });
}

/** Descriptor 3 of the program is a socket: its other end closes when all have gone who have it. */
function hold(id: number, program: string, argv: readonly string[]): void {
  const child = spawn(program, argv, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const ended = (status: number | string) => answer({ kind: 'ended', id, status, stdout: '', stderr: '' });
  child.once('error', (error) => ended(error.message));
  child.once('exit', (code, signal) => ended(code ?? String(signal)));
  const socket = child.stdio[3];
  if (!(socket instanceof net.Socket)) {
    answer({ kind: 'gone', id }); // it could not be started
    return;
  }
  held.set(id, socket);
  socket.on('error', () => socket.destroy()).resume();
  socket.once('close', () => {
    held.delete(id);
    answer({ kind: 'gone', id });
  });
}

function statusOf(error: Error & { code?: unknown; signal?: unknown }): number | string {
  if (typeof error.code === 'number') return error.code;
  return typeof error.signal === 'string' ? error.signal : error.message;
}

function serve(): void {
  // The agent's own signals reach its whole group: it may still need us to stop its zones.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  process.on('disconnect', () => process.exit());
  process.on('message', (request: HelperRequest) => {
    if (request.kind === 'release') held.get(request.id)?.destroy();
    else (request.kind === 'run' ? run : hold)(request.id, request.program, request.argv);
  });
}

serve();
