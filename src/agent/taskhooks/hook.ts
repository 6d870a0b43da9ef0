/**
 * Set-up of zones and tasks as lists of small steps: one concern, one file, one name. Steps run in order; when one fails
 * the task (or every task of the group, for steps of a stream) fails with its message. The zone's reset undoes them all.
 */
import type { Clock } from '../../common/clock.js';
import type { TaskDescription } from '../../taskapi/types.js';
import type { GroupDetails, Task } from '../tasks/task.js';
import type { Upstream } from '../upstream.js';
import type { ZoneDriver, ZoneImage, ZoneLimits } from '../zones/driver.js';

export interface StreamSetUp {
  readonly zone: string;
  readonly driver: ZoneDriver;
  readonly details: GroupDetails;
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** What the zone was reset with. */
  readonly defaultImage: ZoneImage;
  readonly defaultLimits: ZoneLimits;
  /** The zone was reset once more, with another image. */
  readonly newLife: () => void;
  readonly signal: AbortSignal;
}

/** Once for a zone and group. Its failure fails the tasks of the group: `failed to dispatch task: …`. */
export interface StreamHook {
  readonly name: string;
  readonly setUp: (context: StreamSetUp) => Promise<void>;
}

export interface TaskSetUp {
  readonly zone: string;
  readonly driver: ZoneDriver;
  readonly details: GroupDetails;
  readonly task: Task;
  /** Directory of the objects of each storage node on this machine, by its zone name. */
  readonly storageRoots: ReadonlyMap<string, string>;
}

/**
 * Before each task. Contributes to what the lackey is told. A `TaskSetUpError` ends the task, and the zone goes on to the
 * next; any other error ends the stream, because the state of the zone is unknown then.
 */
export interface TaskHook {
  readonly name: string;
  /** @throws TaskSetUpError */
  readonly setUp: (context: TaskSetUp) => Promise<Partial<TaskDescription>>;
}
