import type { Logger } from '../common/logging.js';
import type { AccountStore } from './types.js';

/** An account store over the account file; answers follow the file. */
export interface FileStore extends AccountStore {
  stop(): void;
}

export async function createFileStore(file: string, log: Logger): Promise<FileStore> {
  throw new Error(`not yet: ${file} ${log.level()}`);
}
