/**
 * Outbound network of a zone: theory of operation. A zone has a network namespace of its own with nothing in it but
 * loopback. If the configuration says `network: outbound`, slirp4netns adds an interface to it whose packets it carries
 * out by ordinary sockets of the machine: no bridge, no address of ours, nothing to reach a zone from outside.
 *
 * By such sockets alone a zone would reach whatever the machine reaches: an open Moray on one of its addresses, the
 * neighbours behind a firewall, the metadata service of a cloud. So rules inside the zone's namespace, set by us from
 * outside and out of reach for a zone without CAP_NET_ADMIN, refuse before slirp4netns sees a packet:
 *
 *   every address of the machine itself, private, shared, link-local, multicast and reserved ranges, IPv6 as a whole,
 *   and what `networkDeny` adds; but the name server at 10.0.2.3, which passes questions on to the machine's own.
 *
 * slirp4netns parses packets of hostile programs, so it runs in its own sandbox, without capabilities. It holds a pipe of
 * ours and ends when we do. The machine's addresses are read at each reset: one that is added later is refused from the
 * next reset of the zone on.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import VError from 'verror';
import type { ZoneUsage } from '../../driver.js';
import { runCommand } from '../commands.js';

/** slirp4netns' own: fixed by it. */
const nameServer = '10.0.2.3';
export const resolverConfiguration = `nameserver ${nameServer}\n`;

// biome-ignore format: table
const refusedRanges: readonly string[] = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
  '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4',
];

export interface ZoneNetwork {
  close(): Promise<void>;
}

/** nft's language. @param denied IPv4 addresses and ranges, beyond those that are always refused. */
export function networkRules(hostAddresses: readonly string[], denied: readonly string[]): string {
  const single = [...hostAddresses, ...denied].filter((address) => net.isIPv4(address.split('/')[0] ?? ''));
  const refused = [...new Set([...refusedRanges, ...single])];
  return `table inet marlin {
  set refused { type ipv4_addr; flags interval; auto-merge; elements = { ${refused.join(', ')} }; }
  chain output {
    type filter hook output priority 0; policy accept;
    oifname "lo" accept
    meta nfproto ipv6 reject
    ip daddr ${nameServer} meta l4proto { tcp, udp } th dport 53 accept
    ip daddr @refused reject with icmp type admin-prohibited
  }
}
`;
}

export interface NetworkOptions {
  /** Process 1 of the zone, as we see it. */
  readonly pid: number;
  readonly isRoot: boolean;
  readonly denied: readonly string[];
}

/** To be called before anything runs in the zone. @throws VError `ZoneNetworkError`; then there is no network. */
export async function connectOutbound({ pid, isRoot, denied }: NetworkOptions): Promise<ZoneNetwork> {
  const enter = isRoot ? ['--net'] : ['--user', '--net', '--preserve-credentials'];
  const rules = networkRules(ownAddresses(), denied);
  try {
    await runCommand('nsenter', [`--target=${pid}`, ...enter, '--', 'bash', '-c', 'nft -f - <<< "$1"', 'rules', rules]);
    return await startSlirp(pid);
  } catch (error) {
    const hint = 'apt-get install slirp4netns nftables';
    throw new VError({ name: 'ZoneNetworkError', cause: error as Error }, 'no outbound network (%s)', hint);
  }
}

/** Bytes over all interfaces but loopback, since the zone began; nothing when it has ended. */
export function networkUsage(pid: number): Pick<ZoneUsage, 'networkReceivedBytes' | 'networkSentBytes'> {
  const total = { networkReceivedBytes: 0, networkSentBytes: 0 };
  for (const line of interfaceLines(pid)) {
    const [name = '', counters = ''] = line.split(':');
    if (counters === '' || name.trim() === 'lo') continue;
    const fields = counters.trim().split(/\s+/);
    total.networkReceivedBytes += Number(fields[0]);
    total.networkSentBytes += Number(fields[8]);
  }
  return total;
}

function interfaceLines(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/net/dev`, 'utf8').split('\n').slice(2); // from memory, like all such figures
  } catch {
    return [];
  }
}

function ownAddresses(): string[] {
  return Object.values(os.networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}

async function startSlirp(pid: number): Promise<ZoneNetwork> {
  const options = ['--configure', '--mtu=65520', '--disable-host-loopback', '--enable-sandbox', '--enable-seccomp'];
  const argv = [...options, '--ready-fd=3', '--exit-fd=4', String(pid), 'net0'];
  const slirp = spawn('slirp4netns', argv, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
  const gone = new Promise<void>((resolve) => slirp.once('close', () => resolve()));
  const errors: string[] = [];
  slirp.stderr?.on('data', (chunk) => {
    if (errors.length < 20) errors.push(String(chunk));
  });
  for (const pipe of [slirp.stdio[3], slirp.stdio[4]]) pipe?.on('error', () => {}); // 'close' tells
  const ready = slirp.stdio[3];
  if (ready === null || ready === undefined) throw new VError('a child process has no pipe');
  const failed = Promise.race([
    once(slirp, 'error').then(([error]) => String(error)), // not installed
    gone.then(() => errors.join('').trim()),
  ]);
  const problem = await Promise.race([once(ready, 'data').then(() => null), failed]);
  if (problem !== null) throw new VError('slirp4netns ended: %s', problem);
  return {
    async close() {
      slirp.kill('SIGKILL');
      await gone;
    },
  };
}
