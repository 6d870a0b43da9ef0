/**
 * Zones for tests: a driver with one zone over a temporary DATA, and an install root whose lackey is a stand-in of a few
 * lines. It runs each command that the test hands it over the zone's socket, so the test speaks to the zone the way the
 * agent does: through the socket, and nothing else.
 */
import crypto from 'node:crypto';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { ZoneDriver, ZoneImage, ZoneLimits } from '../../src/agent/zones/driver.js';
import { createDriver } from '../../src/agent/zones/drivers/choose.js';
import type { ZoneDriverConfig } from '../../src/agent/zones/drivers/config.js';
import { createSmartosDriver } from '../../src/agent/zones/drivers/smartos/driver.js';
import { createLogger } from '../../src/common/logging.js';
import { type PlayedSmartos, type PlayedZone, playSmartos } from './smartos-machine.js';

/** Connects to the agent, announces itself, runs scripts by bash and answers with one JSON line each. */
const standInLackey = `
const net = require('node:net');
const { spawnSync } = require('node:child_process');
const agent = net.connect(process.argv[2]);
const root = process.env.MARLIN_LACKEY_ROOT || '';
agent.on('error', () => process.exit(1)).on('close', () => process.exit(0));
agent.write(JSON.stringify({ hello: process.pid, root }) + '\\n');
console.log('lackey stand-in ' + process.pid);
let text = '';
agent.on('data', (chunk) => {
  text += chunk;
  for (let end; (end = text.indexOf('\\n')) >= 0; text = text.slice(end + 1)) {
    const { script, background } = JSON.parse(text.slice(0, end));
    const options = { encoding: 'utf8', cwd: '/', env: { ...process.env, ROOT: root, HOME: '/root' } };
    if (background) require('node:child_process').spawn('bash', ['-c', script], { ...options, stdio: 'ignore' });
    const { status, signal, stdout, stderr } = background ? {} : spawnSync('bash', ['-c', script], options);
    agent.write(JSON.stringify({ status, signal, stdout, stderr }) + '\\n');
  }
});
`;

export interface CommandResult {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The stand-in of one life of a lackey, as the agent's end of the socket sees it. */
export interface ZoneShell {
  readonly lackeyPid: number;
  /** Prefix of /assets, /var/tmp and so on. */
  readonly root: string;
  run(script: string): Promise<CommandResult>;
  /** Starts it and does not wait for its end. */
  start(script: string): Promise<void>;
  readonly closed: Promise<void>;
}

export interface TestZones {
  readonly driver: ZoneDriver;
  readonly zone: string;
  /** On the mount of the farm: where "stored objects" go. */
  readonly storage: string;
  readonly dataDir: string;
  /** How the shell of the zone says a path of `mapObject`: where a zone is only played it has no root of its own. */
  seen(file: string): string;
  /** Resets the zone and resolves when its lackey has connected. */
  boot(limits?: ZoneLimits, image?: ZoneImage): Promise<ZoneShell>;
  /** The next lackey that connects, without a reset. */
  nextShell(): Promise<ZoneShell>;
}

const testImage = { name: 'host', version: '16.1.0' };
const testLimits = { memoryMb: 128, diskGb: 8 };

async function makeInstallRoot(directory: string): Promise<void> {
  await fs.mkdir(path.join(directory, 'lib/lackey'), { recursive: true });
  await fs.mkdir(path.join(directory, 'build/node/bin'), { recursive: true });
  await fs.mkdir(path.join(directory, 'ubin'), { recursive: true });
  await fs.writeFile(path.join(directory, 'lib/lackey/main.js'), standInLackey);
  const node = path.join(directory, 'build/node/bin/node');
  await fs.link(process.execPath, node).catch(() => fs.copyFile(process.execPath, node));
}

/** The part of a test that we need. */
interface Teardown {
  teardown(stop: () => unknown): void;
}

/** DATA below a directory of mode 0700, an install root, one zone. */
export interface TestPlace {
  readonly zone: string;
  readonly storage: string;
  readonly config: ZoneDriverConfig;
}

export async function makeTestPlace(t: Teardown, driver: 'oci' | 'process'): Promise<TestPlace> {
  const directory = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), 'marlin-zones-'))); // mode 0700
  t.teardown(() => fs.rm(directory, { recursive: true, force: true }));
  const dataDir = path.join(directory, 'data');
  const storage = path.join(dataDir, 'storage');
  const installRoot = path.join(directory, 'install');
  const zone = crypto.randomUUID();
  await fs.mkdir(storage, { recursive: true });
  await makeInstallRoot(installRoot);
  const config = { driver, zones: [zone], dataDir, installRoot, zoneUidBase: 10_000_000, zoneDefaultImage: '16.1.0' };
  return { zone, storage, config };
}

const quiet = createLogger({ name: 'zones-test', level: 'fatal' });

/** @returns false if they do, else why not: for a test's `skip`. */
export async function containersWork(): Promise<string | false> {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'marlin-zones-'));
  try {
    await makeInstallRoot(path.join(directory, 'install'));
    const dataDir = path.join(directory, 'data');
    const installRoot = path.join(directory, 'install');
    const config = {
      driver: 'oci',
      zones: [],
      dataDir,
      installRoot,
      zoneUidBase: 10_000_000,
      zoneDefaultImage: '16.1.0',
    } as const;
    await createDriver(config, quiet);
    return false;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await fs.rm(directory, { recursive: true, force: true });
  }
}

export async function startTestZones(t: Teardown, kind: 'oci' | 'process', given?: TestPlace): Promise<TestZones> {
  const { zone, storage, config } = given ?? (await makeTestPlace(t, kind));
  const driver = await createDriver(config, quiet);
  t.teardown(() => driver.stop());
  await driver.start();
  const accept = await listenForLackeys(path.join(driver.socketDirectory(zone), 'sock'), (stop) => t.teardown(stop));
  return {
    driver,
    zone,
    storage,
    dataDir: config.dataDir,
    seen: (file) => file,
    nextShell: accept,
    boot: (limits, image) => boot(driver, zone, accept, limits, image),
  };
}

export interface SmartosZones extends TestZones {
  readonly machine: PlayedSmartos;
}

/** The `smartos` driver on a machine that plays SmartOS, by default with one zone. */
export async function startPlayedZones(
  t: Teardown,
  given?: {
    readonly zones: readonly PlayedZone[];
    readonly images: readonly string[];
    readonly zoneDefaultImage: string;
  },
): Promise<SmartosZones> {
  const root = await fs.realpath(await fs.mkdtemp(path.join(os.tmpdir(), 'mz'))); // short: socket paths are
  t.teardown(() => fs.rm(root, { recursive: true, force: true }));
  const installRoot = path.join(root, 'install');
  const storage = path.join(root, 'storage');
  const zone = crypto.randomUUID().slice(0, 8);
  await makeInstallRoot(installRoot);
  await fs.mkdir(path.join(installRoot, 'smf/manifests'), { recursive: true });
  await fs.copyFile('tools/deploy/smf/marlin-lackey.xml', path.join(installRoot, 'smf/manifests/marlin-lackey.xml'));
  await fs.mkdir(storage);
  const { zones, images, zoneDefaultImage } = given ?? {
    zones: [{ name: zone, image: 'aaaaaaaa-1111' }],
    images: ['aaaaaaaa-1111  host  base/16.1.0'],
    zoneDefaultImage: '16.1.0',
  };
  const machine = await playSmartos(root, { zones, images, installRoot });
  t.teardown(() => machine.stop());
  const config = {
    driver: 'smartos',
    zones: [],
    dataDir: path.join(root, 'data'),
    installRoot,
    zoneUidBase: 0,
    zoneDefaultImage,
    zoneDefaults: { max_physical_memory: 128, max_swap: 256, quota: 8, tmpfs: 0 },
  } as const;
  const driver = createSmartosDriver(config, quiet, machine);
  t.teardown(() => driver.stop());
  await driver.start();
  const accept = takeLackeys((take) => driver.onConnection?.(zone, take));
  return {
    driver,
    machine,
    zone,
    storage,
    dataDir: config.dataDir,
    seen: (file) => `$ROOT${file}`,
    nextShell: accept,
    boot: (limits, image) => boot(driver, zone, accept, limits, image),
  };
}

/** For a process of its own, which a test kills. */
export async function bootZone(config: ZoneDriverConfig): Promise<ZoneShell> {
  const driver = await createDriver(config, quiet);
  await driver.start();
  const zone = config.zones[0] ?? '';
  const accept = await listenForLackeys(path.join(driver.socketDirectory(zone), 'sock'), () => {});
  return boot(driver, zone, accept);
}

async function boot(
  driver: ZoneDriver,
  zone: string,
  accept: () => Promise<ZoneShell>,
  limits = testLimits,
  image: ZoneImage = testImage,
): Promise<ZoneShell> {
  const shell = accept();
  await driver.reset(zone, image, limits, new AbortController().signal);
  return shell;
}

/** @returns a function that waits for a lackey which connects after its call. */
async function listenForLackeys(
  socket: string,
  onTeardown: (stop: () => void) => void,
): Promise<() => Promise<ZoneShell>> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((connection) => {
    sockets.add(connection);
  });
  const accept = takeLackeys((take) => server.on('connection', take));
  await fs.rm(socket, { force: true });
  const directory = await fs.open(path.dirname(socket)); // node cuts socket paths above 107 bytes
  await new Promise<void>((resolve) => server.listen(`/proc/self/fd/${directory.fd}/sock`, resolve));
  await directory.close();
  await fs.chmod(socket, 0o666);
  onTeardown(() => {
    server.close();
    for (const connection of sockets) connection.destroy();
  });
  return accept;
}

/** @returns a function that waits for a lackey which connects after its call. */
function takeLackeys(onConnection: (take: (connection: net.Socket) => void) => unknown): () => Promise<ZoneShell> {
  let waiting: (shell: ZoneShell) => void = () => {};
  onConnection(async (connection) => waiting(await openShell(connection)));
  return () =>
    new Promise((resolve) => {
      waiting = resolve;
    });
}

async function openShell(connection: net.Socket): Promise<ZoneShell> {
  const answers: ((line: string) => void)[] = [];
  let text = '';
  const next = () => new Promise<string>((resolve) => answers.push(resolve));
  const closed = new Promise<void>((resolve) => connection.once('close', () => resolve()));
  connection.on('error', () => {}); // 'close' follows
  const hello = next();
  connection.on('data', (chunk) => {
    text += chunk;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      answers.shift()?.(text.slice(0, end));
      text = text.slice(end + 1);
    }
  });
  const { hello: lackeyPid, root } = JSON.parse(await hello) as { hello: number; root: string };
  async function send(request: { script: string; background?: true }): Promise<string> {
    const answer = next();
    connection.write(`${JSON.stringify(request)}\n`);
    return Promise.race([answer, closed.then(() => Promise.reject(new Error('the lackey has gone')))]);
  }
  return {
    lackeyPid,
    root,
    closed,
    run: async (script) => JSON.parse(await send({ script })) as CommandResult,
    async start(script) {
      await send({ script, background: true });
    },
  };
}

export const object = '/login/stor/poem';

/** Stores what is mapped as `object`. */
export async function store(zones: TestZones, text: string): Promise<string> {
  const file = path.join(zones.storage, 'object');
  await fs.rm(file, { force: true });
  await fs.writeFile(file, text, { mode: 0o444 });
  return file;
}

/** Processes of the host whose arguments include all of these. */
export async function pidsWith(...wanted: string[]): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await fs.readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const argv = (await fs.readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (wanted.every((argument) => argv.includes(argument))) found.push(Number(entry));
  }
  return found;
}
