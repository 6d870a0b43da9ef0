/**
 * Records that nobody can do anything with: theory of operation. A record that does not fit its schema would be matched
 * by its query for ever. It is reported once, and from then on left out by the filter, so that it is not even read. After a
 * while each is read again, in case somebody has put it right; as long as it is what it was, nothing is said.
 */
import type { Stored } from '../bus/types.js';
import { isWithin } from '../common/clock.js';
import type { BucketName } from '../records/buckets.js';

const reviewMs = 600_000;
/** As many as are remembered. */
const keptLimit = 10_000;

interface Aside {
  readonly bucket: BucketName;
  readonly id: number;
  readonly etag: string;
  sinceMs: number;
}

export class SetAside {
  private readonly records = new Map<string, Aside>();

  get size(): number {
    return this.records.size;
  }

  /** @returns whether that is news. */
  add({ bucket, key, id, etag }: Stored<unknown>, nowMs: number): boolean {
    const name = `${bucket}/${key}`;
    const known = this.records.get(name);
    this.records.delete(name);
    this.records.set(name, { bucket, id, etag, sinceMs: nowMs });
    for (const oldest of this.records.keys()) {
      if (this.records.size <= keptLimit) break;
      this.records.delete(oldest);
    }
    return known?.etag !== etag;
  }

  /** `_id`s of those that are not due for review, ascending. */
  ids(bucket: BucketName, nowMs: number): number[] {
    if (this.records.size === 0) return [];
    const current = [...this.records.values()].filter(
      (record) => record.bucket === bucket && isWithin(reviewMs, record.sinceMs, nowMs),
    );
    return current.map(({ id }) => id).sort((one, other) => one - other);
  }
}
