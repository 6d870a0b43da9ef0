/** Stage CORE of a task: the core that its first crashed process left is stored and removed. Source: spec 06 §1.4. */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import type { TaskDescription } from '../taskapi/types.js';
import { findCore } from './core-files.js';
import type { CoreDump } from './cores.js';
import type { Log } from './log.js';
import { upload } from './upload.js';

export interface SaveCoreOptions {
  readonly dump: CoreDump;
  /** When the command began, by the clock of the file system. */
  readonly sinceMs: number;
  readonly socketPath: string;
  readonly log: Log;
}

/** What fails is logged only: that there was a core is the task's error, and no other may take its place. */
export async function saveCore(task: TaskDescription, options: SaveCoreOptions): Promise<void> {
  const { dump, sinceMs, socketPath, log } = options;
  const { taskId } = task;
  const core = findCore(dump, sinceMs);
  if (core === undefined) {
    log.info('no core file is found', { taskId, ...dump });
    return;
  }
  try {
    const descriptor = fs.openSync(core.file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try {
      const name = `${task.taskCoreBase}core.${core.program}.${randomUUID()}`;
      await upload({ socketPath, name, stream: 'core', descriptor });
    } finally {
      fs.closeSync(descriptor);
      fs.rmSync(core.file, { force: true });
    }
  } catch (error) {
    log.warn(`error saving core: ${(error as Error).message}`, { taskId });
  }
}
