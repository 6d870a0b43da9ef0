/** Logs of lackeys, saved at each reset, are kept for two weeks. */
import fs from 'node:fs/promises';
import path from 'node:path';

const keptMs = 14 * 24 * 3_600_000;

export async function deleteOldLogs(directory: string, nowMs: number): Promise<void> {
  for (const name of await fs.readdir(directory)) {
    const file = path.join(directory, name);
    const { mtimeMs } = await fs.stat(file);
    if (nowMs - mtimeMs > keptMs) await fs.rm(file, { force: true });
  }
}
