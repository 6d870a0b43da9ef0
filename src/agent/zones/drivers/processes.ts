/** Processes as /proc shows them. */
import fs from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Process ids whose environment has `variable=value`. Zombies have none; those of other users are not ours. */
async function findMarked(variable: string, value: string): Promise<number[]> {
  const mark = `${variable}=${value}`;
  const found: number[] = [];
  for (const entry of await fs.readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const environment = await fs.readFile(`/proc/${entry}/environ`, 'utf8');
      if (environment.split('\0').includes(mark)) found.push(Number(entry));
    } catch {
      // gone meanwhile, or another user's
    }
  }
  return found;
}

/** Kills until none is left: a process that forks faster than one pass is met by the next. */
export async function killMarked(variable: string, value: string): Promise<void> {
  for (;;) {
    const pids = await findMarked(variable, value);
    if (pids.length === 0) return;
    for (const pid of pids) killIfThere(pid);
    await delay(1); // what was killed needs a moment to be gone
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
