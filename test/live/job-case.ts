/**
 * The form of a case: a job as data, with what must come of it. Texts may name the account by `%user%` and the job by
 * `%job%`. Names of default outputs are built by `out` and `red`.
 */
import type { JobPhase } from '../support/jobs.js';

export interface ExpectedError {
  readonly phase?: string;
  readonly what?: string | RegExp;
  readonly input?: string | RegExp;
  readonly p0input?: string;
  readonly code: string;
  readonly message: string | RegExp;
  /** Name of the stored core; `undefined` when there is none. */
  readonly core?: RegExp;
}

export interface JobCase {
  readonly name: string;
  readonly phases: readonly JobPhase[];
  /** Made beforehand by the rules of `prepareInput`, then submitted in this order. */
  readonly inputs?: readonly string[];
  /** Submitted without being made. */
  readonly extraInputs?: readonly string[];
  /** Objects made beforehand that are no inputs. */
  readonly objects?: Readonly<Record<string, string>>;
  readonly outputs?: readonly (string | RegExp)[];
  /** Sorted, and compared with the sorted contents of the outputs. */
  readonly contents?: readonly (string | RegExp)[];
  readonly errors?: readonly ExpectedError[];
  /** At least and at most, where chance decides; `errors` must then be among them, and outputs are not compared. */
  readonly errorCount?: readonly [least: number, most: number];
  /** Objects that may stay below JOB/stor beside outputs, stderr and core. */
  readonly mayStay?: RegExp;
  /** It is cancelled when all its tasks are dispatched. */
  readonly cancelWhenRunning?: boolean;
  readonly limitSeconds: number;
  /** Its record is written by `mrjob submit`: the front door would refuse the definition. */
  readonly belowFrontDoor?: true;
  /** Options of the job that are switched on, which takes `mrjob submit`, too. */
  readonly options?: readonly 'frequentCheckpoint'[];
  /** Runs when no other case does. */
  readonly alone?: true;
  /** What a zone must provide: without isolation, and root for accounting, some cases cannot hold. */
  readonly needs?: 'zone' | 'accounting';
}

export const uuid = '[0-9a-z-]{36}';
export const obj = (...numbers: readonly number[]) => numbers.map((number) => `/%user%/stor/obj${number}`);
export const out = (name: string, phase: number) =>
  new RegExp(`^/%user%/jobs/%job%/stor/%user%/stor/${name}\\.${phase}\\.${uuid}$`);
export const red = (phase: number) => new RegExp(`^/%user%/jobs/%job%/stor/reduce\\.${phase}\\.${uuid}$`);
export const map = (exec: string, more: Partial<JobPhase> = {}): JobPhase => ({ type: 'map', exec, ...more });
export const reduce = (exec: string, more: Partial<JobPhase> = {}): JobPhase => ({ type: 'reduce', exec, ...more });

/** Inside a zone: calls of the task control API, as user code can make them. */
export const control = 'curl -si -X POST http://localhost/my/jobs/task';
