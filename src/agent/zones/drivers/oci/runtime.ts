/** Runs an OCI runtime (runc or crun), and knows when a container has ended. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import VError from 'verror';
import { type HeldCommand, holdCommand, runCommand } from '../commands.js';

export interface Runtime {
  /** Absolute path of the program. */
  readonly program: string;
  /** Where it keeps its state: below DATA, so that deployments never see each other's containers. */
  readonly stateDirectory: string;
  /** Prefix of its command lines: enters the mount namespace that holds the zones' roots. */
  readonly enter: readonly string[];
}

export interface Container {
  readonly id: string;
  /** Of process 1, as the host sees it. */
  readonly pid: number;
  /** Resolves when process 1 has gone, asked or not, or must go because the process that held its socket was killed. */
  readonly gone: HeldCommand['gone'];
  /** Kills process 1 and resolves when nothing of the container runs. */
  kill(): Promise<void>;
}

/** In the order of preference; `/usr/sbin` is not on every ordinary user's PATH. */
export async function findRuntimes(searchPath: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of ['runc', 'crun']) {
    for (const directory of [...searchPath.split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin']) {
      const program = path.join(directory, name);
      if (!path.isAbsolute(program) || !(await isExecutable(program))) continue;
      found.push(program);
      break;
    }
  }
  return found;
}

/**
 * Creates a container whose process 1 waits for `startContainer`. Its descriptor 3 is a socket that ends with us.
 * @throws VError `ContainerError` with what the runtime logged.
 */
export async function createContainer(runtime: Runtime, id: string, bundle: string): Promise<Container> {
  const pidFile = path.join(bundle, 'pid');
  const logFile = path.join(bundle, 'runtime.log');
  const create = ['create', '--bundle', bundle, '--pid-file', pidFile, '--preserve-fds', '1', id];
  const [program = '', ...argv] = commandLine(runtime, ['--log', logFile, '--log-format', 'json', ...create]);
  const { status, gone, release } = await holdCommand(program, argv);
  if (status !== 0) {
    release();
    throw await containerFailed(`${runtime.program} create`, id, logFile, String(status));
  }
  const pid = Number(await fs.readFile(pidFile, 'utf8'));
  const startTime = (await processStatus(pid))?.startTime;
  const isOver = async () => {
    const status = await processStatus(pid);
    return status === null || status.startTime !== startTime || status.state === 'Z' || status.state === 'X';
  };
  return {
    id,
    pid,
    gone,
    async kill() {
      // Process 1 becomes a zombie only when everything else in its namespace has been killed and reaped.
      for (let killed = false; !(await isOver()); await delay(1)) {
        if (!killed) killIfThere(pid);
        killed = true;
      }
      release();
    },
  };
}

export async function startContainer(runtime: Runtime, id: string): Promise<void> {
  const [program = '', ...argv] = commandLine(runtime, ['start', id]);
  await runCommand(program, argv);
}

/** Removes the state and the control groups of a container, which is killed if it runs. */
export async function deleteContainer(runtime: Runtime, id: string): Promise<void> {
  const [program = '', ...argv] = commandLine(runtime, ['delete', '--force', id]);
  await runCommand(program, argv);
}

/** Everything that this state directory knows of, whoever created it. */
export async function listContainers(runtime: Runtime): Promise<string[]> {
  return fs.readdir(runtime.stateDirectory).catch(() => []);
}

function commandLine(runtime: Runtime, argv: readonly string[]): string[] {
  return [...runtime.enter, runtime.program, '--root', runtime.stateDirectory, ...argv];
}

async function containerFailed(what: string, id: string, logFile: string, status: string): Promise<Error> {
  const logged = await fs.readFile(logFile, 'utf8').catch(() => '');
  const messages = [...logged.matchAll(/"msg":"((?:[^"\\]|\\.)*)"/g)].map(([, message]) => message);
  const why = messages.join('; ') || 'it logged nothing';
  return new VError({ name: 'ContainerError', info: { id } }, '"%s" of "%s" ended with %s: %s', what, id, status, why);
}

/** Start time distinguishes processes that get the same id one after the other. */
async function processStatus(pid: number): Promise<{ state: string; startTime: string } | null> {
  const text = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function isExecutable(file: string): Promise<boolean> {
  return fs.access(file, fs.constants.X_OK).then(
    () => true,
    () => false,
  );
}
