/**
 * Placement: which storage nodes take the copies of a new object. A decision over what the nodes last said of
 * themselves. A set of nodes takes the object whole or not at all; when one of them refuses, or does not answer, the next
 * set is made of the others. Within a set, datacenters take turns, so that copies are as far apart as they can be. Nodes
 * that did not answer lately come last: to wait for them once costs more than the rest of a small upload.
 */

export interface StorageNode {
  readonly id: string;
  readonly url: string;
  readonly datacenter: string;
  readonly availableMb: number;
  readonly percentUsed: number;
  /** It did not answer, and has not been heard of since. */
  readonly isSilent: boolean;
}

export interface PlacementRequest {
  readonly copies: number;
  readonly sizeMb: number;
  readonly maxPercentUsed: number;
  /** More than one copy needs two datacenters. */
  readonly multiDc: boolean;
}

export type NodeSet = readonly StorageNode[];

export type Placement =
  | {
      readonly found: true;
      /** All sets have the same number of nodes. @param refused ids of nodes that will not take it. @returns undefined when too few others are left. */
      readonly setWithout: (refused: ReadonlySet<string>) => NodeSet | undefined;
    }
  | { readonly found: false; readonly problem: 'no nodes' | 'no space' };

/** Where fewer nodes than `copies` have room, there are as many copies as nodes. @param random answers in [0, 1). */
export function chooseNodes(nodes: NodeSet, request: PlacementRequest, random: () => number): Placement {
  if (nodes.length === 0) return { found: false, problem: 'no nodes' };
  const roomy = nodes.filter(
    (node) => node.percentUsed <= request.maxPercentUsed && node.availableMb >= request.sizeMb,
  );
  const copies = Math.min(request.copies, roomy.length);
  const order = shuffled(roomy, random).sort((one, other) => Number(one.isSilent) - Number(other.isSilent));
  const setWithout = (refused: ReadonlySet<string>) => {
    const set = alternating(order.filter(({ id }) => !refused.has(id))).slice(0, copies);
    const isFarApart = !request.multiDc || request.copies === 1 || datacentersOf(set) > 1;
    return set.length === copies && isFarApart ? set : undefined;
  };
  if (roomy.length === 0 || setWithout(new Set()) === undefined) return { found: false, problem: 'no space' };
  return { found: true, setWithout };
}

function datacentersOf(nodes: NodeSet): number {
  return new Set(nodes.map(({ datacenter }) => datacenter)).size;
}

/** The same nodes, so that neighbours are in different datacenters for as long as there are several left. */
function alternating(nodes: NodeSet): StorageNode[] {
  const byDatacenter = new Map<string, StorageNode[]>();
  for (const node of nodes) byDatacenter.set(node.datacenter, [...(byDatacenter.get(node.datacenter) ?? []), node]);
  const queues = [...byDatacenter.values()];
  const rounds = Math.max(0, ...queues.map((queue) => queue.length));
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
