/** Picks the driver that isolates best among those that work on this machine. */
import type { Logger } from '../../../common/logging.js';
import type { ZoneDriver } from '../driver.js';
import type { ZoneDriverConfig } from './config.js';
import { createProcessDriver } from './process.js';

/** @throws VError when the driver that was asked for cannot work here. */
export async function createDriver(config: ZoneDriverConfig, log: Logger): Promise<ZoneDriver> {
  return createProcessDriver(config, log);
}
