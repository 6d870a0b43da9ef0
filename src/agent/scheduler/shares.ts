/**
 * Shares: how many zones a task group is entitled to, and how many it holds too many. Both follow from the number of
 * its tasks among all tasks, so that a job of a million tasks and a job of one are both served: each group is entitled
 * to at least one zone. A share is a minimum; what nobody else is entitled to may be used by anyone.
 * Source: spec 05 §2.5 and §4.1.
 */

export interface GroupLoad {
  /** Tasks of the group, running and queued. */
  readonly taskCount: number;
  readonly streamCount: number;
}

export interface PoolLoad {
  /** Tasks of all groups. */
  readonly taskCount: number;
  /** Zones that are not reserved for new groups. */
  readonly capacity: number;
}

export interface ReserveRule {
  readonly minZones: number;
  readonly percent: number;
}

/** Zones kept for groups that have none. */
export function reservedZones(enabledZones: number, rule: ReserveRule): number {
  return Math.max(Math.floor((rule.percent / 100) * enabledZones), Math.min(rule.minZones, enabledZones));
}

/** Zones that the group is entitled to. */
export function share(group: GroupLoad, pool: PoolLoad): number {
  if (group.taskCount === 0) return 0;
  const proportion = Math.floor((pool.capacity * group.taskCount) / pool.taskCount);
  return Math.min(group.taskCount, Math.max(1, proportion));
}

/** Zones beyond what the others' entitlement leaves, with one zone of hysteresis. */
export function overscheduled(group: GroupLoad, pool: PoolLoad): number {
  if (pool.taskCount === 0) return 0;
  const otherTasks = pool.taskCount - group.taskCount;
  const others = Math.min(otherTasks, Math.ceil((pool.capacity * otherTasks) / pool.taskCount));
  return Math.max(0, group.streamCount - 1 - (pool.capacity - others));
}

/** How badly the group lacks zones; 0 when it has its share. Only of groups that have a stream. */
export function need(group: GroupLoad, pool: PoolLoad): number {
  const entitled = share(group, pool);
  return entitled > group.streamCount ? (entitled - group.streamCount) / group.streamCount : 0;
}
