import type { Logger } from '../common/logging.js';
import type { AccountStore } from './types.js';

export interface MahiServer {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startMahiServer(
  store: AccountStore,
  options: { readonly host: string; readonly port: number; readonly log: Logger },
): Promise<MahiServer> {
  throw new Error(`not yet: ${options.port} ${typeof store}`);
}
