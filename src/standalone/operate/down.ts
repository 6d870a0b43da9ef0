/** `marlin down`: asks the `marlin up` of a directory to stop, and waits until it has. */
import fs from 'node:fs';
import VError from 'verror';
import { sleep, systemClock } from '../../common/clock.js';
import { layoutOf } from '../layout.js';
import { lockHolder } from '../lock.js';

const pollMs = 100;

/** @returns the pid of what was stopped, undefined if nothing ran. @throws VError when it does not stop in time. */
export async function stopBox(dataDirectory: string, timeoutMs: number): Promise<number | undefined> {
  const { lock, data } = layoutOf(dataDirectory);
  if (!fs.existsSync(data)) throw new VError({ name: 'NoBoxError' }, 'there is no directory "%s"', data);
  const pid = lockHolder(lock);
  if (pid === undefined) return undefined;
  process.kill(pid, 'SIGTERM');
  const endMs = systemClock.nowMs() + timeoutMs;
  while (lockHolder(lock) === pid) {
    if (systemClock.nowMs() > endMs) {
      const text = 'process %d has not stopped within %d s; its logs are in "%s/log"';
      throw new VError({ name: 'DownError' }, text, pid, timeoutMs / 1000, data);
    }
    await sleep(systemClock, pollMs);
  }
  return pid;
}
