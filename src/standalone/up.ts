/**
 * `marlin up`: a whole Marlin on one machine. Moray starts first, since all others speak to it; then what stores
 * objects; then what runs jobs. They stop in the reverse order, so that the last writes of each still find a store.
 */
import fs from 'node:fs';
import path from 'node:path';
import VError from 'verror';
import { ensureAccount } from '../accounts/file.js';
import { findImages } from '../agent/zones/drivers/oci/images.js';
import { systemClock } from '../common/clock.js';
import { createLogger, type Logger } from '../common/logging.js';
import { loadBox } from './box.js';
import { type Child, startChild } from './children.js';
import { addressesOf, type BoxOptions, buildDirectory, writeConfigs } from './configs.js';
import { type AgentSocket, chooseIdentity, holdKey, type Identity } from './identity.js';
import { type Layout, layoutOf, makeDirectories, removeMade, type ServiceName, writeWhole } from './layout.js';
import { lockBox } from './lock.js';
import { choosePorts, type Ports } from './ports.js';
import { awaitSurvivors } from './survivors.js';

export interface UpOptions {
  readonly data: string;
  readonly portBase?: number | undefined;
  readonly zoneCount?: number | undefined;
  readonly driver: BoxOptions['driver'];
  /** Of images for zones beside the machine itself. */
  readonly imagesDir?: string | undefined;
  readonly account?: string | undefined;
  readonly publicKeyFile?: string | undefined;
  readonly readyFile?: string | undefined;
  readonly host: string;
  /** Told what happens, one line each. */
  readonly say: (line: string) => void;
  /** Ends a start that is under way: `startBox` then stops what it has started, and rejects. */
  readonly signal?: AbortSignal | undefined;
}

/** Content of the ready file. */
export interface ReadyBox {
  readonly moray: { readonly host: string; readonly port: number; readonly monitorPort: number };
  readonly storage: readonly { readonly url: string }[];
  readonly mahi: { readonly url: string };
  readonly manta: { readonly url: string; readonly user: string; readonly keyId: string; readonly keyFile?: string };
  readonly agent: { readonly url: string };
  readonly supervisor: { readonly url: string };
  readonly archiver: { readonly url: string };
  readonly sshAuthSock?: string;
  readonly pids: Readonly<Partial<Record<ServiceName, number>>>;
}

export interface RunningBox {
  ready(): ReadyBox;
  /** Stops everything, zones included. */
  stop(): Promise<void>;
}

/** Of the image `host`, as the agent has it by default. */
const hostVersion = '16.1.0';
/** Longest path of a unix socket that every program can bind: 107 bytes and the end mark. */
const longestSocketPath = 100;

/** Stages that start together, in order. */
const stages: readonly (readonly ServiceName[])[] = [
  ['moray'],
  ['storage', 'frontdoor'],
  ['supervisor', 'agent', 'archiver'],
];

/** @throws VError `BoxInUseError`, `BoxError`, `SurvivorError`, `IdentityError`, or the error of the service that does not start. */
export async function startBox(options: UpOptions): Promise<RunningBox> {
  const layout = layoutOf(options.data);
  const made = makeDirectories(layout);
  const release = lockBox(layout.lock, layout.data);
  const prepared = await prepare(layout, options).catch((error: unknown) => {
    removeMade(layout, made);
    release();
    throw error;
  });
  const stops: (() => Promise<void>)[] = [async () => release()];
  try {
    return await startServices(layout, prepared, options, stops);
  } catch (error) {
    await stopAll(stops);
    throw error;
  }
}

/** What services need, and those who use them. */
interface Prepared {
  readonly log: Logger;
  readonly ports: Ports;
  readonly identity: Identity;
}

async function prepare(layout: Layout, options: UpOptions): Promise<Prepared> {
  const log = createLogger({ name: 'up', file: path.join(layout.data, 'log', 'up.log') });
  const box = loadBox(layout, options.zoneCount);
  await awaitSurvivors(layout, (pids) =>
    options.say(`waiting for services of a killed "marlin up" to end (${pids.join(', ')})`),
  );
  const ports = await choosePorts(layout, options.portBase);
  const identity = chooseIdentity(layout, options.account, options.publicKeyFile);
  ensureAccount(layout.accounts, { login: identity.login, publicKey: identity.publicKey, operator: true });
  ensureAccount(layout.accounts, { login: 'poseidon', operator: true });
  const { host, driver } = options;
  writeConfigs(layout, box, ports, { host, driver, ...(await imagesIn(options.imagesDir, log)) });
  return { log, ports, identity };
}

async function startServices(
  layout: Layout,
  { log, ports, identity }: Prepared,
  options: UpOptions,
  stops: (() => Promise<void>)[],
): Promise<RunningBox> {
  let sshAuthSock: string | undefined;
  if (identity.ownKey) {
    const place = socketFor(layout);
    sshAuthSock = place.socket;
    stops.unshift(await holdKey(layout, place));
  }
  const children = new Map<ServiceName, Child>();
  let complete = false;
  const ready = () => describe(ports, identity, sshAuthSock, children);
  const publish = () => {
    if (!complete) return;
    const content = `${JSON.stringify(ready(), null, 2)}\n`;
    for (const file of [layout.readyFile, options.readyFile])
      if (file !== undefined) writeWhole(path.resolve(file), content);
  };
  for (const stage of stages) await startStage(stage, { layout, log, children, stops, onReady: publish, options });
  complete = true;
  publish();
  stops.unshift(async () => {
    complete = false;
    for (const file of [layout.readyFile, options.readyFile]) if (file !== undefined) fs.rmSync(file, { force: true });
  });
  return { ready, stop: () => stopAll(stops) };
}

async function imagesIn(directory: string | undefined, log: Logger): Promise<Pick<BoxOptions, 'imagesDir' | 'images'>> {
  if (directory === undefined) return { images: [hostVersion] };
  const imagesDir = path.resolve(directory);
  const found = await findImages(imagesDir, log).catch((error: Error) => {
    throw new VError({ name: 'BoxError', cause: error }, 'images');
  });
  if (found.length === 0)
    throw new VError(
      { name: 'BoxError' },
      'no directory in "%s" is called like an image, such as base-17.4.0',
      imagesDir,
    );
  return { imagesDir, images: [hostVersion, ...found.map(({ version }) => version)] };
}

interface Start {
  readonly layout: Layout;
  readonly log: Logger;
  readonly children: Map<ServiceName, Child>;
  readonly stops: (() => Promise<void>)[];
  readonly onReady: () => void;
  readonly options: UpOptions;
}

async function startStage(stage: readonly ServiceName[], start: Start): Promise<void> {
  const { layout, log, children, stops, onReady, options } = start;
  const started = await Promise.allSettled(
    stage.map(async (name) => {
      const child = await startChild({
        name,
        command: [
          process.execPath,
          '--no-deprecation', // the HTTP libraries warn about themselves (DEP0111) at each start
          path.join(buildDirectory, 'src', 'standalone', 'main.js'),
          name,
          layout.config(name),
        ],
        env: childEnvironment(),
        outputFile: path.join(layout.data, 'log', `${name}.out`),
        clock: systemClock,
        log,
        onReady,
        onRestart: (how) => options.say(`${name} ended (${how}) and is started again`),
        signal: options.signal,
      });
      children.set(name, child);
      stops.unshift(() => child.stop());
      options.say(`${name} is up (pid ${child.pid()})`);
    }),
  );
  for (const result of started) if (result.status === 'rejected') throw result.reason;
}

/** Without the settings that slow every start of node, and without the caller's credentials. */
function childEnvironment(): NodeJS.ProcessEnv {
  const dropped = /^(NODE_EXTRA_CA_CERTS|NODE_OPTIONS|MANTA_|MORAY_|MAHI_|SSH_AUTH_SOCK$|npm_)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !dropped.test(name)));
}

function socketFor(layout: Layout): AgentSocket {
  if (Buffer.byteLength(layout.agentSocket) <= longestSocketPath) return { socket: layout.agentSocket };
  const directory = fs.mkdtempSync('/tmp/marlin-agent-');
  return { socket: path.join(directory, 'sock'), directory };
}

function describe(
  ports: Ports,
  identity: Identity,
  sshAuthSock: string | undefined,
  children: ReadonlyMap<ServiceName, Child>,
): ReadyBox {
  const urls = addressesOf(ports);
  const pids: Partial<Record<ServiceName, number>> = {};
  for (const [name, child] of children) {
    const pid = child.pid();
    if (pid !== undefined) pids[name] = pid;
  }
  return {
    moray: { host: '127.0.0.1', port: ports.moray, monitorPort: ports.morayMonitor },
    storage: ports.storage.map((port) => ({ url: `http://127.0.0.1:${port}` })),
    mahi: { url: urls.mahiUrl },
    manta: {
      url: urls.mantaUrl,
      user: identity.login,
      keyId: identity.keyId,
      ...(identity.keyFile === undefined ? {} : { keyFile: identity.keyFile }),
    },
    agent: { url: urls.agentUrl },
    supervisor: { url: urls.supervisorUrl },
    archiver: { url: urls.archiverUrl },
    ...(sshAuthSock === undefined ? {} : { sshAuthSock }),
    pids,
  };
}

async function stopAll(stops: (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (let stop = stops.shift(); stop !== undefined; stop = stops.shift())
    await stop().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, 'not everything stopped');
}
