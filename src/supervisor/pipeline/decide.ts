/**
 * What becomes of an input: theory of operation. Three kinds of record enter the pipeline: what the user named
 * (jobinput), what a task of the phase before emitted (taskoutput), and a failed map task that runs again (task). Each
 * leaves it by one batch that holds the successor and the origin with its mark, conditional on the origin as read; so
 * there is one successor per origin, whoever is killed when.
 *
 *   named wrong, missing, not allowed, nobody near -----> error
 *   into a map phase -----------------------------------> task, at an agent that holds a copy
 *   into a reduce phase --------------------------------> taskinput for a reducer
 *                        whose reducer has ended -------> its mark alone (first phase), or a taskinput to be removed
 *   an agent near, but full, or silent for a while -----> wait: stays as it is, comes again
 */
import type { Operation, Stored } from '../../bus/types.js';
import type { Env } from '../../common/clock.js';
import { isoTime } from '../../common/iso-time.js';
import { type TaskError, taskErrors } from '../../records/error-codes.js';
import type { JobInputRecord } from '../../records/job-input.js';
import { emptyObjectId } from '../../records/limits.js';
import type { TaskRecord } from '../../records/task.js';
import type { TaskInputRecord } from '../../records/task-input.js';
import type { TaskOutputRecord } from '../../records/task-output.js';
import { chooseAgent } from '../agents.js';
import { newId } from '../ids.js';
import type { Reducer } from '../jobs/job.js';
import { errorRecord, putNew } from '../tasks/new-records.js';
import { normalisedName } from './names.js';

export type Origin = OriginBase &
  (
    | { readonly kind: 'jobinput'; readonly record: Stored<JobInputRecord> }
    | { readonly kind: 'taskoutput'; readonly record: Stored<TaskOutputRecord> }
    | { readonly kind: 'task'; readonly record: Stored<TaskRecord> }
  );

interface OriginBase {
  /** The phase entered. */
  readonly phase: number;
  /** Normalised. */
  readonly name: string;
  readonly p0input: string | undefined;
  /** The reducer that the program asked for. */
  readonly wantedReducer?: number | undefined;
}

export function jobInputOrigin(record: Stored<JobInputRecord>): Origin {
  const { input } = record.value;
  return { kind: 'jobinput', record, phase: 0, name: normalisedName(input), p0input: input };
}

export function taskOutputOrigin(record: Stored<TaskOutputRecord>): Origin {
  const { output, p0input, phaseNum, rIdx } = record.value;
  const name = normalisedName(output);
  return { kind: 'taskoutput', record, phase: phaseNum + 1, name, p0input, wantedReducer: rIdx };
}

export function retryOrigin(record: Stored<TaskRecord>): Origin {
  const { input = '', p0input, phaseNum } = record.value;
  return { kind: 'task', record, phase: phaseNum, name: normalisedName(input), p0input };
}

/** A copy of an object that an agent can reach. */
export interface Copy {
  readonly agent: string;
  readonly zonename: string;
}

export interface FoundObject {
  /** UUID of the owner of the name. */
  readonly account: string;
  readonly creator: string;
  readonly objectId: string;
  readonly isEmpty: boolean;
  /** Also those at agents that are lost or unknown. */
  readonly copies: readonly Copy[];
}

export interface DispatchWorld extends Env {
  readonly jobId: string;
  readonly domain: string;
  readonly cancelled: boolean;
  /** What agents live, and their generations. */
  readonly living: ReadonlyMap<string, string>;
  /** An agent that is not living, but was lately or may be about to start: worth waiting for. */
  readonly mayReturn: (agent: string) => boolean;
  readonly hasRoom: (agent: string) => boolean;
  /** Unfinished tasks there, of all jobs. */
  readonly loadOf: (agent: string) => number;
  /** Of the phase entered; undefined for a map phase. */
  readonly reducers: readonly (Reducer | undefined)[] | undefined;
  /** Reducers without a task may still get one. */
  readonly reducersMayCome: boolean;
}

export type Dispatch =
  | { readonly to: 'task'; readonly agent: string; readonly generation: string; readonly operations: Operations }
  | {
      readonly to: 'taskinput';
      readonly agent: string;
      readonly taskId: string;
      readonly read: boolean;
      readonly operations: Operations;
    }
  | { readonly to: 'error' | 'nothing'; readonly operations: Operations }
  | { readonly to: 'wait'; readonly blockedBy: string | null };

type Operations = readonly Operation[];

/** @param found the object, or why there is none. */
export function decideDispatch(origin: Origin, found: FoundObject | TaskError, world: DispatchWorld): Dispatch {
  const { reducers } = world;
  const wanted = reducers === undefined ? undefined : origin.wantedReducer;
  if (wanted !== undefined && reducers !== undefined && wanted >= reducers.length)
    return toError(origin, taskErrors.noSuchReducer(wanted, reducers.length), world);
  if ('code' in found) return toError(origin, found, world);
  if (world.cancelled) return toError(origin, taskErrors.jobCancelled(), world);
  return reducers === undefined ? toTask(origin, found, world) : toReducer(origin, found, reducers, world);
}

function toTask(origin: Origin, found: FoundObject, world: DispatchWorld): Dispatch {
  const near = found.isEmpty ? [...world.living.keys()] : found.copies.map(({ agent }) => agent);
  const living = near.filter((agent) => world.living.has(agent));
  if (living.length === 0) {
    const worthWaiting = found.isEmpty ? world.mayReturn('') : near.some(world.mayReturn);
    return worthWaiting ? { to: 'wait', blockedBy: null } : toError(origin, taskErrors.noServers(), world);
  }
  const candidates = living.filter(world.hasRoom);
  const avoid = origin.kind === 'task' ? origin.record.value.mantaComputeId : undefined;
  const agent = chooseAgent({ candidates, avoid, loadOf: world.loadOf, random: world.random });
  const generation = agent === undefined ? undefined : world.living.get(agent);
  if (agent === undefined || generation === undefined) return { to: 'wait', blockedBy: living[0] ?? null };
  const taskId = newId(world.random);
  const now = isoTime(world.nowMs);
  const task: TaskRecord = {
    taskId,
    jobId: world.jobId,
    phaseNum: origin.phase,
    domain: world.domain,
    state: 'dispatched',
    timeDispatched: now,
    timeDispatchDone: now,
    input: origin.name,
    ...p0inputOf(origin),
    account: found.account,
    creator: found.creator,
    objectid: found.isEmpty ? emptyObjectId : found.objectId,
    mantaComputeId: agent,
    agentGeneration: generation,
    zonename: found.isEmpty ? '' : (found.copies.find((copy) => copy.agent === agent)?.zonename ?? ''),
    prevRecordType: origin.kind,
    prevRecordId: origin.record.key,
    nattempts: origin.kind === 'task' ? nextAttempt(origin.record.value) : 1,
  };
  const mark = origin.kind === 'task' ? { timeRetried: now } : propagated('task', taskId, now);
  return { to: 'task', agent, generation, operations: [putNew('task', taskId, task), marked(origin, mark)] };
}

function toReducer(
  origin: Origin,
  found: FoundObject,
  reducers: readonly (Reducer | undefined)[],
  world: DispatchWorld,
): Dispatch {
  const index = origin.wantedReducer ?? Math.floor(world.random() * reducers.length);
  const target = reducers[index];
  if (target === undefined) {
    if (world.reducersMayCome) return { to: 'wait', blockedBy: null };
    return toError(origin, taskErrors.noReduceTask(), world);
  }
  const now = isoTime(world.nowMs);
  if (target.finished && origin.phase === 0)
    return { to: 'nothing', operations: [marked(origin, propagated('none', 'none', now))] };
  const taskInputId = newId(world.random);
  const input: TaskInputRecord = {
    taskInputId,
    jobId: world.jobId,
    taskId: target.taskId,
    phaseNum: origin.phase,
    domain: world.domain,
    mantaComputeId: target.agent,
    agentGeneration: world.living.get(target.agent) ?? target.generation,
    input: origin.name,
    ...(origin.p0input === undefined ? {} : { p0input: origin.p0input }),
    account: found.account,
    creator: found.creator,
    objectid: found.isEmpty ? emptyObjectId : found.objectId,
    servers: found.copies
      .filter(({ agent }) => world.living.has(agent) || world.mayReturn(agent))
      .map(({ agent, zonename }) => ({ mantaComputeId: agent, zonename })),
    timeDispatched: now,
    prevRecordType: origin.kind,
    prevRecordId: origin.record.key,
    ...(target.finished ? { wantInputRemoved: 'true', timeRead: now } : {}),
  };
  return {
    to: 'taskinput',
    agent: target.agent,
    taskId: target.taskId,
    read: target.finished,
    operations: [putNew('taskinput', taskInputId, input), marked(origin, propagated('taskinput', taskInputId, now))],
  };
}

function toError(origin: Origin, error: TaskError, world: DispatchWorld): Dispatch {
  const errorId = newId(world.random);
  const now = isoTime(world.nowMs);
  const record = errorRecord({
    errorId,
    jobId: world.jobId,
    domain: world.domain,
    phase: origin.phase,
    error,
    nowMs: world.nowMs,
    input: origin.name,
    ...p0inputOf(origin),
    prevRecordType: origin.kind,
    prevRecordId: origin.record.key,
  });
  const mark = propagated('error', errorId, now);
  const removal = leavesInput(origin) ? { wantInputRemoved: 'true' } : {};
  const change = origin.kind === 'task' ? { ...mark, timeRetried: now, ...removal } : mark;
  return { to: 'error', operations: [putNew('error', errorId, record), marked(origin, change)] };
}

/** A task that cannot run again will not consume its input, nor will anybody else. */
export function leavesInput({ kind, phase }: Origin): boolean {
  return kind === 'task' && phase > 0;
}

/** In the first phase both names are the normalised one; later ones go back to it. */
function p0inputOf(origin: Origin): { p0input?: string } {
  const p0input = origin.kind === 'jobinput' ? origin.name : origin.p0input;
  return p0input === undefined ? {} : { p0input };
}

/** An attempt counts once it was accepted: what an agent never began costs nothing. */
export function nextAttempt(task: TaskRecord): number {
  const attempt = task.nattempts ?? 1;
  return task.timeAccepted === undefined ? attempt : attempt + 1;
}

function propagated(type: 'task' | 'taskinput' | 'error' | 'none', id: string, now: string): object {
  return { nextRecordType: type, nextRecordId: id, timePropagated: now };
}

function marked(origin: Origin, change: object): Operation {
  const { bucket, key, etag, value } = origin.record;
  return { op: 'put', bucket, key, etag, value: { ...value, ...change } };
}
