/**
 * A front door for tests, with everything that it stands on: a real Moray, two storage nodes, accounts with real keys,
 * all in temporary directories and on free ports. `run` calls the published commands, unmodified; `ask` sends one
 * signed request.
 */
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeAccountFile } from '../../src/accounts/file.js';
import { loadConfig } from '../../src/common/config.js';
import { createLogger, type Logger } from '../../src/common/logging.js';
import { configSchema } from '../../src/frontdoor/config.js';
import { startFrontdoor } from '../../src/frontdoor/service.js';
import { configSchema as storageSchema } from '../../src/storage/config.js';
import { startStorage } from '../../src/storage/service.js';
import { generateKey, signedHeaders, type TestKey } from './accounts.js';
import { startTestMoray, type TestMoray } from './moray.js';
import type { TestContext } from './one-box.js';
import { type Session, startOnTerminal } from './terminal.js';

export interface TestAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly bytes: Buffer;
  /** Whether the server said 100 before this. */
  readonly continued: boolean;
}

export interface AskOptions {
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  /** Login that signs; null: nobody. By default `wilma`. */
  readonly as?: string | null;
  /** Of another front door. */
  readonly port?: number;
}

export interface RunOptions {
  readonly stdin?: string | Buffer;
  /** Of another front door. */
  readonly url?: string;
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestFrontdoor {
  readonly url: string;
  readonly port: number;
  readonly moray: TestMoray;
  /** Goes with the test. */
  readonly directory: string;
  /** The accounts port. */
  readonly mahiUrl: string;
  /** Of `/metrics`. */
  readonly monitorUrl: string;
  readonly tokenKeyFile: string;
  readonly accountsFile: string;
  /** Roots of the storage nodes: `<root>/<creator>/<objectid>`. */
  readonly storageRoots: readonly string[];
  readonly accounts: Readonly<Record<'wilma' | 'fred' | 'poseidon', TestAccount>>;
  /** A published command, such as `mls`, as wilma. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** A shell command, with the published commands on its path, on a terminal; as wilma. */
  onTerminal(command: string): Session;
  ask(method: string, path: string, options?: AskOptions): Promise<TestAnswer>;
  /** What `ask` would sign with. */
  signed(login: string): http.OutgoingHttpHeaders;
}

export interface TestAccount {
  readonly login: string;
  readonly uuid: string;
  readonly key: TestKey;
}

/** @param change members of the front door's configuration that differ from the usual. */
export async function startTestFrontdoor(t: TestContext, change: object = {}): Promise<TestFrontdoor> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-frontdoor-'));
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }));
  const log = createLogger({ name: 'test', level: process.env['LOG_LEVEL'] ?? 'fatal', stream: process.stderr });
  const moray = await startTestMoray(t);
  const storageRoots = await startNodes(t, { directory, morayUrl: moray.url, log });
  const accounts = { wilma: account('wilma'), fred: account('fred'), poseidon: account('poseidon') };
  writeAccountFile(path.join(directory, 'accounts.json'), {
    accounts: Object.values(accounts).map(({ login, uuid, key }) => ({
      login,
      uuid,
      approved_for_provisioning: true,
      groups: login === 'poseidon' ? ['operators'] : [],
      keys: [key.publicKey],
      ...(login === 'wilma' ? household(key) : {}),
    })),
  });
  fs.writeFileSync(path.join(directory, 'token.key'), crypto.randomBytes(32).toString('hex'));
  const configFile = writeConfig(directory, {
    port: 0,
    moray: { url: moray.url },
    accountsFile: path.join(directory, 'accounts.json'),
    tokenKeyFile: path.join(directory, 'token.key'),
    mahi: { port: 0 },
    monitorPort: 0,
    datacenter: 'test',
    ...change,
  });
  const config = loadConfig(configFile, configSchema);
  const frontdoor = await startFrontdoor(config, log);
  t.teardown(() => frontdoor.stop());

  const { port } = frontdoor;
  const url = `http://127.0.0.1:${port}`;
  const home = writeHome(directory, accounts.wilma.key);
  const env = {
    MANTA_URL: url,
    MANTA_USER: 'wilma',
    MANTA_KEY_ID: accounts.wilma.key.md5,
    HOME: home,
    PATH: [commandsDirectory, process.env['PATH'] ?? ''].join(':'),
  };
  const signed = (login: string) => {
    const { key } = accounts[login as 'wilma'];
    return { ...signedHeaders(key, `/${login}/keys/${key.md5}`) };
  };
  return {
    url,
    port,
    moray,
    directory,
    mahiUrl: `http://127.0.0.1:${frontdoor.mahiPort}`,
    monitorUrl: `http://127.0.0.1:${frontdoor.monitorPort}`,
    tokenKeyFile: config.tokenKeyFile,
    accountsFile: path.join(directory, 'accounts.json'),
    storageRoots,
    accounts,
    signed,
    run: (command, args, { stdin, url: at = url } = {}) => runCommand(command, args, { ...env, MANTA_URL: at }, stdin),
    onTerminal: (command) => startOnTerminal(command, { ...env, NODE_OPTIONS: '--no-deprecation' }),
    ask: (method, target, { as = 'wilma', headers = {}, body, port: at = port } = {}) =>
      ask(at, { method, path: target, headers: { ...(as === null ? {} : signed(as)), ...headers }, body }),
  };
}

interface NodeOptions {
  readonly directory: string;
  readonly morayUrl: string;
  readonly log: Logger;
}

/** Resolves when both nodes have said that they are there. */
async function startNodes(t: TestContext, { directory, morayUrl, log }: NodeOptions): Promise<string[]> {
  const names = ['1.stor.test', '2.stor.test'];
  const roots = names.map((name) => path.join(directory, name));
  const nodes = names.map((manta_storage_id, index) => ({
    manta_storage_id,
    root: roots[index],
    port: 0,
    zone_uuid: crypto.randomUUID(),
    manta_compute_id: '1.cn.test',
    server_uuid: crypto.randomUUID(),
  }));
  const config = { nodes, datacenter: 'test', moray: { url: morayUrl }, heartbeatMs: 1000 };
  const checked = loadConfig(writeConfig(directory, config), storageSchema);
  const storage = await startStorage(checked, log);
  t.teardown(() => storage.stop());
  return roots;
}

/** As a service would have it. @returns the file. */
function writeConfig(directory: string, config: object): string {
  const file = path.join(directory, 'config.json');
  fs.writeFileSync(file, JSON.stringify(config));
  return file;
}

function account(login: string): TestAccount {
  return { login, uuid: crypto.randomUUID(), key: generateKey(login === 'wilma' ? 'rsa' : 'ecdsa') };
}

/** Wilma's user bob, who has her key, may read what is tagged for readers. */
function household({ publicKey }: TestKey) {
  return {
    users: [{ login: 'bob', uuid: crypto.randomUUID(), keys: [publicKey] }],
    policies: [{ name: 'read', uuid: crypto.randomUUID(), rules: ['CAN getobject'] }],
    roles: [
      { name: 'readers', uuid: crypto.randomUUID(), members: ['bob'], default_members: ['bob'], policies: ['read'] },
    ],
  };
}

/** The published commands find their key in `~/.ssh`. */
function writeHome(directory: string, key: TestKey): string {
  const ssh = path.join(directory, 'home', '.ssh');
  fs.mkdirSync(ssh, { recursive: true });
  fs.writeFileSync(path.join(ssh, 'id_rsa'), key.privateKey.toString('pem'), { mode: 0o600 });
  fs.writeFileSync(path.join(ssh, 'id_rsa.pub'), `${key.publicKey}\n`);
  return path.join(directory, 'home');
}

const commandsDirectory = fileURLToPath(new URL('../../../node_modules/manta/bin/', import.meta.url));

async function runCommand(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  stdin: string | Buffer | undefined,
): Promise<Ran> {
  const child = spawn(process.execPath, ['--no-deprecation', path.join(commandsDirectory, command), ...args], { env });
  const outputs = [child.stdout, child.stderr].map(async (stream) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  });
  child.stdin.on('error', () => {}); // a command that does not read its input closes it
  child.stdin.end(stdin);
  const [status] = (await once(child, 'exit')) as [number | null];
  const [stdout = '', stderr = ''] = await Promise.all(outputs);
  return { status, stdout, stderr };
}

interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: http.OutgoingHttpHeaders;
  readonly body: string | Buffer | undefined;
}

async function ask(port: number, { body, ...options }: RawRequest): Promise<TestAnswer> {
  const request = http.request({ host: '127.0.0.1', port, agent: false, ...options });
  let continued = false;
  request.once('continue', () => {
    continued = true;
    request.end(body);
  });
  // With "Expect" the body waits for the server's word.
  if (options.headers['expect'] === undefined) request.end(body);
  else request.flushHeaders();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  request.destroy();
  const bytes = Buffer.concat(chunks);
  return { status: response.statusCode ?? 0, headers: response.headers, body: bytes.toString(), bytes, continued };
}
