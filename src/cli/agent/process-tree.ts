/**
 * The processes in a zone. On SmartOS those of the lackey's contract, as `ptree` draws them; on Linux those whose root
 * is the zone's, which /proc tells: pid 1 of the zone was told its name, and its descendants are the zone.
 */
import fs from 'node:fs';
import type { CliContext } from '../context.js';

export async function processTree(context: CliContext, zone: string): Promise<readonly string[]> {
  if (process.platform !== 'sunos') return linuxTree(zone);
  const { stdout: contract } = await context.exec('svcs', ['-z', zone, '-H', '-o', 'ctid', 'lackey']);
  const { stdout } = await context.exec('ptree', ['-z', zone, '-c', contract.trim()]);
  return stdout.split('\n').slice(1, -1);
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  readonly mentions: boolean;
}

function linuxTree(zone: string): readonly string[] {
  const processes = fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name), zone));
  const childrenOf = (pid: number) => processes.filter(({ parent }) => parent === pid);
  const named = processes.filter(({ mentions }) => mentions);
  const isBelow = ({ parent }: Process) => named.some(({ pid }) => pid === parent);
  const lines: string[] = [];
  const draw = ({ pid, command }: Process, depth: number) => {
    lines.push(`${' '.repeat(4 + 2 * depth)}${pid} ${command}`);
    for (const child of childrenOf(pid)) draw(child, depth + 1);
  };
  for (const top of named) if (!isBelow(top)) draw(top, 0);
  return lines;
}

/** @returns none when it has gone meanwhile. */
function readProcess(pid: number, zone: string): readonly Process[] {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    const group = fs.readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    return [{ pid, parent, command: command || '(no command line)', mentions: group.includes(zone) }];
  } catch {
    return [];
  }
}
