/**
 * Metering: what each task used, as records in the agent's log. A task is charged from the end of the one before it in
 * the same zone (or from the zone's start of work), so gaps are charged too. Checkpoints are deltas, which add up to the
 * cumulative figures of `TaskDone`.
 *
 *   TaskStart   TaskCheckpoint: cumulative   TaskCheckpoint: cumulative, delta   TaskDone: cumulative, delta
 *
 * Every task that starts has exactly one end: when its zone can be asked no more (it died), the figures of the last
 * look at it stand. A task that has a start and no end before the next `AgentStart` was lost with the agent.
 * Source: spec 05 §9.
 */
import type { Logger } from '../../common/logging.js';
import type { Task } from '../tasks/task.js';
import type { ZoneUsage } from '../zones/driver.js';

export type HrTime = readonly [seconds: number, nanoseconds: number];

export interface Sample {
  readonly at: HrTime;
  readonly usage: ZoneUsage;
}

/** The account of one zone while it belongs to a group. */
export interface Account {
  /** Where the current task's bill begins. */
  start: Sample;
  lastCheckpoint: Sample | null;
}

export interface Meter {
  /** @throws when the zone cannot be asked. */
  sample(zone: string): Promise<Sample>;
  agentStarted(): void;
  taskStarted(task: Task): void;
  checkpoint(task: Task, account: Account, sample: Sample): void;
  /** The next task of the zone is charged from `sample`. @param sample null: the zone cannot be asked any more. */
  taskDone(task: Task, account: Account, sample: Sample | null): void;
}

export interface MeterParts {
  readonly log: Logger;
  readonly serverUuid: string;
  readonly computeId: string;
  readonly hrTime: () => HrTime;
  readonly usage: (zone: string) => Promise<ZoneUsage>;
  /** GB of disk that a zone of the task has. */
  readonly diskGbOf: (task: Task) => number;
}

export function createMeter(parts: MeterParts): Meter {
  const identity = { computeAudit: true, serverUuid: parts.serverUuid, mantaComputeId: parts.computeId };
  const emit = (event: string, fields: object = {}) => parts.log.info({ event, ...identity, ...fields }, event);
  const naming = (task: Task) => ({
    jobId: task.group.job.id,
    owner: task.group.details?.owner,
    phase: task.group.phaseNum,
    taskId: task.id,
  });

  /** What has no figure now has the one of the look before: a counter never goes back, and none is left out at the end. */
  function complete(account: Account, sample: Sample | null): Sample {
    const before = account.lastCheckpoint ?? account.start;
    return { at: sample?.at ?? parts.hrTime(), usage: { ...before.usage, ...sample?.usage } };
  }

  function measured(task: Task, account: Account, sample: Sample) {
    const cumulative = { ...difference(account.start, sample), config_disk: parts.diskGbOf(task) };
    const delta = account.lastCheckpoint === null ? {} : { metricsDelta: difference(account.lastCheckpoint, sample) };
    return { ...naming(task), hrtimestamp: sample.at, metricsCumul: cumulative, ...delta };
  }

  return {
    sample: async (zone) => ({ at: parts.hrTime(), usage: await parts.usage(zone) }),
    agentStarted: () => emit('AgentStart'),
    taskStarted: (task) => emit('TaskStart', naming(task)),
    checkpoint(task, account, sample) {
      const whole = complete(account, sample);
      emit('TaskCheckpoint', measured(task, account, whole));
      account.lastCheckpoint = whole;
    },
    taskDone(task, account, sample) {
      const whole = complete(account, sample);
      emit('TaskDone', measured(task, account, whole));
      account.start = whole;
      account.lastCheckpoint = null;
    },
  };
}

/** Counters are differences, levels are as they are; what the driver cannot know is left out. */
function difference(from: Sample, to: Sample): object {
  const counted = (field: keyof ZoneUsage): number | undefined => {
    const [before, after] = [from.usage[field], to.usage[field]];
    return after === undefined ? undefined : Math.max(0, after - (before ?? 0));
  };
  const entry = (fields: Record<string, number | undefined>) => {
    const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    return { snaptime: nanoseconds(from.at, to.at), data: known };
  };
  const elapsed = nanoseconds(from.at, to.at);
  const io = entry({ nread: counted('readBytes'), nwritten: counted('writtenBytes') });
  return {
    hrtimestamp: [Math.floor(elapsed / 1e9), elapsed % 1e9],
    cpu: entry({ nsec_user: counted('cpuUserNs'), nsec_sys: counted('cpuSystemNs') }),
    memory: entry({ rss: to.usage.memoryBytes, anon_alloc_fail: counted('memoryFailures') }),
    vfs: io,
    zfs: io,
    vnic0: entry({ rbytes64: counted('networkReceivedBytes'), obytes64: counted('networkSentBytes') }),
  };
}

function nanoseconds(from: HrTime, to: HrTime): number {
  return (to[0] - from[0]) * 1e9 + (to[1] - from[1]);
}
