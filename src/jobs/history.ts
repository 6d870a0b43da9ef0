/**
 * Where a task comes from and what became of it: theory of operation. Records name the record that they were made from
 * (`prevRecord*`) and the one that was made of them (`nextRecord*`), retries name their predecessor or their successor,
 * and what a map task emitted names the task. Following all of these from one task gives its whole family, which is
 * small: a reducer does not lead to its other inputs. Every record is visited once, so that circles end.
 */
import VError from 'verror';
import { toStored } from '../bus/stored.js';
import type { Stored } from '../bus/types.js';
import { and, eq } from '../moray/client/filter.js';
import type { ErrorRecord } from '../records/error.js';
import type { JobInputRecord } from '../records/job-input.js';
import type { TaskRecord } from '../records/task.js';
import type { TaskInputRecord } from '../records/task-input.js';
import type { TaskOutputRecord } from '../records/task-output.js';
import { type JobStore, search } from './store.js';

export type HistoryEntry =
  | { readonly kind: 'jobinput'; readonly key: string; readonly value: JobInputRecord }
  | { readonly kind: 'taskinput'; readonly key: string; readonly value: TaskInputRecord }
  | { readonly kind: 'task'; readonly key: string; readonly value: TaskRecord }
  | { readonly kind: 'taskoutput'; readonly key: string; readonly value: TaskOutputRecord }
  | { readonly kind: 'error'; readonly key: string; readonly value: ErrorRecord };

type TaskEntry = Extract<HistoryEntry, { kind: 'task' }>;
type Kind = HistoryEntry['kind'];
/** In the order in which records of one attempt follow each other. */
const kinds: readonly Kind[] = ['jobinput', 'taskinput', 'task', 'taskoutput', 'error'];

interface Reference {
  readonly kind: Kind;
  readonly key: string;
}

/** @returns the records in the order of their lives. @throws VError when one cannot be read. */
export async function taskHistory(store: JobStore, taskId: string): Promise<readonly HistoryEntry[]> {
  const entries = new Map<string, HistoryEntry>();
  const seen = new Set<string>();
  const open: Reference[] = [{ kind: 'task', key: taskId }];
  for (let reference = open.pop(); reference !== undefined; reference = open.pop()) {
    const id = `${reference.kind} ${reference.key}`;
    if (seen.has(id)) continue;
    seen.add(id);
    const entry = await read(store, reference);
    entries.set(`${entry.kind} ${entry.key}`, entry);
    open.push(...linked(entry));
    for await (const found of searched(store, entry)) open.push(found);
  }
  return inOrder([...entries.values()]);
}

async function read(store: JobStore, { kind, key }: Reference): Promise<HistoryEntry> {
  try {
    const { value } = toStored<HistoryEntry['value']>(kind, await store.moray.getObject(store.buckets[kind], key));
    return { kind, key, value } as HistoryEntry; // the bucket says what the value is
  } catch (error) {
    // The error about a map task that could not be dispatched again calls its predecessor an output.
    const isMissing = VError.hasCauseWithName(error as Error, 'ObjectNotFoundError');
    if (kind === 'taskoutput' && isMissing) return read(store, { kind: 'task', key });
    throw new VError({ name: 'HistoryError', cause: error as Error }, 'failed to fetch %s "%s"', kind, key);
  }
}

/** What the record itself names. */
function linked({ kind, value }: HistoryEntry): readonly Reference[] {
  const members: Readonly<Record<string, unknown>> = value;
  const references = (['prev', 'next'] as const).flatMap((side): readonly Reference[] => {
    const [type, key] = [members[`${side}RecordType`], members[`${side}RecordId`]];
    const known = kinds.find((name) => name === type);
    if (known === undefined || typeof key !== 'string') return [];
    return [{ kind: known, key }];
  });
  if (kind === 'taskinput' || kind === 'taskoutput') references.push({ kind: 'task', key: value.taskId });
  if (kind === 'task' && value.retryTaskId !== undefined) references.push({ kind: 'task', key: value.retryTaskId });
  return references;
}

/** What names the record. */
async function* searched(store: JobStore, entry: HistoryEntry): AsyncGenerator<Reference> {
  if (entry.kind !== 'task') return;
  const { jobId, taskId, rIdx, result, timeRetried, retryTaskId } = entry.value;
  if (rIdx === undefined && result === 'ok')
    yield* keysOf(store, 'taskoutput', [eq('jobId', jobId), eq('taskId', taskId)]);
  if (timeRetried !== undefined && retryTaskId === undefined) {
    yield* keysOf(store, 'task', [eq('jobId', jobId), eq('prevRecordType', 'task'), eq('prevRecordId', taskId)]);
  }
  if (rIdx !== undefined) yield* keysOf(store, 'task', [eq('jobId', jobId), eq('retryTaskId', taskId)]);
  if (result === 'fail') yield* keysOf(store, 'error', [eq('jobId', jobId), eq('taskId', taskId)]);
}

async function* keysOf(store: JobStore, kind: Kind, terms: readonly string[]): AsyncGenerator<Reference> {
  const where = (...more: readonly string[]) => and(...terms, ...more);
  for await (const { key } of search<Stored<object>>(store, kind, where)) yield { kind, key };
}

function inOrder(entries: readonly HistoryEntry[]): readonly HistoryEntry[] {
  const tasks = entries.filter((entry) => entry.kind === 'task');
  const attempts = new Map(tasks.map((task) => [task.key, place(task, tasks)]));
  return [...entries].sort((a, b) => compare(sortKey(a, attempts), sortKey(b, attempts)));
}

/** Mostly the number of the attempt; but one that its agent never began does not count, and its successor has the same. */
function place({ key, value }: TaskEntry, tasks: readonly TaskEntry[]): number {
  const seen = new Set<string>();
  let before: TaskEntry | undefined;
  for (let id: string | undefined = key; id !== undefined && !seen.has(id); id = before?.key) {
    seen.add(id);
    before = predecessor(id, tasks);
  }
  return Math.max(value.nattempts ?? 1, seen.size);
}

/** A map task names the attempt before, a failed reducer the attempt after. */
function predecessor(id: string, tasks: readonly TaskEntry[]): TaskEntry | undefined {
  const task = tasks.find(({ key }) => key === id)?.value;
  return tasks.find(
    ({ key, value }) => value.retryTaskId === id || (task?.prevRecordType === 'task' && task.prevRecordId === key),
  );
}

function sortKey(entry: HistoryEntry, attempts: ReadonlyMap<string, number>): readonly (string | number)[] {
  if (entry.kind === 'jobinput') return [-1, 0, 0, entry.value.input];
  const { kind, key, value } = entry;
  const cause = kind === 'error' ? value.prevRecordId : undefined;
  const attempt = attempts.get(value.taskId ?? cause ?? '') ?? 0;
  return [Number(value.phaseNum ?? 0), attempt, kinds.indexOf(kind), nameOf(entry) ?? key];
}

function nameOf({ kind, value }: HistoryEntry): string | undefined {
  return kind === 'taskoutput' ? value.output : value.input;
}

function compare(left: readonly (string | number)[], right: readonly (string | number)[]): number {
  for (const [index, a] of left.entries()) {
    const b = right[index] ?? a;
    if (a !== b) return a < b ? -1 : 1;
  }
  return 0;
}
