/**
 * What a lackey leaves on the zone's disk for the one that takes over after a crash. The task's marker says that this
 * task has begun: to find it again means that a lackey died with it, and it is not run twice. The init markers say how
 * far the phase's init script came; one that did not end leaves a zone of which nothing is known. A reset of the zone
 * removes all of them. Source: spec 06 §1.2, §1.4.
 */
import fs from 'node:fs';
import { dirname } from 'node:path';
import type { Paths } from './settings.js';

export type InitState = 'not run' | 'done' | 'undefined';

export interface Markers {
  initState(): InitState;
  initBegins(): void;
  initSucceeded(): void;
  /** A phase without an init script. */
  initNotNeeded(): void;
  /** @returns false when a lackey has begun this task before. */
  taskBegins(taskId: string): boolean;
}

export function openMarkers(paths: Pick<Paths, 'initStarted' | 'initDone' | 'taskStarted'>): Markers {
  let state: InitState = 'not run';
  if (fs.existsSync(paths.initStarted)) state = 'undefined';
  else if (fs.existsSync(paths.initDone)) state = 'done';
  return {
    initState: () => state,
    initBegins() {
      fs.writeFileSync(paths.initStarted, '');
      state = 'undefined';
    },
    initSucceeded() {
      fs.mkdirSync(dirname(paths.initDone), { recursive: true }); // the script may have tidied up
      fs.writeFileSync(paths.initDone, '');
      fs.rmSync(paths.initStarted, { force: true }); // last: with both, the zone is of no use
      state = 'done';
    },
    initNotNeeded() {
      state = 'done';
    },
    taskBegins(taskId) {
      if (readOrNothing(paths.taskStarted) === taskId) return false;
      fs.writeFileSync(paths.taskStarted, taskId);
      return true;
    },
  };
}

function readOrNothing(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
