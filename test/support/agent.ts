/**
 * An agent with a real store, in front of a front door that only remembers, and with zones that are nothing but a
 * directory: what runs in them is the test, which speaks to their sockets as a lackey would.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type Duplex, Writable } from 'node:stream';
import type { Test } from 'tap';
import { configSchema } from '../../src/agent/config.js';
import { type RunningAgent, startAgent } from '../../src/agent/service.js';
import type { ZoneDriver, ZoneUsage } from '../../src/agent/zones/driver.js';
import { agentChannel } from '../../src/bus/channels.js';
import { loadConfig } from '../../src/common/config.js';
import { createLogger } from '../../src/common/logging.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { TaskRecord } from '../../src/records/task.js';
import type { SaveTogether } from '../../src/taskapi/save-together.js';
import { startTestMoray, type TestMoray } from './moray.js';

type Owner = Pick<Test, 'teardown'>;

const stalled = '/bob/stor/stalled';
const held = '/bob/stor/held';

export interface FakeFrontDoor {
  readonly url: string;
  readonly objects: Map<string, string>;
  readonly directories: Set<string>;
  readonly requests: { readonly method: string; readonly url: string; readonly headers: http.IncomingHttpHeaders }[];
  /** Names below these are answered with a head and no end. */
  readonly stalled: string;
  /** Names below these are answered when `release` is called. */
  readonly held: string;
  readonly release: () => void;
  /** So many requests to come are answered with 503. */
  failures: number;
}

async function startFrontDoor(t: Owner): Promise<FakeFrontDoor> {
  const objects = new Map<string, string>();
  const directories = new Set<string>();
  const requests: FakeFrontDoor['requests'] = [];
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const door = { objects, directories, requests, stalled, held, release, failures: 0 };
  const server = http.createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    requests.push({ method, url, headers });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const name = decodeURIComponent(url);
    if (door.failures > 0) {
      door.failures--;
      response.writeHead(503);
      response.end();
      return;
    }
    if (name.startsWith(stalled)) {
      response.writeHead(200, { 'content-length': 10 });
      response.flushHeaders();
      return;
    }
    if (name.startsWith(held)) await released;
    const answer = (status: number, body = '') => {
      response.writeHead(status, { 'content-length': Buffer.byteLength(body) });
      response.end(body);
    };
    if (method === 'POST' && url.endsWith('/live/objects')) {
      const { objects: given } = JSON.parse(Buffer.concat(chunks).toString()) as SaveTogether;
      const saved = given.map(({ name }) => directories.has(path.posix.dirname(name)) && !objects.has(name));
      for (const [index, { name, body }] of given.entries())
        if (saved[index] === true) objects.set(name, Buffer.from(body, 'base64').toString());
      answer(200, JSON.stringify({ saved }));
    } else if (method === 'PUT') {
      const parent = path.posix.dirname(name);
      if (name.split('/').length > 6 && !directories.has(parent)) {
        answer(404, JSON.stringify({ code: 'DirectoryDoesNotExist', message: `${parent} does not exist` }));
        return;
      }
      if (headers['content-type']?.includes('type=directory') === true) directories.add(name);
      else objects.set(name, Buffer.concat(chunks).toString());
      answer(204);
    } else if (method === 'DELETE') answer(objects.delete(name) ? 204 : 404);
    else if (objects.has(name)) answer(200, objects.get(name));
    else answer(404, JSON.stringify({ code: 'ResourceNotFound', message: `${name} was not found` }));
  });
  const sessions = new Set<Duplex>();
  server.on('upgrade', (request: http.IncomingMessage, socket: Duplex) => {
    requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    sessions.add(socket);
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome ');
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sessions) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return Object.assign(door, { url: `http://127.0.0.1:${port}/` });
}

export interface FakeDriver extends ZoneDriver {
  readonly resets: string[];
  readonly assets: Map<string, string>;
  readonly mapped: Map<string, string>;
  usageOf: ZoneUsage;
  failResets: number;
  failUnmaps: number;
  failUsage: boolean;
  destroyed: string[];
}

function createFakeDriver(directory: string): FakeDriver {
  const driver: FakeDriver = {
    name: 'process',
    images: [{ name: 'host', version: '16.1.0' }],
    resets: [],
    assets: new Map(),
    mapped: new Map(),
    usageOf: { memoryFailures: 0 },
    failResets: 0,
    failUnmaps: 0,
    failUsage: false,
    destroyed: [],
    start: async () => {},
    socketDirectory(zone) {
      // So long that the socket can only be reached through a descriptor.
      const made = path.join(directory, 'run', 'x'.repeat(100), zone);
      fs.mkdirSync(made, { recursive: true });
      return made;
    },
    socketInZone: (zone) => `/var/run/.marlin.${zone}.sock`,
    async reset(zone) {
      if (driver.failResets > 0) {
        driver.failResets--;
        throw new Error('no reset today');
      }
      driver.mapped.delete(zone);
      driver.resets.push(zone);
    },
    setLimits: async () => 'done' as const,
    async mapObject(zone, source, name) {
      if (source !== null && !fs.existsSync(source)) throw new Error(`no such file: ${source}`);
      driver.mapped.set(zone, name);
      return `/manta${name}`;
    },
    async unmapObjects(zone) {
      if (driver.failUnmaps-- > 0) throw new Error('it is stuck');
      driver.mapped.delete(zone);
    },
    async writeAsset(_zone, name, content) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk);
      driver.assets.set(name, Buffer.concat(chunks).toString());
    },
    async usage() {
      if (driver.failUsage) throw new Error('no figures');
      return driver.usageOf;
    },
    saveLog: async () => {},
    ended: () => new Promise(() => {}),
    async destroy(zone) {
      driver.destroyed.push(zone);
    },
    stop: async () => {},
  };
  return driver;
}

export interface LackeyAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export interface TestAgent {
  readonly moray: TestMoray;
  readonly frontDoor: FakeFrontDoor;
  readonly driver: FakeDriver;
  readonly agent: RunningAgent;
  readonly zones: readonly string[];
  /** Of the agent's log, from level info. */
  readonly logLines: readonly Record<string, unknown>[];
  /** Where the socket of a zone can be reached as long as the returned function is not called. */
  socketOf(zone: string): { readonly path: string; readonly close: () => void };
  /** Of the operators' server. */
  readonly operatorUrl: string;
  operator(method: string, url: string): Promise<{ readonly status: number; readonly text: string }>;
  /** Writes a job and returns its id. */
  putJob(phases: readonly object[], more?: object): Promise<string>;
  /** Dispatches a task, as a supervisor would. @returns its id. */
  dispatch(jobId: string, more?: Partial<TaskRecord>): Promise<string>;
  put(bucket: 'task' | 'taskinput', key: string, value: object): Promise<void>;
  /** Resolves when the task is done. */
  taskDone(taskId: string): Promise<TaskRecord>;
  /** Accepted, in the store: then the agent knows the task. */
  taskAccepted(taskId: string): Promise<TaskRecord>;
  find(bucket: keyof typeof defaultBuckets, filter: string): Promise<Record<string, unknown>[]>;
  /** A request from inside a zone. */
  ask(zone: string, method: string, url: string, body?: object | string, headers?: object): Promise<LackeyAnswer>;
  /** The first zone that gets a task, and its description. Other long polls stay. */
  nextTask(zones?: readonly string[]): Promise<{ readonly zone: string; readonly task: Record<string, unknown> }>;
}

const computeId = '1.cn.test';
const domain = 'test-domain';

export async function startTestAgent(t: Owner, zoneCount = 2, tunables: object = {}): Promise<TestAgent> {
  const moray = await startTestMoray(t);
  const frontDoor = await startFrontDoor(t);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-agent-'));
  fs.mkdirSync(path.join(directory, 'storage', 'creator'), { recursive: true });
  fs.writeFileSync(path.join(directory, 'storage', 'creator', 'object1'), 'hello\n');
  const driver = createFakeDriver(directory);
  const zones = Array.from({ length: zoneCount }, (_, index) => `zone${index}`);
  const file = path.join(directory, 'agent.json');
  const config = {
    instanceUuid: 'server1',
    mantaComputeId: computeId,
    port: 0,
    manta: { url: frontDoor.url },
    moray: { url: moray.url },
    dataDir: directory,
    installRoot: directory,
    zones,
    storage: [{ zonename: 'stor1', root: path.join(directory, 'storage') }],
    tunables,
  };
  fs.writeFileSync(file, JSON.stringify(config));
  const logLines: Record<string, unknown>[] = [];
  const collect = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logLines.push(JSON.parse(chunk.toString()));
      if (process.env['TEST_LOG'] !== undefined) process.stderr.write(chunk);
      done();
    },
  });
  const log = createLogger({ name: 'agent', level: process.env['TEST_LOG'] ?? 'info', stream: collect });
  const loaded = loadConfig(file, configSchema);
  const agent = await startAgent(loaded, log, driver);
  const clients = new http.Agent({ keepAlive: true });
  let stopped = false;
  t.teardown(async () => {
    stopped = true;
    clients.destroy();
    await agent.stop();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  async function put(bucket: keyof typeof defaultBuckets, key: string, value: object): Promise<void> {
    const request = { bucket: defaultBuckets[bucket], operation: 'put' as const, key, value };
    const { etags } = await moray.client.batch([request], { notify: [[agentChannel(computeId), bucket]] });
    if (etags.length !== 1) throw new Error('nothing was written');
  }

  function socketOf(zone: string) {
    const handle = fs.openSync(driver.socketDirectory(zone), 'r');
    return { path: `/proc/self/fd/${handle}/sock`, close: () => fs.closeSync(handle) };
  }

  function ask(zone: string, method: string, url: string, body: object | string = '', headers: object = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const socket = socketOf(zone);
    return new Promise<LackeyAnswer>((resolve, reject) => {
      const request = http.request({
        agent: clients,
        socketPath: socket.path,
        method,
        path: url,
        headers: { ...(text === '' ? {} : { 'content-length': Buffer.byteLength(text) }), ...headers },
      });
      request.once('error', reject);
      request.once('response', async (response: http.IncomingMessage) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk as Buffer);
        const answer = Buffer.concat(chunks).toString();
        let parsed: Record<string, unknown> = {};
        try {
          parsed = answer === '' ? {} : JSON.parse(answer);
        } catch {
          parsed = { text: answer };
        }
        resolve({ status: response.statusCode ?? 0, body: parsed });
      });
      request.end(text);
    }).finally(() => socket.close());
  }

  async function taskIn(state: TaskRecord['state'], taskId: string): Promise<TaskRecord> {
    for (;;) {
      const { value } = await moray.client.getObject<TaskRecord>(defaultBuckets.task, taskId);
      if (value.state === state) return value;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  return {
    moray,
    frontDoor,
    driver,
    agent,
    zones,
    logLines,
    socketOf,
    operatorUrl: `http://127.0.0.1:${agent.port}`,
    async operator(method, url) {
      const response = await fetch(`http://127.0.0.1:${agent.port}${url}`, { method });
      return { status: response.status, text: await response.text() };
    },
    put,
    ask,
    async putJob(phases, more = {}) {
      const jobId = randomUUID();
      const auth = { login: 'bob', token: 'token1' };
      const timeCreated = new Date(0).toISOString();
      await put('job', jobId, {
        jobId,
        owner: 'owner1',
        name: '',
        phases,
        state: 'running',
        timeCreated,
        auth,
        ...more,
      });
      return jobId;
    },
    async dispatch(jobId, more = {}) {
      const taskId = randomUUID();
      await put('task', taskId, {
        taskId,
        jobId,
        domain,
        phaseNum: 0,
        mantaComputeId: computeId,
        agentGeneration: 'an older one',
        state: 'dispatched',
        timeDispatched: new Date(0).toISOString(),
        nattempts: 1,
        ...(more.rIdx === undefined
          ? {
              input: '/bob/stor/obj1',
              p0input: '/bob/stor/obj1',
              account: 'owner1',
              creator: 'creator',
              objectid: 'object1',
              zonename: 'stor1',
            }
          : {}),
        ...more,
      });
      return taskId;
    },
    taskDone: (taskId) => taskIn('done', taskId),
    taskAccepted: (taskId) => taskIn('accepted', taskId),
    async find(bucket, filter) {
      const found: Record<string, unknown>[] = [];
      for await (const object of moray.client.findObjects(defaultBuckets[bucket], filter)) {
        found.push(object.value as Record<string, unknown>);
      }
      return found;
    },
    async nextTask(among = zones) {
      const asked = among.map(async (zone) => {
        while (!stopped) {
          const { status, body } = await ask(zone, 'GET', '/my/jobs/task/task?wait=true').catch(() => ({
            status: 0,
            body: {},
          }));
          if (status === 200) return { zone, task: body };
          if (status !== 0 && status !== 410) throw new Error(`asked for a task, got ${status}`);
          await new Promise((resolve) => setImmediate(resolve));
        }
        throw new Error('the test is over');
      });
      for (const one of asked) one.catch(() => {});
      return Promise.race(asked);
    },
  };
}
