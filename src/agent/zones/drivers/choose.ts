/**
 * Picks the driver that isolates best among those that work on this machine. What works is found out by doing it: each
 * candidate runs one container to its end. Kernel settings, hybrid control groups, seccomp of an outer container: no
 * list of conditions would be complete. What was found out is remembered (proven.ts).
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import VError from 'verror';
import type { Logger } from '../../../common/logging.js';
import type { ZoneDriver } from '../driver.js';
import type { ZoneDriverConfig } from './config.js';
import { createOciDriver } from './oci/driver.js';
import { findRuntimes } from './oci/runtime.js';
import { createProcessDriver } from './process.js';
import { forgetProven, recallProven, rememberProven } from './proven.js';
import { createSmartosDriver } from './smartos/driver.js';
import { thisMachine } from './smartos/machine.js';

const howToGetContainers =
  'install runc ("apt-get install runc") or crun; inside another container, zones need one that may create namespaces';

/** @throws VError `NoZoneDriverError` when what was asked for cannot work here: says why, and what to do. */
export async function createDriver(config: ZoneDriverConfig, log: Logger): Promise<ZoneDriver> {
  if (config.driver === 'process') return createProcessDriver(config, log);
  if (config.driver === 'smartos') {
    if (process.platform === 'sunos') return createSmartosDriver(config, log, thisMachine);
    throw new VError({ name: 'NoZoneDriverError' }, 'the driver "smartos" works on SmartOS only; use "oci" or "auto"');
  }
  const failures: Error[] = [];
  const programs = await findRuntimes(process.env['PATH'] ?? '');
  const proven = await recallProven(config.dataDir, programs);
  if (proven !== null) {
    await forgetProven(config.dataDir); // until it has started again: whoever fails now looks anew the next time
    return startedWith(await createOciDriver(config, log, proven), config.dataDir, proven);
  }
  for (const program of programs) {
    const failure = await probe(config, log, program);
    if (failure === null) return startedWith(await createOciDriver(config, log, program), config.dataDir, program);
    log.warn({ err: failure, program }, 'this container runtime does not work here');
    failures.push(failure);
  }
  const isRoot = process.getuid?.() === 0;
  if (config.driver === 'auto' && !isRoot) return createProcessDriver(config, log);
  const why = failures.map((failure) => failure.message).join('; ') || 'no container runtime was found';
  const without = isRoot ? '; to run without any isolation, ask for the driver "process"' : '';
  throw new VError({ name: 'NoZoneDriverError' }, 'no isolated zones: %s. %s%s', why, howToGetContainers, without);
}

/** The driver, which once it has started remembers what it works with. */
function startedWith(driver: ZoneDriver, dataDir: string, program: string): ZoneDriver {
  const start = driver.start.bind(driver);
  return Object.assign(driver, {
    async start() {
      await start();
      await rememberProven(dataDir, program);
    },
  });
}

/** @returns why no zone can run. */
async function probe(config: ZoneDriverConfig, log: Logger, program: string): Promise<Error | null> {
  const dataDir = path.join(config.dataDir, 'run/probe'); // the next probe clears up after a killed one
  try {
    await fs.mkdir(dataDir, { recursive: true, mode: 0o700 });
    const probeLog = log.child({ component: 'probe' });
    probeLog.level('error'); // what it warns of, the real driver does again
    const driver = await createOciDriver({ ...config, dataDir, zones: ['probe'] }, probeLog, program);
    try {
      await driver.start();
      const limits = { memoryMb: 128, diskGb: 1 };
      await driver.reset('probe', { name: 'host', version: '0.0.0' }, limits, AbortSignal.timeout(20_000));
    } finally {
      await driver.stop();
    }
    return null;
  } catch (error) {
    return error as Error;
  } finally {
    await fs.rm(dataDir, { recursive: true, force: true });
  }
}
