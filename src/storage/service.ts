import type { Logger } from '../common/logging.js';
import type { StorageConfig } from './config.js';

export { configSchema } from './config.js';

export interface StorageService {
  /** Where each logical node listens, by `manta_storage_id`. */
  readonly urls: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Starts every logical node of the configuration inside this process. */
export async function startStorage(config: StorageConfig, log: Logger): Promise<StorageService> {
  throw new Error(`not yet: ${config.datacenter} ${log.level()}`);
}
