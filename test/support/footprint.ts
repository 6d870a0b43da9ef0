/**
 * What a one-box has of the machine: processes, mounts, control groups, loop devices, files, links, descriptors. Two
 * footprints of the same idle box are alike, whatever happened in between.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { deploymentId } from '../../src/agent/zones/drivers/config.js';
import type { OneBox } from './one-box.js';

export type Footprint = Readonly<Record<string, number>>;

/** @returns what is more than before, or less, in words. Descriptors may vary a little: connections come and go. */
export function counted(before: Footprint, after: Footprint): string[] {
  return Object.keys({ ...before, ...after }).flatMap((what) => {
    const [was, is] = [before[what] ?? 0, after[what] ?? 0];
    const slack = what === 'descriptors of the agent' ? 24 : 0;
    return Math.abs(is - was) > slack ? [`${what}: ${is}, was ${was}`] : [];
  });
}

export async function footprint(box: OneBox): Promise<Footprint> {
  const zones = zoneNames(box);
  const processes = allProcesses();
  return {
    'processes of zones': processes.filter(({ command }) => zones.some((zone) => command.includes(zone))).length,
    mounts: mountsOf(box, processes),
    'control groups': controlGroups(box),
    'loop devices': loopDevices(box),
    'files of zones': filesBelow(path.join(box.data, 'zones'), /scratch|bundle|\.img/),
    'files of run': filesBelow(path.join(box.data, 'run'), /./),
    'temporary files': fs.readdirSync('/tmp').filter((name) => name.startsWith('.marlin-')).length,
    'second links to objects': secondLinks(path.join(box.data, 'storage')),
    'descriptors of the agent': descriptors(box.ready().pids.agent),
  };
}

export function lackeyPids(box: OneBox): number[] {
  const zones = zoneNames(box);
  return allProcesses()
    .filter(({ name, command }) => name === 'node' && zones.some((zone) => command.includes(`.marlin.${zone}.sock`)))
    .map(({ pid }) => pid);
}

export function zoneNames(box: OneBox): string[] {
  return (JSON.parse(fs.readFileSync(path.join(box.data, 'box.json'), 'utf8')) as { zones: string[] }).zones;
}

interface Seen {
  readonly pid: number;
  readonly name: string;
  readonly command: string;
}

function allProcesses(): Seen[] {
  const own = process.pid;
  return fs
    .readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== own)
    .flatMap((entry) => {
      const command = readOrNothing(`/proc/${entry}/cmdline`).replaceAll('\0', ' ');
      const name = readOrNothing(`/proc/${entry}/comm`).trim();
      return command === '' ? [] : [{ pid: Number(entry), name, command }];
    });
}

/** In every mount namespace that there is. */
function mountsOf(box: OneBox, processes: readonly Seen[]): number {
  const id = deploymentId(box.data);
  const seen = new Set<string>();
  let count = 0;
  for (const { pid } of processes) {
    let namespace: string;
    try {
      namespace = fs.readlinkSync(`/proc/${pid}/ns/mnt`);
    } catch {
      continue;
    }
    if (seen.has(namespace)) continue;
    seen.add(namespace);
    const lines = readOrNothing(`/proc/${pid}/mountinfo`).split('\n');
    count += lines.filter((line) => line.includes(box.data) || line.includes(id)).length;
  }
  return count;
}

function controlGroups(box: OneBox): number {
  const name = `marlin-${deploymentId(box.data)}`;
  const places = ['/sys/fs/cgroup', ...entries('/sys/fs/cgroup').map((entry) => `/sys/fs/cgroup/${entry}`)];
  return places.reduce(
    (count, place) =>
      count +
      entries(path.join(place, name)).filter(
        (one) => !one.includes('.') || fs.statSync(path.join(place, name, one)).isDirectory(),
      ).length,
    0,
  );
}

function loopDevices(box: OneBox): number {
  try {
    return execFileSync('losetup', ['-a'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(box.data)).length;
  } catch {
    return 0;
  }
}

/** Two levels deep, not counting what is mounted there. */
function filesBelow(directory: string, counts: RegExp): number {
  let count = 0;
  for (const entry of entries(directory)) {
    if (counts.test(entry)) count++;
    for (const inner of entries(path.join(directory, entry))) {
      if (counts.test(inner)) count++;
      if (/^(scratch|runc)$/.test(inner)) count += entries(path.join(directory, entry, inner)).length;
    }
  }
  return count;
}

/** Objects that are still mapped somewhere. */
function secondLinks(storage: string): number {
  let count = 0;
  for (const node of entries(storage)) {
    for (const creator of entries(path.join(storage, node))) {
      for (const object of entries(path.join(storage, node, creator))) {
        if (fs.statSync(path.join(storage, node, creator, object)).nlink > 1) count++;
      }
    }
  }
  return count;
}

function descriptors(pid: number | undefined): number {
  return entries(`/proc/${pid}/fd`).length;
}

function entries(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}

function readOrNothing(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
