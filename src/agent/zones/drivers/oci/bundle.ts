/** The container of a zone, as an OCI runtime wants it told. */
import { keeperScript, lackeyLog } from '../keeper.js';
import { accountingFile } from './accounting.js';
import { seccompProfile } from './seccomp.js';

/** Valid only inside the zone's user namespace. With none at all, root's plain `tar xf` fails at chown. */
const capabilities = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'SETFCAP',
  'SYS_CHROOT',
  'NET_BIND_SERVICE',
].map((name) => `CAP_${name}`);

export const idsPerZone = 65_536;
/** Enough for any pipeline; a fork bomb of 4,096 starved the other zones for minutes. */
const maxProcesses = 1024;
const cpuPeriodUs = 100_000;
/** Added to the user's cap for the lackey, which an idle zone charges about 7 MB for. */
const lackeyMemoryMb = 32;

export interface BundleOptions {
  readonly zone: string;
  /** Root file system, by a path that the zone's root user may pass. */
  readonly rootPath: string;
  /** Host directories seen read-only at the same path. */
  readonly hostDirectories: readonly string[];
  readonly farm: string;
  readonly installRoot: string;
  readonly socketDirectory: string;
  /** First of the zone's ids; null: the single id of the calling user, without cgroups. */
  readonly uidBase: number | null;
  readonly ownIds: { readonly uid: number; readonly gid: number };
  readonly cgroup: string;
  readonly memoryMb: number;
  /** Longest core file, at most our own limit. */
  readonly maxCoreBytes: number;
  /** Of one processor; undefined: no cap. */
  readonly cpuCapPercent: number | undefined;
  /** Whether the kernel counts swap: without, a limit for it is refused. */
  readonly swapLimit: boolean;
}

export function memoryLimitBytes(memoryMb: number): number {
  return (memoryMb + lackeyMemoryMb) * 1024 * 1024;
}

/** What process 1 of a zone runs. */
export function keeperCommand(zone: string): string[] {
  const argv = ['keeper', zone, `/var/run/.marlin.${zone}.sock`];
  const lackey = ['/opt/marlin/build/node/bin/node', '/opt/marlin/lib/lackey/main.js', `/${lackeyLog}`];
  return ['/bin/bash', '--norc', '-c', keeperScript('all'), ...argv, ...lackey];
}

/** The content of `config.json`. */
export function bundleConfig(options: BundleOptions, command: readonly string[]): object {
  return {
    ociVersion: '1.0.2',
    hostname: options.zone,
    root: { path: options.rootPath, readonly: false },
    mounts: mounts(options),
    process: {
      terminal: false,
      cwd: '/',
      user: { uid: 0, gid: 0, umask: 0o022 },
      args: command,
      env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        `MARLIN_ZONE=${options.zone}`,
        'MARLIN_LACKEY_KILL=all',
        'MARLIN_LACKEY_OOM=1',
        `MARLIN_LACKEY_ACCOUNTING=/run/.marlin/${accountingFile}`,
      ],
      rlimits: [{ type: 'RLIMIT_CORE', soft: options.maxCoreBytes, hard: options.maxCoreBytes }],
      noNewPrivileges: true,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    linux: {
      namespaces: ['user', 'mount', 'pid', 'ipc', 'uts', 'network', 'cgroup'].map((type) => ({ type })),
      ...idMappings(options),
      ...limits(options),
      sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0' },
      seccomp: seccompProfile(process.arch),
      maskedPaths: ['acpi', 'kcore', 'keys', 'latency_stats', 'sched_debug', 'scsi', 'timer_list'].map(
        (name) => `/proc/${name}`,
      ),
      readonlyPaths: ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`),
    },
  };
}

function idMappings({ uidBase, ownIds }: BundleOptions): object {
  const mapping = (hostID: number) => [{ containerID: 0, hostID, size: uidBase === null ? 1 : idsPerZone }];
  return { uidMappings: mapping(uidBase ?? ownIds.uid), gidMappings: mapping(uidBase ?? ownIds.gid) };
}

function limits(options: BundleOptions): object {
  if (options.uidBase === null) return {};
  const limit = memoryLimitBytes(options.memoryMb);
  return {
    cgroupsPath: options.cgroup,
    resources: {
      devices: [{ allow: false, access: 'rwm' }], // the runtime itself adds /dev/null and its like
      memory: { limit, ...(options.swapLimit ? { swap: limit } : {}) },
      pids: { limit: maxProcesses },
      cpu: cpuLimits(options.cpuCapPercent),
    },
  };
}

/** Zones have equal shares of what all of them together get (`weighZones`). */
function cpuLimits(capPercent: number | undefined): object {
  const shares = 1024;
  if (capPercent === undefined) return { shares };
  return { shares, period: cpuPeriodUs, quota: (cpuPeriodUs * capPercent) / 100 };
}

function mounts(options: BundleOptions): object[] {
  const readOnly = ['rbind', 'ro', 'nosuid', 'nodev'];
  const terminals = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'];
  if (options.uidBase !== null) terminals.push('gid=5');
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: terminals },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
    },
    ...options.hostDirectories.map((source) => ({ destination: source, type: 'bind', source, options: readOnly })),
    { destination: '/opt/marlin', type: 'bind', source: options.installRoot, options: readOnly },
    { destination: '/manta', type: 'bind', source: options.farm, options: readOnly },
    { destination: '/run/.marlin', type: 'bind', source: options.socketDirectory, options: readOnly },
  ];
}
