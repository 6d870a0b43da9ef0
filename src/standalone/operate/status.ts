/** `marlin status`: which services of a one-box run, whether they answer, with what, and whether its disks have room. */
import fs from 'node:fs';
import { layoutOf, type ServiceName, services } from '../layout.js';
import { lockHolder } from '../lock.js';
import type { ReadyBox } from '../up.js';
import { type DiskUse, disksOf } from './disk-use.js';

export interface ServiceStatus {
  readonly name: ServiceName;
  readonly pid: number | null;
  /** What it says of itself; null when it does not answer. */
  readonly says: string | null;
}

export interface BoxStatus {
  /** Of `marlin up`; null: nothing runs there. */
  readonly pid: number | null;
  readonly services: readonly ServiceStatus[];
  /** A full disk stops nobody from answering. One entry per file system. */
  readonly disks: readonly DiskUse[];
}

const answerWithinMs = 5000;

export async function boxStatus(dataDirectory: string): Promise<BoxStatus> {
  const layout = layoutOf(dataDirectory);
  const pid = lockHolder(layout.lock) ?? null;
  const disks = await disksOf(layout.data);
  if (pid === null) return { pid, services: [], disks };
  const box = readyBox(layout.readyFile);
  if (box === null) return { pid, services: services.map((name) => ({ name, pid: null, says: null })), disks };
  const asked = services.map(async (name): Promise<ServiceStatus> => {
    return { name, pid: box.pids[name] ?? null, says: await says(name, box) };
  });
  return { pid, services: await Promise.all(asked), disks };
}

/** Written when all is up, so it may not be there yet. */
function readyBox(file: string): ReadyBox | null {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as ReadyBox;
  } catch {
    return null;
  }
}

async function says(name: ServiceName, box: ReadyBox): Promise<string | null> {
  try {
    return await questions[name](box);
  } catch {
    return null; // that is the answer: it does not
  }
}

const questions: Readonly<Record<ServiceName, (box: ReadyBox) => Promise<string>>> = {
  moray: async ({ moray }) => {
    await get(`http://${moray.host}:${moray.monitorPort}/metrics`);
    return `port ${moray.port}`;
  },
  storage: async ({ storage }) => {
    await Promise.all(storage.map(({ url }) => get(`${url}/ping`)));
    return storage.map(({ url }) => url).join(' ');
  },
  frontdoor: async ({ manta }) => {
    await get(`${manta.url}/ping`);
    return manta.url;
  },
  supervisor: async ({ supervisor }) => {
    const { job = {} } = (await json(`${supervisor.url}/kang/snapshot`)) as { readonly job?: object };
    return `${supervisor.url}, ${Object.keys(job).length} jobs`;
  },
  agent: async ({ agent }) => {
    const zones = (await json(`${agent.url}/zones`)) as readonly { readonly state: string }[];
    const counts = new Map<string, number>();
    for (const { state } of zones) counts.set(state, (counts.get(state) ?? 0) + 1);
    return `${agent.url}, zones: ${[...counts].map(([state, count]) => `${count} ${state}`).join(', ')}`;
  },
  archiver: async ({ archiver }) => {
    const { inHand, failing } = (await json(`${archiver.url}/kang/snapshot`)) as Record<string, readonly string[]>;
    return `${archiver.url}, ${inHand?.length} jobs in hand, ${failing?.length} failing`;
  },
};

async function get(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(answerWithinMs) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return text;
}

async function json(url: string): Promise<unknown> {
  return JSON.parse(await get(url));
}

/** Told apart, since whoever waits for services to start must not wait for somebody to clear a disk. */
const exitStatuses = { well: 0, notAllAnswer: 3, diskFull: 4 } as const;

export function exitStatusOf({ pid, services: found, disks }: BoxStatus): number {
  if (pid === null || found.some(({ says: answer }) => answer === null)) return exitStatuses.notAllAnswer;
  return disks.some(({ problem }) => problem !== null) ? exitStatuses.diskFull : exitStatuses.well;
}

export function statusLines(dataDirectory: string, status: BoxStatus): readonly string[] {
  const disks = status.disks.map(diskLine);
  if (status.pid === null) return [`no Marlin is up in "${dataDirectory}"`, ...disks];
  const rows = status.services.map(({ name, pid, says: answer }) => {
    return `${name.padEnd(11)} ${String(pid ?? '-').padStart(8)}  ${answer ?? 'does not answer'}`;
  });
  return [`SERVICE          PID  ANSWER`, ...rows, ...disks];
}

function diskLine({ directory, percentUsed, availableMB, problem }: DiskUse): string {
  const note = problem === null ? '' : `: ${problem}`;
  return `${'disk'.padEnd(11)} ${'-'.padStart(8)}  ${directory}, ${percentUsed} % used, ${availableMB} MB free${note}`;
}
