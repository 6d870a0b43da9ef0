/**
 * What a zone has used, from the kernel's statistics: each source is there exactly once and carries the zone's name, or
 * the figures are another zone's. Source: spec 05 §9.2.
 */
import VError from 'verror';
import type { ZoneUsage } from '../../driver.js';
import { parseKstats } from './listings.js';

interface Source {
  readonly entry: string;
  readonly module: string;
  /** Names it in a command. */
  readonly operand: (id: number) => string;
}

const byInstance = (entry: string, module: string): Source => ({
  entry,
  module,
  operand: (id) => `${module}:${id}`,
});

const sources: readonly Source[] = [
  byInstance('cpu', 'zones'),
  byInstance('memory', 'memory_cap'),
  byInstance('vfs', 'zone_vfs'),
  byInstance('zfs', 'zone_zfs'),
  { entry: 'vnic0', module: 'link', operand: (id) => `link::z${id}_net0` },
];

export function kstatCommand(id: number): string[] {
  return ['kstat', '-p', ...sources.map(({ operand }) => operand(id))];
}

/** @param text printed by `kstatCommand`. @throws VError unless each source is there once and is this zone's. */
export function readUsage(text: string, zone: string, id: number): ZoneUsage {
  const found = parseKstats(text);
  const statistics = new Map<string, Record<string, string>>();
  for (const { entry, module } of sources) {
    const matching = [...found].filter(([key]) => key.startsWith(`${module}:`));
    const [only] = matching;
    if (only === undefined || matching.length > 1) throw cannotRead(entry, zone, id, `found ${matching.length}`);
    const name = only[1]['zonename'];
    if (name !== zone) throw cannotRead(entry, zone, id, `it is of zone "${name}"`);
    statistics.set(entry, only[1]);
  }
  const figure = (entry: string, statistic: string): number => Number(statistics.get(entry)?.[statistic] ?? 0);
  return {
    cpuUserNs: figure('cpu', 'nsec_user'),
    cpuSystemNs: figure('cpu', 'nsec_sys'),
    memoryBytes: figure('memory', 'rss'),
    memoryFailures: figure('memory', 'anon_alloc_fail'),
    readBytes: figure('vfs', 'nread'),
    writtenBytes: figure('vfs', 'nwritten'),
    networkReceivedBytes: figure('vnic0', 'rbytes64'),
    networkSentBytes: figure('vnic0', 'obytes64'),
  };
}

function cannotRead(entry: string, zone: string, id: number, why: string): VError {
  return new VError('failed to read kstat "%s" for zoneid %d (zonename "%s"): %s', entry, id, zone, why);
}
