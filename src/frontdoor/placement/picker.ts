/**
 * What the storage nodes say of themselves, kept in memory: read from `manta_storage` at start and then every few
 * seconds. A node that stopped writing heartbeats is not given new objects; it is still asked for old ones. One that did
 * not answer us is asked last until its next heartbeat: a node that was killed is known to be away at once, not only
 * when its last heartbeat has grown old.
 *
 * While the store is away nobody can write a heartbeat, and afterwards not everybody has yet: for as long as that may
 * take, heartbeats may be older by the time for which they could not be read.
 */
import type { Clock } from '../../common/clock.js';
import type { Logger } from '../../common/logging.js';
import { and, ge } from '../../moray/client/filter.js';
import type { MorayClient } from '../../moray/client/types.js';
import { defaultBuckets } from '../../records/buckets.js';
import type { StorageNode } from './choose.js';

export interface Picker {
  /** Nodes with a recent heartbeat. Looks again first when there are none. */
  nodes(): Promise<readonly StorageNode[]>;
  /** How to reach a node, living or not. */
  urlOf(id: string): Promise<string>;
  /** The node did not answer. */
  noteSilence(id: string): void;
  /** Whether others should be asked first. */
  isAway(id: string): boolean;
  stop(): void;
}

interface PickerOptions {
  readonly moray: MorayClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly pollMs: number;
  readonly lagMs: number;
}

type KnownNode = Omit<StorageNode, 'isSilent'> & { readonly timestampMs: number };

interface HeartbeatRecord {
  readonly manta_storage_id?: unknown;
  readonly datacenter?: unknown;
  readonly availableMB?: unknown;
  readonly percentUsed?: unknown;
  readonly url?: unknown;
  readonly timestamp?: unknown;
}

/** Nodes of a deployment; a store that names more is read only so far. */
const maxNodes = 10_000;

export function createPicker(options: PickerOptions): Picker {
  const { moray, clock, log, pollMs, lagMs } = options;
  const known = new Map<string, KnownNode>();
  /** By node: the heartbeat that was its last when it did not answer. */
  const silentSince = new Map<string, number>();
  /** When heartbeats were read last, and for how long they could not be, up to when. */
  let readMs = clock.nowMs();
  let outage = { lengthMs: 0, endedMs: Number.NEGATIVE_INFINITY };
  let stopped = false;
  let cancel = () => {};
  let poll: Promise<void> | undefined;

  /** One look at a time: whoever asks meanwhile waits for it. */
  function look(): Promise<void> {
    poll ??= read()
      .catch((error: Error) => log.warn({ err: error }, 'cannot read the heartbeats of storage nodes'))
      .finally(() => {
        poll = undefined;
      });
    return poll;
  }

  async function read(): Promise<void> {
    const bucket = defaultBuckets.storage;
    const found = moray.findObjects<HeartbeatRecord>(bucket, and(ge('timestamp', 0)), {
      limit: maxNodes,
      no_count: true,
    });
    for await (const { value } of found) {
      const node = nodeOf(value);
      if (node !== undefined) known.set(node.id, node);
    }
    const nowMs = clock.nowMs();
    const unreadMs = nowMs - readMs - pollMs;
    if (unreadMs > pollMs) outage = { lengthMs: excusedMs(), endedMs: nowMs };
    readMs = nowMs;
  }

  function excusedMs(): number {
    const nowMs = clock.nowMs();
    const before = nowMs - outage.endedMs < lagMs ? outage.lengthMs : 0;
    return before + Math.max(0, nowMs - readMs - pollMs);
  }

  function again(): void {
    if (stopped) return;
    cancel = clock.after(pollMs, () => void look().then(again));
  }
  void look().then(again);

  const isLiving = ({ timestampMs }: KnownNode) => timestampMs >= clock.nowMs() - lagMs - excusedMs();
  const isSilent = ({ id, timestampMs }: KnownNode) => silentSince.get(id) === timestampMs;
  const living = () =>
    [...known.values()].filter(isLiving).map((node): StorageNode => ({ ...node, isSilent: isSilent(node) }));
  return {
    async nodes() {
      if (living().length === 0) await look();
      return living();
    },
    noteSilence(id) {
      const node = known.get(id);
      if (node !== undefined) silentSince.set(id, node.timestampMs);
    },
    isAway(id) {
      const node = known.get(id);
      return node === undefined || !isLiving(node) || isSilent(node);
    },
    async urlOf(id) {
      if (!known.has(id)) await look();
      return known.get(id)?.url ?? `http://${id}:80`;
    },
    stop() {
      stopped = true;
      cancel();
    },
  };
}

function nodeOf(record: HeartbeatRecord): KnownNode | undefined {
  const { manta_storage_id: id, datacenter, availableMB, percentUsed, url, timestamp } = record;
  if (typeof id !== 'string' || typeof availableMB !== 'number' || typeof timestamp !== 'number') return undefined;
  return {
    id,
    url: typeof url === 'string' ? url : `http://${id}:80`,
    datacenter: typeof datacenter === 'string' ? datacenter : '',
    availableMb: availableMB,
    percentUsed: typeof percentUsed === 'number' ? percentUsed : 0,
    timestampMs: timestamp,
  };
}
