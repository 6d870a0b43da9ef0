/** What agent and lackey say to each other over the zone's socket. Types only: the lackey loads nothing else. */

/** A phase of a job, verbatim from the job record. */
export interface TaskPhase {
  readonly type?: 'map' | 'reduce' | 'storage-map';
  readonly exec: string;
  readonly init?: string;
  readonly assets?: readonly string[];
  readonly count?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly image?: string;
}

/** Answer to `GET /my/jobs/task/task`, and to a report that has a next task. */
export interface TaskDescription {
  readonly jobId: string;
  readonly taskId: string;
  /** Reduce only. */
  readonly rIdx?: number;
  readonly taskPhase: TaskPhase;
  readonly login: string;
  readonly taskErrorKey: string;
  readonly taskOutputKey: string;
  readonly taskOutputBase: string;
  readonly taskCoreBase: string;
  /** Map: the one input. Reduce: up to ten, oldest unacknowledged first. */
  readonly taskInputKeys: readonly string[];
  readonly taskInputDone: boolean;
  /** Reduce: the socket to fetch inputs from. */
  readonly taskInputRemote?: string;
  /** Map: path of the input in the zone. */
  readonly taskInputFile?: string;
}

export interface TaskError {
  readonly code?: string;
  readonly message?: string;
  readonly messageInternal?: string;
}

/**
 * `POST /my/jobs/task/report`, the lackey's own call: ends a task (or acknowledges a batch of reduce inputs) and asks
 * for the next one in the same round trip. Answers: 200 with the next task or batch, 204 none, 409 not your task.
 */
export interface TaskReport {
  readonly taskId: string;
  /** Exactly one of `commit` and `fail`. */
  readonly commit?: true;
  readonly fail?: TaskError;
  /** Reduce: `commit` of a batch: its first name, and how many. */
  readonly key?: string;
  readonly nkeys?: number;
  /** Captured output for the agent to save, base64, at most `maxInlineBytes` before encoding; absent: none to save. */
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Captured output up to this many bytes travels inside a report; longer output is PUT by the lackey. */
export const maxInlineBytes = 64 * 1024;
