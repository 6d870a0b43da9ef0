/** A file system that is soon full. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from './one-box.js';

export interface SmallDisk {
  readonly directory: string;
  /** @param size as mount(8) takes it. */
  resize(size: string): void;
}

/** @returns null when this user cannot mount. */
export function mountSmallDisk(t: TestContext, size: string): SmallDisk | null {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-full-'));
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory], { stdio: 'pipe' });
  } catch {
    return null;
  }
  t.teardown(() => void execFileSync('umount', ['-l', directory]));
  return { directory, resize: (next) => void execFileSync('mount', ['-o', `remount,size=${next}`, directory]) };
}
