/**
 * Where core files go is one setting for the whole machine. A relative pattern leaves them in the crashed process's
 * directory, in its zone, where the lackey finds them. A pipe (apport, systemd-coredump) takes them away: tasks still
 * fail as they should, but without the object. So operators may let the agent set the pattern as long as it runs. What
 * was set before is kept in DATA, so that a killed agent's successor still knows it.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../../../../common/logging.js';
import type { ZoneDriverConfig } from '../config.js';

const patternFile = '/proc/sys/kernel/core_pattern';
const ourPattern = 'core';
/** Far beyond any disk, and a number that JSON can carry. */
const unlimitedBytes = 2 ** 50;

export interface CorePattern {
  restore(): Promise<void>;
}

/** Sets the pattern if the configuration asks for it; else says once when core files will be missing. */
export async function manageCorePattern(config: ZoneDriverConfig, log: Logger): Promise<CorePattern | null> {
  const current = (await fs.readFile(patternFile, 'utf8')).trimEnd();
  if (config.manageCorePattern !== true) {
    if (current.startsWith('|'))
      log.warn({ pattern: current }, 'core files of tasks are not kept: see "manageCorePattern"');
    return null;
  }
  const saved = path.join(config.dataDir, 'run/core_pattern');
  const before = (await fs.readFile(saved, 'utf8').catch(() => null)) ?? current;
  await fs.writeFile(saved, before, { mode: 0o600 });
  await fs.writeFile(patternFile, ourPattern);
  return {
    async restore() {
      await fs.writeFile(patternFile, before);
      await fs.rm(saved, { force: true });
    },
  };
}

/** Our own limit, which a zone's cannot exceed on every machine. */
export async function longestCoreBytes(): Promise<number> {
  const limits = await fs.readFile('/proc/self/limits', 'utf8').catch(() => '');
  const hard = limits.match(/^Max core file size +\S+ +(\S+)/m)?.[1];
  return hard === undefined || hard === 'unlimited' ? unlimitedBytes : Math.min(Number(hard), unlimitedBytes);
}
