/**
 * The lackey's requests to its agent. A control request is repeated every second until it has an answer that means
 * something: nothing else would be of use, since without its agent a zone has nothing to do, and an agent that starts
 * again resets the zone anyway. Source: spec 06 §1.8.
 *
 *   expected status -> answer     4xx except 410 -> refused     everything else, no answer too -> again after 1 s
 */
import fs from 'node:fs';
import http from 'node:http';
import { basename, dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { taskRoutes } from '../taskapi/routes.js';
import type { TaskDescription, TaskReport } from '../taskapi/types.js';
import type { Log } from './log.js';

const repeatAfterMs = 1000;

/** What the agent said to a report: the zone's next task (or batch of inputs), that there is none yet, or no. */
export type ReportAnswer = TaskDescription | 'none' | 'refused';

export interface AgentClient {
  /** Waits for a task as long as it takes. @throws when aborted, or when the agent refuses the question itself. */
  nextTask(signal?: AbortSignal): Promise<TaskDescription>;
  /** @throws only when aborted. */
  report(report: TaskReport, signal?: AbortSignal): Promise<ReportAnswer>;
  /** Tells the agent that this zone lives; failures are logged only, the next one is soon. */
  live(): Promise<void>;
}

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
}

export function createAgentClient(socketPath: string, log: Log): AgentClient {
  const connections = new http.Agent({ keepAlive: true });
  const send = (exchange: Exchange) => exchangeWith({ socketPath, agent: connections }, exchange);
  const post = (path: string, body: unknown, signal?: AbortSignal) => {
    const text = JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    return send({ method: 'POST', path, headers, body: text, signal });
  };

  return {
    async nextTask(signal) {
      const url = `${taskRoutes.task}?wait=true`;
      for (;;) {
        const askedMs = performance.now();
        const answer = await orNothing(send({ method: 'GET', path: url, signal }), signal, log);
        if (answer?.status === 200) return JSON.parse(answer.text) as TaskDescription;
        if (answer !== undefined && isRefusal(answer.status)) {
          throw new Error(`the agent refused to hand out a task: status ${answer.status}: ${answer.text}`);
        }
        // A long poll that ended empty-handed is asked again at once; one that was not long must not become a loop.
        const waited = answer?.status === 204 && performance.now() - askedMs > repeatAfterMs;
        if (!waited) await pause(repeatAfterMs, undefined, { signal });
      }
    },

    async report(report, signal) {
      for (;;) {
        const answer = await orNothing(post(taskRoutes.report, report, signal), signal, log);
        if (answer?.status === 200) return JSON.parse(answer.text) as TaskDescription;
        if (answer?.status === 204) return 'none';
        if (answer !== undefined && isRefusal(answer.status)) {
          log.warn('the agent refused a report', { taskId: report.taskId, status: answer.status, body: answer.text });
          return 'refused';
        }
        await pause(repeatAfterMs, undefined, { signal });
      }
    },

    async live() {
      const answer = await orNothing(post(taskRoutes.live, {}), undefined, log);
      if (answer !== undefined && answer.status >= 400) log.warn('heartbeat refused', { status: answer.status });
    },
  };
}

/** 410 means that the zone is about to be reset, which looks like an agent that does not answer. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 410;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function orNothing(
  exchange: Promise<Answer>,
  signal: AbortSignal | undefined,
  log: Log,
): Promise<Answer | undefined> {
  try {
    return await exchange;
  } catch (error) {
    signal?.throwIfAborted();
    log.warn('no answer from the agent', { error: (error as Error).message });
    return undefined;
  }
}

function exchangeWith(options: { socketPath: string; agent: http.Agent }, exchange: Exchange): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method, path, headers = {}, body, signal } = exchange;
    const request = http.request({
      ...options,
      method,
      path,
      headers: { accept: 'application/json', ...headers },
      ...(signal === undefined ? {} : { signal }),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      readText(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
    });
    request.end(body);
  });
}

/** @throws when the body ends early. */
export function readText(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    response.once('error', reject); // also of a body that ends early
  });
}

const maxSocketPathBytes = 107;

/** A path under which Node can connect: longer ones than the kernel takes are cut without an error. */
export function connectablePath(socketPath: string): string {
  if (Buffer.byteLength(socketPath) <= maxSocketPathBytes) return socketPath;
  const directory = fs.openSync(dirname(socketPath), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  return `/proc/self/fd/${directory}/${basename(socketPath)}`;
}
