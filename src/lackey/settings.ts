/** Where a lackey works and how it is told: one argument, the agent's socket, and a few environment variables. */
import { dirname, join } from 'node:path';

export interface Settings {
  readonly socket: string;
  readonly zone: string;
  /** Put before every path of the zone: empty, except where commands run without a file system of their own. */
  readonly root: string;
  /** Of the storage endpoint for user commands; 0 takes a free one. */
  readonly port: number;
  /** Whom to kill when a command ends: everything in this pid namespace, or what carries this zone's mark. */
  readonly kill: 'all' | 'marked';
  /** Whether commands are made the kernel's first choice when memory runs out. */
  readonly offerToOomKiller: boolean;
  /** Where the kernel notes how each process of the zone ended, if it does. */
  readonly accountingFile: string | undefined;
  /** Directory of the tools for user commands. */
  readonly toolsDirectory: string;
  /** The program that starts shells, see launcher.ts. */
  readonly launcher: string;
  /** The lackey's own PATH, last in that of user commands. */
  readonly path: string;
}

export function readSettings(socket: string, env: NodeJS.ProcessEnv): Settings {
  const toolsDirectory = env['MARLIN_UBIN'] ?? '/opt/marlin/ubin';
  return {
    socket,
    zone: env['MARLIN_ZONE'] ?? '',
    root: env['MARLIN_LACKEY_ROOT'] ?? '',
    port: Number(env['MARLIN_LACKEY_PORT'] ?? 80),
    kill: env['MARLIN_LACKEY_KILL'] === 'marked' ? 'marked' : 'all',
    offerToOomKiller: env['MARLIN_LACKEY_OOM'] === '1',
    accountingFile: env['MARLIN_LACKEY_ACCOUNTING'],
    toolsDirectory,
    launcher: join(dirname(toolsDirectory), 'lib/launcher'),
    path: env['PATH'] ?? '/usr/sbin:/usr/bin',
  };
}

/** Source of the names: spec 06 §1.2. */
export interface Paths {
  readonly initStarted: string;
  readonly initDone: string;
  readonly taskStarted: string;
  readonly captureDirectory: string;
  readonly coreDirectory: string;
  readonly pidFile: string;
}

export function zonePaths(root: string): Paths {
  const inZone = (path: string) => (root === '' ? path : join(root, path));
  return {
    initStarted: inZone('/var/tmp/.marlin_init_started'),
    initDone: inZone('/var/tmp/.marlin_init_done'),
    taskStarted: inZone('/var/tmp/.marlin_task_started'),
    captureDirectory: inZone('/var/tmp/marlin_task'),
    coreDirectory: inZone('/var/tmp/core'),
    pidFile: inZone('/var/run/marlin-lackey.pid'),
  };
}
