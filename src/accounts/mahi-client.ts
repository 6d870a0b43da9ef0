import type { AccountStore } from './types.js';

/** An account store that asks Mahi; answers are kept for `maxAgeMs`, equal questions in flight are asked once. */
export interface MahiClient extends AccountStore {
  close(): void;
}

export function createMahiClient(
  url: string,
  options?: { readonly maxAgeMs?: number; readonly maxEntries?: number },
): MahiClient {
  throw new Error(`not yet: ${url} ${options?.maxAgeMs}`);
}
