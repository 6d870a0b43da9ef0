/**
 * The task API proper: what lackeys (and user programs) say about the zone's task. Source: spec 05 §7.2 to
 * §7.5 and §7.7.
 */
import type http from 'node:http';
import type { Clock } from '../../common/clock.js';
import type { Logger } from '../../common/logging.js';
import { type TaskError, taskErrors } from '../../records/error-codes.js';
import { taskRoutes } from '../../taskapi/routes.js';
import { describe, hasWork, type Stream, type Streams, withNote } from '../streams/streams.js';
import type { Inputs } from '../tasks/inputs.js';
import type { TaskTable } from '../tasks/table.js';
import { allInputsRead, type Task, type TaskEnd } from '../tasks/task.js';
import type { Upstream } from '../upstream.js';
import { answerEmpty, answerJson, controlErrors } from './answers.js';
import { recordOutput } from './outputs.js';
import { type CapturedOutput, prepareDirectory, removeOutput, type SaveContext, saveOutput } from './save.js';
import type { LongPolls } from './zone-requests.js';

const decimal = /^\s*[+-]?[\d.]+(e[+-]?\d+)?\s*$/i;

export type Body = Readonly<Record<string, unknown>>;

export interface ControlParts {
  readonly zone: string;
  readonly streams: Streams;
  readonly table: Pick<TaskTable, 'addOutput' | 'finish'>;
  readonly inputs: Pick<Inputs, 'fed'>;
  readonly upstream: Upstream;
  readonly together: SaveContext['together'];
  readonly clock: Clock;
  readonly random: () => number;
  readonly polls: LongPolls;
  readonly log: Logger;
  /** Whether the zone is being reset. */
  readonly isClosed: () => boolean;
}

type Busy = Stream & { readonly task: Task };

export interface ControlRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly handle: (request: ControlRequest) => Promise<void> | void;
}

export interface ControlRequest {
  readonly query: URLSearchParams;
  readonly body: Body;
  readonly response: http.ServerResponse;
}

/** The task reported last, and what becomes of it: a report that is repeated gets the same answer. */
interface LastReport {
  readonly taskId: string;
  readonly done: Promise<void>;
}

/** Resolves to the error that a commit turns into when its output could not be saved. */
type Saving = Promise<TaskError | null>;

/** Of a zone: tasks whose output is still being saved while it goes on. */
const maxUnsaved = 8;

export function controlRoutes(parts: ControlParts): readonly ControlRoute[] {
  const { zone, streams, polls, clock } = parts;
  let last: LastReport | null = null;
  /** Tasks that the zone has left behind, oldest first, while their output is saved. */
  let unsaved: readonly Promise<void>[] = [];

  function told(): Busy {
    const stream = streams.current(zone);
    if (stream === null || !stream.told) throw controlErrors.noTask();
    return stream;
  }

  function busy(): Busy {
    const stream = told();
    touch(stream);
    return stream;
  }

  function touch(stream: Stream): void {
    stream.lastContactMs = clock.nowMs();
  }

  /** @returns whether there was something to answer. */
  function answerTask(response: http.ServerResponse): boolean {
    const stream = streams.current(zone);
    if (stream === null) return false;
    touch(stream);
    if (!hasWork(stream)) return false;
    stream.told = true;
    answerJson(response, 200, describe(stream));
    const { taskOutputKey } = stream.description;
    if (!stream.details.isReduce && taskOutputKey !== undefined) prepareDirectory(saveContext(stream), taskOutputKey);
    return true;
  }

  function getTask({ query, response }: ControlRequest): void {
    if (parts.isClosed()) throw controlErrors.shuttingDown();
    if (answerTask(response)) return;
    if (query.get('wait') !== 'true') {
      answerEmpty(response, 204);
      return;
    }
    const look = () => answerTask(response);
    polls.park(response, look, () => look() || answerEmpty(response, 204));
  }

  /** Ends the task now, or remembers how it ended until its last input is known. */
  async function finish(stream: Busy, end: TaskEnd): Promise<void> {
    const initFailed = end.result === 'fail' && end.error.code === 'TaskInitError';
    if (!initFailed && stream.details.isReduce && !allInputsRead(stream.task)) {
      stream.task.early = end;
      parts.inputs.fed(stream.task, stream.task.inputs.length);
      return;
    }
    await streams.end(stream, end);
  }

  async function commit(stream: Busy, body: Body): Promise<void> {
    const { task, details } = stream;
    const { key, nkeys } = body;
    if (key !== undefined) {
      const expected = details.isReduce ? task.inputs[0]?.stored.value.input : task.stored.value.input;
      if (key !== expected) throw controlErrors.argument(`"${String(key)}" is not the current object`);
      if (details.isReduce) {
        if (!Number.isInteger(nkeys)) throw controlErrors.argument('"nkeys" must be a valid integer');
        parts.inputs.fed(task, nkeys as number);
        return;
      }
    }
    await finish(stream, { result: 'ok', machine: zone });
  }

  async function postCommit({ body, response }: ControlRequest): Promise<void> {
    const stream = busy();
    await commit(stream, body);
    await nextPrepared(stream);
    answerEmpty(response, 204);
  }

  async function postFail({ body, response }: ControlRequest): Promise<void> {
    const stream = busy();
    await finish(stream, { result: 'fail', error: normalError(body['error']), machine: zone });
    answerEmpty(response, 204);
  }

  function postPerturb({ body, query, response }: ControlRequest): void {
    const stream = told(); // no sign of life: tests send it
    const given = query.get('p') ?? body['p'];
    const p = typeof given === 'string' && decimal.test(given) ? Number(given) : given;
    if (typeof p !== 'number' || !Number.isFinite(p)) throw controlErrors.argument('"p" is not a number');
    if (p < 0 || p > 1) throw controlErrors.argument('"p" is out of range [0, 1]');
    stream.failProbability = p;
    answerEmpty(response, 204);
  }

  async function postReport({ body, response }: ControlRequest): Promise<void> {
    const stream = streams.current(zone);
    if (stream !== null && stream.task.id === body['taskId']) {
      touch(stream);
      await report(stream, body);
    } else if (last === null || last.taskId !== body['taskId']) {
      throw controlErrors.noTask();
    }
    await nextPrepared(streams.byZone.get(zone));
    if (!answerTask(response)) answerEmpty(response, 204);
  }

  async function report(stream: Busy, body: Body): Promise<void> {
    if (body['key'] !== undefined && stream.details.isReduce) {
      await commit(stream, body);
      return;
    }
    const reported = body['fail'] === undefined ? null : normalError(body['fail']);
    const saving = save(stream, capturedOf(stream, body));
    const taskId = stream.task.id;
    if (reported?.code === 'TaskInitError' || (stream.details.isReduce && !allInputsRead(stream.task))) {
      last = { taskId, done: endInPlace(stream, reported, saving) };
      await last.done;
      return;
    }
    // The zone gets its next task while this one's output is saved; that it waits for an older one keeps the output that
    // a zone has yet to save at a few tasks' worth.
    const done = endAside(stream, reported, saving);
    last = { taskId, done };
    const older = unsaved.at(-maxUnsaved);
    unsaved = [...unsaved.slice(-maxUnsaved + 1), done];
    done.catch(() => {}); // whoever waits for it is told
    await older;
  }

  /** The task stays the zone's until its end is known. */
  async function endInPlace(stream: Busy, reported: TaskError | null, saving: Saving): Promise<void> {
    const { task } = stream;
    const unsaved = await saving;
    if (stream.task === task) await finish(stream, endOf(reported ?? unsaved));
  }

  /** The zone goes on at once; the task's end is recorded when its output is saved. */
  async function endAside(stream: Busy, reported: TaskError | null, saving: Saving): Promise<void> {
    const { task } = stream;
    const billed = streams.detach(stream);
    const unsaved = await saving;
    const end = endOf(reported ?? unsaved);
    const used = await billed;
    parts.table.finish(task, end.result === 'ok' ? end : { ...end, error: withNote(task, end.error, used) });
  }

  function endOf(failure: TaskError | null): TaskEnd {
    if (failure === null) return { result: 'ok', machine: zone };
    return { result: 'fail', error: failure, machine: zone };
  }

  function saveContext({ group, details, failProbability }: Stream): SaveContext {
    return { ...parts, job: group.job, details, failProbability };
  }

  async function save(stream: Busy, outputs: readonly CapturedOutput[]): Promise<TaskError | null> {
    const { task } = stream;
    const context = saveContext(stream);
    let failure: TaskError | null = null;
    for (const output of outputs) {
      try {
        await saveOutput(context, output);
        if (task.state === 'done') await takeBack(context, output.path);
        else recordOutput(parts.table, task, { ...output, reducer: null });
      } catch (error) {
        failure ??= taskErrors.saving(output.kind, (error as Error).message);
      }
    }
    return failure;
  }

  /** Of a task that was cancelled while its output was on its way. */
  async function takeBack(context: SaveContext, path: string): Promise<void> {
    try {
      await removeOutput(context, path);
    } catch (error) {
      parts.log.warn({ err: error, path }, 'the output of a task that had ended is left');
    }
  }

  return [
    { method: 'GET', path: taskRoutes.task, handle: getTask },
    { method: 'POST', path: taskRoutes.commit, handle: postCommit },
    { method: 'POST', path: taskRoutes.fail, handle: postFail },
    { method: 'POST', path: taskRoutes.report, handle: postReport },
    { method: 'POST', path: taskRoutes.perturb, handle: postPerturb },
    {
      method: 'POST',
      path: taskRoutes.live,
      handle({ response }) {
        const stream = streams.current(zone); // also of a lackey that is still busy with a command of the task before
        if (stream === null) throw controlErrors.noTask();
        touch(stream);
        answerEmpty(response, 200);
      },
    },
  ];
}

/** A task that cannot be prepared is followed by another. */
async function nextPrepared(stream: Stream | undefined): Promise<void> {
  let seen: Promise<void> | undefined;
  while (stream !== undefined && !stream.stopped && stream.prepared !== seen) {
    seen = stream.prepared;
    await seen;
  }
}

function capturedOf(stream: Busy, body: Body): CapturedOutput[] {
  const { taskOutputKey, taskErrorKey } = stream.description;
  const captured = (kind: 'stdout' | 'stderr', path: string | undefined): CapturedOutput[] => {
    const text = body[kind];
    return typeof text === 'string' && path !== undefined ? [{ kind, path, bytes: Buffer.from(text, 'base64') }] : [];
  };
  return [...captured('stdout', taskOutputKey), ...captured('stderr', taskErrorKey)];
}

/** Whatever was sent becomes an error with a code and a message. */
function normalError(given: unknown): TaskError {
  const { code, message, messageInternal } = (typeof given === 'object' && given !== null ? given : {}) as Body;
  const fallback = taskErrors.noMessage();
  return {
    code: typeof code === 'string' && code !== '' ? storable(code) : fallback.code,
    message: typeof message === 'string' && message !== '' ? storable(message) : fallback.message,
    ...(typeof messageInternal === 'string' ? { internal: storable(messageInternal) } : {}),
  };
}

/** The store refuses NUL in what it indexes: a task with such a code could never be saved, and its job never end. */
function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd');
}
