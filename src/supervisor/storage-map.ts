/** Where objects of storage nodes are: which agent is beside each node. Kept by the records of the last pass. */
import type { Stored, Subscription } from '../bus/types.js';
import { type Clock, isWithin } from '../common/clock.js';
import type { StorageRecord } from '../records/storage.js';
import type { FinderOptions, StoragePlace } from './pipeline/find.js';

/** An unknown node makes us look at once, but not more often than this. */
const refreshMs = 1000;

export class StorageMap {
  private places = new Map<string, StoragePlace>();
  private read = new Map<string, StoragePlace>();

  onRecord({ value: { manta_storage_id, manta_compute_id, zone_uuid } }: Stored<StorageRecord>): void {
    if (manta_storage_id === undefined || manta_compute_id === undefined || zone_uuid === undefined) return;
    const place = { agent: manta_compute_id, zonename: zone_uuid };
    this.places.set(manta_storage_id, place);
    this.read.set(manta_storage_id, place);
  }

  /** What the pass did not meet is gone. */
  onPass(): void {
    this.places = this.read;
    this.read = new Map();
  }

  view(query: Pick<Subscription, 'fence' | 'wake'>, clock: Clock): FinderOptions['storage'] {
    let refreshedMs = Number.NEGATIVE_INFINITY;
    let underWay: Promise<void> | null = null;
    return {
      get: (storageId) => this.places.get(storageId),
      refresh() {
        if (underWay !== null) return underWay; // whoever comes meanwhile must not go on without its result
        if (isWithin(refreshMs, refreshedMs, clock.nowMs())) return Promise.resolve();
        refreshedMs = clock.nowMs();
        underWay = query.fence().finally(() => {
          underWay = null;
        });
        return underWay;
      },
    };
  }
}
