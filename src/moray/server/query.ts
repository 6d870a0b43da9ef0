/** Options of searches, and which fields a search may use. */
import type { Bucket } from './buckets/bucket.js';
import { isInternal } from './buckets/bucket.js';
import { notIndexed } from './errors.js';
import { attributesOf, type ParsedFilter } from './filters/parse.js';

export interface SortKey {
  readonly attribute: string;
  readonly descending: boolean;
}

export interface Selection {
  readonly sort: readonly SortKey[];
  /** null: all. */
  readonly limit: number | null;
  readonly offset: number;
}

/** Options as the client sent them; checked before. */
export type RequestOptions = Readonly<Record<string, unknown>>;

const defaultLimit = 1000;

export function selectionOf(options: RequestOptions): Selection {
  const { limit, noLimit, offset, sort } = options;
  const keys = (Array.isArray(sort) ? sort : [sort]) as readonly (Readonly<Record<string, unknown>> | undefined)[];
  return {
    limit: limit ? Number(limit) : noLimit === true ? null : defaultLimit, // the text "0" is a limit, the number is none
    offset: Number(offset ?? 0),
    sort: keys.flatMap((key) =>
      typeof key?.['attribute'] === 'string'
        ? [{ attribute: key['attribute'], descending: String(key['order'] ?? 'ASC').toUpperCase() === 'DESC' }]
        : [],
    ),
  };
}

/** @throws NotIndexedError when an attribute of the filter is not indexed, or not yet. */
export function demandIndexes(filter: ParsedFilter, bucket: Bucket): void {
  const attributes = attributesOf(filter.root).filter((name) => !isInternal(name));
  const reindexing = attributes.filter((name) => bucket.field(name)?.reindexing === true);
  const unindexed = attributes.filter((name) => bucket.field(name) === undefined);
  if (reindexing.length + unindexed.length > 0) throw notIndexed(bucket.name, filter.raw, { reindexing, unindexed });
}
