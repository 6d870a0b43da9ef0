/**
 * The end of a task's processes: whatever a command left behind, daemons and all, is killed before the task is reported,
 * since the next one starts in the same zone. In a pid namespace of its own that is everything but pid 1 and the lackey:
 * one call of the kernel, which a process cannot outrun by forking. Without one (`marked`), it is what inherited the
 * zone's mark in its environment.
 */
import fs from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { markVariable } from './environment.js';
import type { Settings } from './settings.js';

const firstPauseMs = 1;
const longestPauseMs = 50;

/** A process that is not a command's: it goes only when all do. */
export interface Spared {
  pid(): number | undefined;
  killed(): void;
}

/** Resolves when none is left but what has ended and only waits for its parent. */
export async function killProcesses(
  { kill, zone }: Pick<Settings, 'kill' | 'zone'>,
  spared: Spared | undefined = undefined,
): Promise<void> {
  const find = kill === 'all' ? livingProcesses : (pids: readonly number[]) => markedProcesses(pids, zone);
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    const pids = find(otherPids(spared?.pid()));
    if (pids.length === 0) return;
    if (kill === 'all') {
      spared?.killed();
      killQuietly(-1);
    } else for (const pid of pids) killQuietly(pid);
    await pause(pauseMs);
  }
}

/** @throws Error when `-1` would reach processes that are none of the zone's. */
export function assertOwnPidNamespace(): void {
  if (process.ppid <= 1) return;
  throw new Error(
    `this lackey would kill every process it can see, but its parent is ${process.ppid}, not the first process of a zone`,
  );
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function otherPids(spared: number | undefined): number[] {
  const kept = [1, process.pid, process.ppid, spared];
  const pids = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => !kept.includes(pid));
}

function livingProcesses(pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    const stat = readOrNothing(`/proc/${pid}/stat`).toString('latin1');
    const state = stat[stat.lastIndexOf(')') + 2]; // the name before it may hold anything
    return state !== undefined && state !== 'Z' && state !== 'X';
  });
}

function markedProcesses(pids: readonly number[], zone: string): number[] {
  const mark = `\0${markVariable}=${zone}\0`;
  return pids.filter((pid) => `\0${readOrNothing(`/proc/${pid}/environ`).toString('latin1')}`.includes(mark));
}

/** Empty for a process that went meanwhile, and for one of another user. */
function readOrNothing(file: string): Buffer {
  try {
    return fs.readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}
