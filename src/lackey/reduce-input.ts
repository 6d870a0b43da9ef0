/**
 * The standard input of a reducer: theory of operation. A reducer reads one stream, the concatenation of its inputs in
 * the order in which the agent names them, and starts before the last of them is known. The agent names at most ten at
 * a time; they are acknowledged once they have been fed, and the answer names the next ones.
 *
 *   batch -> fetch side by side (1 MiB ahead each) -> write in order -> acknowledge -> next batch ... -> end of input
 *
 * Fed means handed to the pipe, not read by the command. The command may end, or close its stdin, at any time: then all
 * of this stops without a complaint, for to read only the beginning is a fine thing to do.
 */
import { once } from 'node:events';
import http from 'node:http';
import { PassThrough, type Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { TaskDescription } from '../taskapi/types.js';
import type { AgentClient } from './agent-client.js';
import { fetchObject } from './fetch-object.js';

const maxFetches = 16;
const prefetchBytes = 1024 * 1024;

/**
 * `over`: all was fed, or nobody reads any more. `failed`: an input cannot be had. `lost`: the agent knows this task no
 * longer; `next` is what it handed out instead, if it did.
 */
export type FeedResult =
  | { readonly kind: 'over' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'lost'; readonly next?: TaskDescription };

export interface FeedOptions {
  readonly socketPath: string;
  readonly agent: AgentClient;
  readonly stdin: Writable;
  /** Aborted when the command has ended. */
  readonly commandEnded: AbortSignal;
}

export async function feedInputs(task: TaskDescription, options: FeedOptions): Promise<FeedResult> {
  const { stdin, agent, commandEnded } = options;
  const closed = new AbortController(); // also for a command that lives on without its stdin
  stdin.on('error', () => closed.abort());
  const signal = AbortSignal.any([commandEnded, closed.signal]);
  const connections = new http.Agent({ keepAlive: true, maxSockets: maxFetches });
  try {
    let batch = task;
    for (;;) {
      const failure = await feedBatch(batch.taskInputKeys, { ...options, signal, connections });
      if (failure !== undefined) return { kind: 'failed', message: failure };
      if (batch.taskInputDone) return { kind: 'over' };
      const next = await nextBatch(batch, agent, signal);
      if (next === 'refused') return { kind: 'lost' };
      if (next.taskId !== task.taskId) return { kind: 'lost', next };
      batch = next;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    return { kind: 'over' };
  } finally {
    stdin.end();
    connections.destroy();
  }
}

/** A long poll that outlives the command is dropped by `signal`: its answer may be about another task. */
async function nextBatch(
  batch: TaskDescription,
  agent: AgentClient,
  signal: AbortSignal,
): Promise<TaskDescription | 'refused'> {
  const [key] = batch.taskInputKeys;
  if (key === undefined) return agent.nextTask(signal);
  const acknowledgement = { taskId: batch.taskId, commit: true, key, nkeys: batch.taskInputKeys.length } as const;
  const answer = await agent.report(acknowledgement, signal);
  return answer === 'none' ? agent.nextTask(signal) : answer;
}

interface BatchOptions extends FeedOptions {
  readonly signal: AbortSignal;
  readonly connections: http.Agent;
}

/** @returns why an input cannot be had. @throws when aborted. */
async function feedBatch(names: readonly string[], options: BatchOptions): Promise<string | undefined> {
  const { stdin, signal } = options;
  const fetches: PassThrough[] = [];
  const startUpTo = (count: number) => {
    for (const name of names.slice(fetches.length, count)) fetches.push(startFetch(name, options));
  };
  try {
    for (let index = 0; index < names.length; index++) {
      startUpTo(index + maxFetches);
      for await (const chunk of fetches[index] ?? []) {
        if (!stdin.write(chunk)) await once(stdin, 'drain', { signal });
      }
    }
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return (error as Error).message;
  } finally {
    for (const fetch of fetches) fetch.destroy();
  }
}

/** A stream that runs up to 1 MiB ahead of its reader, and ends with the error of a fetch that failed. */
function startFetch(name: string, { socketPath, connections, signal }: BatchOptions): PassThrough {
  const ahead = new PassThrough({ highWaterMark: prefetchBytes });
  ahead.on('error', () => {}); // for the reader, who may not have come to it yet
  const write = async (chunk: Buffer) => {
    if (!ahead.write(chunk)) await once(ahead, 'drain', { signal });
  };
  const waitFor = (ms: number, signal: AbortSignal) => pause(ms, undefined, { signal });
  fetchObject(name, write, { socketPath, connections, signal, pause: waitFor }).then(
    () => ahead.end(),
    (error: Error) => ahead.destroy(error),
  );
  return ahead;
}
