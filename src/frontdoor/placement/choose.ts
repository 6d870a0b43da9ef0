/**
 * Placement: which storage nodes take the copies of a new object. A decision over what the nodes last said of
 * themselves. Several disjoint sets are given: the caller tries the next one when a node of the first does not answer.
 * Within a set, datacenters take turns, so that copies are as far apart as they can be.
 */

export interface StorageNode {
  readonly id: string;
  readonly url: string;
  readonly datacenter: string;
  readonly availableMb: number;
  readonly percentUsed: number;
}

export interface PlacementRequest {
  readonly copies: number;
  readonly sizeMb: number;
  readonly maxPercentUsed: number;
  /** More than one copy needs two datacenters. */
  readonly multiDc: boolean;
}

export type Placement =
  | { readonly found: true; readonly sets: readonly (readonly StorageNode[])[] }
  | { readonly found: false; readonly problem: 'no nodes' | 'no space' };

const maxSets = 3;

/** Where fewer nodes than `copies` have room, there are as many copies as nodes. @param random answers in [0, 1). */
export function chooseNodes(nodes: readonly StorageNode[], request: PlacementRequest, random: () => number): Placement {
  if (nodes.length === 0) return { found: false, problem: 'no nodes' };
  const roomy = nodes.filter(
    (node) => node.percentUsed <= request.maxPercentUsed && node.availableMb >= request.sizeMb,
  );
  const datacenters = new Set(roomy.map((node) => node.datacenter));
  if (roomy.length === 0 || (request.multiDc && request.copies > 1 && datacenters.size < 2)) {
    return { found: false, problem: 'no space' };
  }
  const order = alternating(shuffled(roomy, random));
  const size = Math.min(request.copies, roomy.length);
  const sets: StorageNode[][] = [];
  for (let at = 0; at + size <= order.length && sets.length < maxSets; at += size) {
    sets.push(order.slice(at, at + size));
  }
  return { found: true, sets };
}

/** The same nodes, so that neighbours are in different datacenters for as long as there are several left. */
function alternating(nodes: readonly StorageNode[]): StorageNode[] {
  const byDatacenter = new Map<string, StorageNode[]>();
  for (const node of nodes) byDatacenter.set(node.datacenter, [...(byDatacenter.get(node.datacenter) ?? []), node]);
  const queues = [...byDatacenter.values()];
  const rounds = Math.max(...queues.map((queue) => queue.length));
  const order: StorageNode[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const queue of queues) order.push(...queue.slice(round, round + 1));
  }
  return order;
}

export function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((one, other) => one.key - other.key).map(({ item }) => item);
}
