/**
 * Programs that the zone drivers run. Node starts a program by forking itself, which stops it for as long as it takes to
 * copy the tables of its memory: about 15 ms in an agent of 250 MB, and a reset of a zone takes eight programs. So a
 * small process does it for us (command-helper.ts), started with the first command and again should it be killed. It
 * ends with us, however we end.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import VError from 'verror';
import type { HelperAnswer, HelperRequest } from './command-helper.js';

export interface HeldCommand {
  /** Exit code, or why there is none. */
  readonly status: number | string;
  /**
   * Resolves when everything has gone that the command started and left with its descriptor 3, or when we let go. With
   * the helper killed, all that it held loses its socket, whether it minds or not.
   */
  readonly gone: Promise<'gone' | 'helper lost'>;
  /** Closes our end of descriptor 3. */
  release(): void;
}

/** Runs a command to its end. @returns its standard output. @throws VError `CommandError` with its standard error. */
export async function runCommand(command: string, argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await order({ kind: 'run', command, argv }).ended;
  if (status === 0) return stdout;
  throw new VError(
    { name: 'CommandError' },
    'command "%s" failed with stderr: %s: %s',
    [command, ...argv].join(' '),
    stderr.trim(),
    typeof status === 'number' ? `exit status ${status}` : status,
  );
}

/**
 * Runs a command to its end that leaves something running. Descriptor 3 of both is a socket, which ends when we do. The
 * command gets no input, and its output is dropped.
 */
export async function holdCommand(command: string, argv: readonly string[]): Promise<HeldCommand> {
  const { ended, gone, release } = order({ kind: 'hold', command, argv });
  const { status } = await ended;
  return { status, gone, release };
}

type Ended = Pick<Extract<HelperAnswer, { kind: 'ended' }>, 'status' | 'stdout' | 'stderr'>;

interface Order {
  readonly ended: Promise<Ended>;
  readonly gone: HeldCommand['gone'];
  release(): void;
}

interface Open {
  readonly onEnded: (ended: Ended) => void;
  readonly onGone: (how: 'gone' | 'helper lost') => void;
}

/** What it still owes us; while that is anything, we are not done either. */
interface Helper {
  readonly child: ChildProcess;
  readonly running: Map<number, Open>;
  readonly held: Map<number, Open>;
}

let current: Helper | undefined;
let lastId = 0;

function order(what: { kind: 'run' | 'hold'; command: string; argv: readonly string[] }): Order {
  current ??= startHelper();
  const helper = current;
  const id = ++lastId;
  let onEnded: Open['onEnded'] = () => {};
  let onGone: Open['onGone'] = () => {};
  const ended = new Promise<Ended>((resolve) => {
    onEnded = resolve;
  });
  const gone: HeldCommand['gone'] = new Promise((resolve) => {
    onGone = resolve;
  });
  helper.running.set(id, { onEnded, onGone });
  if (what.kind === 'hold') helper.held.set(id, { onEnded, onGone });
  keepAlive(helper);
  send(helper, { kind: what.kind, id, program: what.command, argv: what.argv });
  return { ended, gone, release: () => send(helper, { kind: 'release', id }) };
}

function startHelper(): Helper {
  const child = fork(fileURLToPath(new URL('./command-helper.js', import.meta.url)), [], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const helper: Helper = { child, running: new Map(), held: new Map() };
  child.on('message', (answer: HelperAnswer) => {
    const { id } = answer;
    if (answer.kind === 'ended') {
      helper.running.get(id)?.onEnded(answer);
      helper.running.delete(id);
    } else {
      helper.held.get(id)?.onGone('gone');
      helper.held.delete(id);
    }
    keepAlive(helper);
  });
  const lost = (why: string) => {
    if (current === helper) current = undefined;
    for (const { onEnded } of helper.running.values()) onEnded({ status: why, stdout: '', stderr: '' });
    for (const { onGone } of helper.held.values()) onGone('helper lost');
    helper.running.clear();
    helper.held.clear();
  };
  child.once('error', (error) => lost(error.message));
  child.once('exit', () => lost('the process that runs commands was killed'));
  return helper;
}

function send(helper: Helper, request: HelperRequest): void {
  if (helper.child.connected) helper.child.send(request, () => {}); // if it has ended, its 'exit' tells
}

function keepAlive({ child, running, held }: Helper): void {
  const busy = running.size + held.size > 0;
  if (busy) child.ref();
  else child.unref();
  if (busy) child.channel?.ref();
  else child.channel?.unref();
}
