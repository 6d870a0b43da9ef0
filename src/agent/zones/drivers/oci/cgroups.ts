/**
 * Limits and figures of a zone's control groups, in both versions of the kernel's interface. On a hybrid machine the
 * controllers are those of version 1.
 */
import { readFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import type { ZoneUsage } from '../../driver.js';

const mountPoint = '/sys/fs/cgroup';
const controllersV1 = ['memory', 'pids', 'cpuacct', 'blkio'] as const;

export interface Cgroups {
  readonly version: 1 | 2;
  /** Whether swap can be limited. */
  readonly swapLimit: boolean;
}

export async function detectCgroups(): Promise<Cgroups> {
  const version = (await exists(`${mountPoint}/cgroup.controllers`)) ? 2 : 1;
  const swapLimit = version === 2 || (await exists(`${mountPoint}/memory/memory.memsw.limit_in_bytes`));
  return { version, swapLimit };
}

/** Changes the memory limit of a living group. */
export async function limitMemory(cgroups: Cgroups, group: string, limitBytes: number): Promise<void> {
  const limit = String(limitBytes);
  if (cgroups.version === 2) return fs.writeFile(path.join(mountPoint, group, 'memory.max'), limit);
  const memory = path.join(mountPoint, 'memory', group, 'memory.limit_in_bytes');
  const withSwap = path.join(mountPoint, 'memory', group, 'memory.memsw.limit_in_bytes');
  if (!cgroups.swapLimit) return fs.writeFile(memory, limit);
  // The second may never be below the first: growing starts with it, shrinking ends with it.
  const growing = limitBytes > Number(await fs.readFile(memory, 'utf8'));
  for (const file of growing ? [withSwap, memory] : [memory, withSwap]) await fs.writeFile(file, limit);
}

/**
 * Gives the group of all zones the weight of as many ordinary processes as there are processors. With the kernel's
 * default, that of one, a task beside a busy machine's services took three times as long as it does with this.
 * @throws Error when there is no such group or controller.
 */
export async function weighZones(cgroups: Cgroups, group: string, processors: number): Promise<void> {
  const { file, each, most } =
    cgroups.version === 2
      ? { file: `${group}/cpu.weight`, each: 100, most: 10_000 }
      : { file: `cpu/${group}/cpu.shares`, each: 1024, most: 262_144 };
  await fs.writeFile(path.join(mountPoint, file), String(Math.min(most, each * processors)));
}

/** Without disk space and network, which are no matter of control groups. Absent controllers give absent figures. */
export function readUsage(cgroups: Cgroups, group: string): ZoneUsage {
  return cgroups.version === 2 ? readUsageV2(group) : readUsageV1(group);
}

/** Removes the empty group that held the zones' groups. */
export async function removeGroup(group: string): Promise<void> {
  const places = [mountPoint, ...(await fs.readdir(mountPoint).catch(() => [])).map((name) => `${mountPoint}/${name}`)];
  for (const place of places) await fs.rmdir(path.join(place, group)).catch(() => {}); // not there, or a zone is left
}

function readUsageV1(group: string): ZoneUsage {
  const read = (controller: (typeof controllersV1)[number], file: string) =>
    readText(path.join(mountPoint, controller, group, file));
  const user = read('cpuacct', 'cpuacct.usage_user');
  const system = read('cpuacct', 'cpuacct.usage_sys');
  const memory = read('memory', 'memory.usage_in_bytes');
  const oom = read('memory', 'memory.oom_control');
  const io = read('blkio', 'blkio.throttle.io_service_bytes');
  return {
    memoryFailures: field(oom, /^oom_kill (\d+)$/m) ?? 0,
    ...figure('cpuUserNs', field(user, /^(\d+)$/m)),
    ...figure('cpuSystemNs', field(system, /^(\d+)$/m)),
    ...figure('memoryBytes', field(memory, /^(\d+)$/m)),
    ...figure('readBytes', sum(io, / Read (\d+)$/gm)),
    ...figure('writtenBytes', sum(io, / Write (\d+)$/gm)),
  };
}

function readUsageV2(group: string): ZoneUsage {
  const read = (file: string) => readText(path.join(mountPoint, group, file));
  const cpu = read('cpu.stat');
  const memory = read('memory.current');
  const events = read('memory.events');
  const io = read('io.stat');
  const userUs = field(cpu, /^user_usec (\d+)$/m);
  const systemUs = field(cpu, /^system_usec (\d+)$/m);
  return {
    memoryFailures: field(events, /^oom_kill (\d+)$/m) ?? 0,
    ...figure('cpuUserNs', userUs === undefined ? undefined : userUs * 1000),
    ...figure('cpuSystemNs', systemUs === undefined ? undefined : systemUs * 1000),
    ...figure('memoryBytes', field(memory, /^(\d+)$/m)),
    ...figure('readBytes', sum(io, / rbytes=(\d+)/g)),
    ...figure('writtenBytes', sum(io, / wbytes=(\d+)/g)),
  };
}

function figure<K extends keyof ZoneUsage>(name: K, value: number | undefined): { [P in K]?: number } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: number });
}

function field(text: string | undefined, pattern: RegExp): number | undefined {
  const value = text?.match(pattern)?.[1];
  return value === undefined ? undefined : Number(value);
}

function sum(text: string | undefined, pattern: RegExp): number | undefined {
  if (text === undefined) return undefined;
  return [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
}

/** Synchronously: the kernel answers from memory, and a task pays for several of these. Undefined: no such figure. */
function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function exists(file: string): Promise<boolean> {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}
