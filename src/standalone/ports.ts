/** Which port each service listens on: fixed ones by default, a row from a base, or free ones that are kept. */
import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { type Layout, writeWhole } from './layout.js';

export interface Ports {
  readonly moray: number;
  readonly frontdoor: number;
  readonly storage: readonly [number, number];
  readonly mahi: number;
  readonly supervisor: number;
  readonly agent: number;
  readonly morayMonitor: number;
  readonly archiver: number;
  readonly frontdoorMonitor: number;
}

const defaultPorts: Ports = {
  moray: 2020,
  frontdoor: 8080,
  storage: [8081, 8082],
  mahi: 8083,
  supervisor: 8090,
  agent: 9080,
  morayMonitor: 3020,
  archiver: 8091,
  frontdoorMonitor: 8880,
};

const count = 10;

/** The row ends at the last port there is. */
export const highestPortBase = 65_536 - count;

/** @param base first of ten ports; 0 picks free ones and keeps them while they are free; undefined keeps what the box has. */
export async function choosePorts(layout: Layout, base: number | undefined): Promise<Ports> {
  const kept = await keptPorts(layout);
  if (base === undefined) return keep(layout, kept ?? defaultPorts);
  if (base !== 0) return keep(layout, inRow(Array.from({ length: count }, (_, index) => base + index)));
  return keep(layout, kept === undefined ? inRow(await freePorts(count)) : await withoutTaken(kept));
}

/** What was kept may be another's by now: a restored box has the ports of the one that was saved. */
async function withoutTaken(kept: Ports): Promise<Ports> {
  const { storage, moray, frontdoor, mahi, supervisor, agent, morayMonitor, archiver, frontdoorMonitor } = kept;
  const row = [moray, frontdoor, ...storage, mahi, supervisor, agent, morayMonitor, archiver, frontdoorMonitor];
  const isFree = await Promise.all(row.map(canListen));
  const others = await freePorts(isFree.filter((free) => !free).length, row);
  return inRow(row.map((port, index) => (isFree[index] ? port : (others.pop() ?? 0))));
}

/** A box that was made by a version with fewer ports gets those that it lacks. */
async function keptPorts(layout: Layout): Promise<Ports | undefined> {
  if (!fs.existsSync(layout.ports)) return undefined;
  const kept = JSON.parse(fs.readFileSync(layout.ports, 'utf8')) as Omit<Ports, LaterPort> & Partial<Ports>;
  const [archiver = 0, frontdoorMonitor = 0] = kept.moray === defaultPorts.moray ? usualLater : await freePorts(2);
  return { archiver, frontdoorMonitor, ...kept };
}

type LaterPort = 'archiver' | 'frontdoorMonitor';
const usualLater = [defaultPorts.archiver, defaultPorts.frontdoorMonitor];

function inRow(ports: readonly number[]): Ports {
  const [moray = 0, frontdoor = 0, first = 0, second = 0, mahi = 0, supervisor = 0, agent = 0, ...more] = ports;
  const [morayMonitor = 0, archiver = 0, frontdoorMonitor = 0] = more;
  return {
    moray,
    frontdoor,
    storage: [first, second],
    mahi,
    supervisor,
    agent,
    morayMonitor,
    archiver,
    frontdoorMonitor,
  };
}

function keep(layout: Layout, ports: Ports): Ports {
  writeWhole(layout.ports, `${JSON.stringify(ports)}\n`);
  return ports;
}

/** All are held open until the last is known, so that they differ. */
async function freePorts(wanted: number, except: readonly number[] = []): Promise<number[]> {
  const servers: net.Server[] = [];
  const ports: number[] = [];
  while (ports.length < wanted) {
    const server = await tryPort(candidate());
    if (server === null) continue;
    servers.push(server);
    const { port } = server.address() as net.AddressInfo;
    if (!except.includes(port)) ports.push(port);
  }
  await Promise.all(servers.map(closed));
  return ports;
}

async function canListen(port: number): Promise<boolean> {
  const server = await tryPort(port);
  if (server !== null) await closed(server);
  return server !== null;
}

const closed = (server: net.Server) => new Promise((resolve) => server.close(resolve));

const lowestCandidate = 10_000;
/** Fewer than so many to choose from would be tried again and again. */
const leastCandidates = 1_000;

/**
 * Below the ports that the kernel gives to connections: one of those could be some client's just when the service that it
 * was chosen for is started again. 0, any, where the machine leaves no such ports.
 */
function candidate(): number {
  const end = firstClientPort();
  return end - lowestCandidate < leastCandidates ? 0 : randomInt(lowestCandidate, end);
}

function firstClientPort(): number {
  const file = '/proc/sys/net/ipv4/ip_local_port_range';
  return fs.existsSync(file) ? Number.parseInt(fs.readFileSync(file, 'utf8'), 10) : 0;
}

/** @returns null when the port is taken. */
function tryPort(port: number): Promise<net.Server | null> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
