/**
 * One `marlin up` per directory, one writer of an account file: a lock that names its holder, and that a killed holder
 * does not leave locked.
 */
import fs from 'node:fs';
import VError from 'verror';

interface Holder {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: tells a reused pid from the holder. */
  readonly started: string;
}

/** @returns the release. @throws VError `BoxInUseError` naming the holder. */
export function lockBox(file: string, dataDirectory: string): () => void {
  const taken = tryLock(file);
  if (typeof taken === 'function') return taken;
  const text = '"%s" is in use by process %d (another "marlin up"): stop that one first';
  throw new VError({ name: 'BoxInUseError', info: { pid: taken } }, text, dataDirectory, taken);
}

/** @returns the release, or the pid of the living holder. */
export function tryLock(file: string): (() => void) | number {
  const mine = `${file}.${process.pid}`;
  fs.writeFileSync(mine, JSON.stringify({ pid: process.pid, started: startOf(process.pid) }));
  try {
    for (;;) {
      try {
        fs.linkSync(mine, file);
        return () => fs.rmSync(file, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const pid = lockHolder(file);
      if (pid !== undefined) return pid;
      fs.rmSync(file, { force: true });
    }
  } finally {
    fs.rmSync(mine, { force: true });
  }
}

/** @returns the pid of the living process that holds the lock. */
export function lockHolder(file: string): number | undefined {
  const holder = readHolder(file);
  return holder !== null && startOf(holder.pid) === holder.started ? holder.pid : undefined;
}

function readHolder(file: string): Holder | null {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as Holder;
  } catch {
    return null; // gone meanwhile, or half-written by a machine that lost power: nobody's
  }
}

/** When a process started, in clock ticks since boot; undefined when there is none of that number. */
function startOf(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
