/** A lackey as a real process, and the other end of its socket: an agent that hands out tasks and writes down reports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TaskDescription, TaskError, TaskReport } from '../../src/taskapi/types.js';

interface Teardown {
  teardown(action: () => unknown): void;
}

export interface StoredObject {
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** Answers a request to the store instead of the fake. @returns whether it did. */
export type Interceptor = (request: http.IncomingMessage, response: http.ServerResponse) => boolean;

export interface FakeAgent {
  readonly directory: string;
  readonly socketPath: string;
  /** Every request, `METHOD /path`, in order of arrival. */
  readonly requests: string[];
  readonly objects: Map<string, StoredObject>;
  readonly directories: Set<string>;
  intercept: Interceptor;
  /** Queues a description and resolves to the report on it that ends the task. */
  run(task: TaskDescription): Promise<TaskReport>;
  /** Queues a description that ends no task, such as a further batch of inputs. */
  handOut(task: TaskDescription): void;
  /** Reports that acknowledged a batch. */
  readonly acknowledged: TaskReport[];
}

export async function startFakeAgent(t: Teardown): Promise<FakeAgent> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-lackey-'));
  const socketPath = path.join(directory, 'sock');
  const queue: TaskDescription[] = [];
  const parked: http.ServerResponse[] = [];
  const waiting = new Map<string, (report: TaskReport) => void>();
  const agent: FakeAgent = {
    directory,
    socketPath,
    requests: [],
    objects: new Map(),
    directories: new Set(['/bob/jobs/J/stor']),
    intercept: () => false,
    acknowledged: [],
    run(task) {
      const report = new Promise<TaskReport>((resolve) => waiting.set(task.taskId, resolve));
      agent.handOut(task);
      return report;
    },
    handOut(task) {
      const poll = parked.shift();
      if (poll === undefined) queue.push(task);
      else answer(poll, 200, task);
    },
  };
  const park = (response: http.ServerResponse) => {
    parked.push(response);
    response.on('close', () => {
      const index = parked.indexOf(response);
      if (index !== -1) parked.splice(index, 1);
    });
  };
  const takeReport = (report: TaskReport, response: http.ServerResponse) => {
    const end = waiting.get(report.taskId);
    if (end === undefined) {
      answer(response, 409, { code: 'ConflictError', message: 'invalid zone state' });
      return;
    }
    const next = queue.shift();
    if (next === undefined) answer(response, 204);
    else answer(response, 200, next);
    if (report.nkeys !== undefined) {
      agent.acknowledged.push(report);
      return;
    }
    waiting.delete(report.taskId);
    end(report);
  };
  const handle = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const url = request.url ?? '';
    agent.requests.push(`${request.method} ${url}`);
    if (agent.intercept(request, response)) return;
    if (request.headers.expect !== undefined) response.writeContinue();
    if (url === '/my/jobs/task/task?wait=true') {
      const next = queue.shift();
      if (next !== undefined) answer(response, 200, next);
      else park(response);
      return;
    }
    const body = await readBody(request);
    if (url === '/my/jobs/task/report') takeReport(JSON.parse(body.toString()) as TaskReport, response);
    else store(agent, request, body, response);
  };
  const server = http.createServer(
    { keepAliveTimeout: 0, requestTimeout: 0 },
    (request, response) => void handle(request, response),
  );
  server.on('checkContinue', (request, response) => void handle(request, response));
  server.listen(socketPath);
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });
  return agent;
}

async function readBody(request: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    // the client left
  }
  return Buffer.concat(chunks);
}

function store(agent: FakeAgent, request: http.IncomingMessage, body: Buffer, response: http.ServerResponse): void {
  const name = decodeURIComponent((request.url ?? '').split('?')[0] ?? '');
  if (request.method === 'GET') {
    const found = agent.objects.get(name);
    if (found === undefined) {
      answer(response, 404, { code: 'ResourceNotFound', message: `${name} not found` });
      return;
    }
    response.writeHead(200, { 'content-length': Buffer.byteLength(found.body), etag: '"1"' });
    response.end(found.body);
    return;
  }
  if (!agent.directories.has(path.dirname(name))) {
    answer(response, 404, { code: 'DirectoryDoesNotExist', message: `${path.dirname(name)} does not exist` });
    return;
  }
  if (request.headers['content-type'] === 'application/json; type=directory') agent.directories.add(name);
  else agent.objects.set(name, { body: body.toString('latin1'), headers: request.headers });
  answer(response, 204);
}

export function answer(response: http.ServerResponse, status: number, body?: unknown): void {
  const text = body === undefined ? '' : JSON.stringify(body);
  response.writeHead(
    status,
    status === 204 ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
  );
  response.end(status === 204 ? undefined : text);
}

/** A map task over `input`, which is written to a file; `change` overrides. */
export function mapTask(agent: FakeAgent, exec: string, change: Partial<TaskDescription> = {}): TaskDescription {
  const file = path.join(agent.directory, 'obj1');
  fs.writeFileSync(file, 'sample data');
  return { ...baseTask({ type: 'map', exec }), taskInputKeys: ['/bob/stor/obj1'], taskInputFile: file, ...change };
}

/** A first batch of a reduce task. */
export function reduceTask(exec: string, taskInputKeys: readonly string[], taskInputDone = false): TaskDescription {
  const description = baseTask({ type: 'reduce', exec });
  return { ...description, rIdx: 0, taskInputKeys, taskInputDone, taskInputRemote: '/var/run/.marlin.Z.sock' };
}

function baseTask(taskPhase: TaskDescription['taskPhase']): TaskDescription {
  const taskId = randomUUID();
  return {
    jobId: 'J',
    taskId,
    taskPhase,
    login: 'bob',
    taskErrorKey: `/bob/jobs/J/stor/bob/stor/obj1.0.err.${taskId}`,
    taskOutputKey: `/bob/jobs/J/stor/bob/stor/obj1.0.${taskId}`,
    taskOutputBase: '/bob/jobs/J/stor/bob/stor/obj1.0.',
    taskCoreBase: '/bob/jobs/J/stor/cores/0/',
    taskInputKeys: [],
    taskInputDone: true,
  };
}

export interface TestLackey {
  /** Prefix of the zone's paths. */
  readonly root: string;
  readonly zone: string;
  readonly process: ChildProcess;
  /** Resolves to the port of the storage endpoint. */
  readonly port: Promise<number>;
}

const build = path.resolve(fileURLToPath(import.meta.url), '../../..');
/** The tools for user commands, as `make` builds them. */
export const toolsDirectory = path.join(build, 'zone/ubin');

/** @param root of a lackey that runs or ran before, to start another in its zone. */
export function startLackey(
  t: Teardown,
  agent: Pick<FakeAgent, 'directory' | 'socketPath'>,
  root?: string,
): TestLackey {
  const zone = randomUUID();
  const zoneRoot = root ?? fs.mkdtempSync(path.join(agent.directory, 'zone-'));
  const lackey = spawn(process.execPath, [path.join(build, 'src/lackey/main.js'), agent.socketPath], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      MARLIN_ZONE: zone,
      MARLIN_LACKEY_ROOT: zoneRoot,
      MARLIN_LACKEY_PORT: '0',
      MARLIN_LACKEY_KILL: 'marked',
      MARLIN_UBIN: toolsDirectory,
    },
  });
  const port = new Promise<number>((resolve) => {
    let log = '';
    lackey.stdout?.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      const found = /"port":(\d+)/.exec(log);
      if (found !== null) resolve(Number(found[1]));
    });
  });
  t.teardown(async () => {
    if (lackey.exitCode !== null || lackey.signalCode !== null) return;
    lackey.kill('SIGKILL');
    await once(lackey, 'exit');
  });
  return { root: zoneRoot, zone, process: lackey, port };
}

/** One word on how a task ended: `commit`, or the failure's code and message. */
export function verdict(report: TaskReport): string {
  if (report.commit === true) return 'commit';
  const error: TaskError = report.fail ?? {};
  return `${error.code}: ${error.messageInternal ?? error.message}`;
}

export function text(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}
