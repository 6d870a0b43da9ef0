/** What every write has in hand. */
import { crc32Text } from '../../framing/checksum.js';
import type { Catalog } from './catalog.js';
import type { Connection } from './database.js';

export interface Store {
  readonly connection: Connection;
  readonly catalog: Catalog;
  readonly nowMs: () => number;
}

/** Equal content has an equal etag. */
export function etagOf(json: string): string {
  return crc32Text(json).toString(16).toUpperCase().padStart(8, '0');
}
