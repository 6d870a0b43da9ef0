/** A bucket as the server works with it. */
import type { BucketConfig, BucketOptions } from './config.js';
import type { IndexType } from './index-types.js';

export interface Field {
  readonly name: string;
  /** As configured, such as `[string]`. */
  readonly typeText: string;
  readonly type: IndexType;
  readonly unique: boolean;
  /** Being reindexed: not usable, and the JSON value wins. */
  readonly reindexing: boolean;
}

export interface Bucket {
  readonly name: string;
  /** Quoted name of its table. */
  readonly table: string;
  readonly config: BucketConfig;
  readonly options: BucketOptions;
  readonly version: number;
  readonly createdMs: number;
  /** Fields being reindexed by version, or null where nothing was ever tracked. */
  readonly reindexActive: Readonly<Record<string, readonly string[]>> | null;
  readonly fields: readonly Field[];
  field(name: string): Field | undefined;
}

/** Attributes that every object has, and how they compare. */
export const internalFields: Readonly<Record<string, 'number' | 'string' | undefined>> = {
  _id: 'number',
  _mtime: 'number',
  _txn_snap: 'number',
  _etag: 'string',
  _key: 'string',
};

export function isInternal(name: string): boolean {
  return Object.hasOwn(internalFields, name);
}
