/**
 * A machine that plays SmartOS for the `smartos` driver: zones are directories below a root of their own, with plain
 * processes in them; commands are remembered as they were given, answered as the real ones answer, and fail when told.
 * The native helper is the real one, compiled for this machine, but for hyprlofs, which only illumos has: that is played
 * by a farm of links. Paths of commands are below `root`, which no command line shows.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { keeperScript, lackeyLog } from '../../src/agent/zones/drivers/keeper.js';
import { createFarm } from '../../src/agent/zones/drivers/link-farm.js';
import { killMarked } from '../../src/agent/zones/drivers/processes.js';
import {
  commandFailed,
  type Machine,
  type RunOptions,
  thisMachine,
} from '../../src/agent/zones/drivers/smartos/machine.js';

/** Path of the helper, as command lines show it. */
const helper = '/opt/marlin-helper';
const nativeSources = 'src/agent/zones/drivers/smartos/native';
const pristine = ['assets', 'opt', 'root', 'tmp', 'var/run/marlin', 'var/svc/log', 'var/tmp'];

export interface PlayedZone {
  readonly name: string;
  readonly image: string;
  readonly role?: string;
  readonly tag?: string;
}

interface Failure {
  readonly command: RegExp;
  times: number;
  readonly stderr: string;
  readonly status: number;
  /** Printed with status 0. */
  readonly stdout?: string;
}

export interface PlayedSmartos extends Machine {
  /** Every command so far, as it was given. */
  readonly transcript: string[];
  /** What vmadm knows of each zone. */
  readonly properties: Map<string, Record<string, string>>;
  /** Statistics of the kernel that differ from what a zone has just after boot: `zones:7:z:nsec_user` and the like. */
  readonly statistics: Map<string, string>;
  /** Makes the next commands that match fail. */
  fail(command: RegExp, failure?: { times?: number; stderr?: string; status?: number }): void;
  /** Makes the next command that matches print this. */
  play(command: RegExp, stdout: string): void;
  /** The zone ends by itself. */
  crash(zone: string): Promise<void>;
  stop(): Promise<void>;
}

interface ZoneState {
  id: number | null;
  mounted: boolean;
  keeper: ChildProcess | null;
  /** Asked for its state, it answers first that it is not there yet. */
  lagging: boolean;
  lackey: 'absent' | 'online' | 'maintenance';
  /** Its processes end on their own: until then it cannot be booted. */
  ending: Promise<void>;
}

export async function playSmartos(
  root: string,
  { zones, images, installRoot }: { zones: readonly PlayedZone[]; images: readonly string[]; installRoot: string },
): Promise<PlayedSmartos> {
  const transcript: string[] = [];
  const failures: Failure[] = [];
  const properties = new Map(zones.map(({ name }) => [name, {} as Record<string, string>]));
  const statistics = new Map<string, string>();
  const states = new Map<string, ZoneState>();
  let lastId = 0;
  const rootOf = (zone: string) => path.join(root, 'zones', zone, 'root');
  const farmOf = (zone: string) => createFarm(path.join(rootOf(zone), 'manta'));
  const zoneOf = (directory = '') => directory.split('/')[2] ?? '';
  const real = path.join(root, helper);
  fs.mkdirSync(path.dirname(real), { recursive: true });
  const sources = fs.readdirSync(nativeSources).filter((file) => file.endsWith('.c'));
  const inSources = sources.map((file) => path.join(nativeSources, file));
  execFileSync(process.env['CC'] ?? 'cc', ['-std=gnu11', '-Wall', '-Wextra', '-Werror', ...inSources, '-o', real]);
  for (const { name } of zones) {
    makePristine(name);
    states.set(name, {
      id: null,
      mounted: false,
      keeper: null,
      lagging: false,
      lackey: 'absent',
      ending: Promise.resolve(),
    });
  }

  function makePristine(zone: string): void {
    const directory = rootOf(zone);
    if (fs.existsSync(directory)) execFileSync('chmod', ['-R', 'u+rwX', directory]);
    fs.rmSync(directory, { recursive: true, force: true });
    for (const one of pristine) fs.mkdirSync(path.join(directory, one), { recursive: true });
  }

  function stateOf(zone: string | undefined): ZoneState {
    const state = states.get(zone ?? '');
    if (state === undefined) throw new Error(`No such zone configured: ${zone}`);
    return state;
  }

  async function endProcesses(zone: string, state: ZoneState): Promise<void> {
    const { keeper } = state;
    state.keeper = null;
    state.id = null;
    state.lackey = 'absent';
    if (keeper !== null && keeper.exitCode === null && keeper.signalCode === null) {
      keeper.kill('SIGKILL');
      await once(keeper, 'exit');
    }
    await killMarked('MARLIN_KEEPER', zone);
    await killMarked('MARLIN_ZONE', zone);
  }

  function startLackey(zone: string, state: ZoneState): void {
    const inZone = rootOf(zone);
    const node = path.join(installRoot, 'build/node/bin/node');
    const socket = path.join(inZone, `var/run/.marlin.${zone}.sock`);
    const program = [zone, socket, node, path.join(installRoot, 'lib/lackey/main.js'), path.join(inZone, lackeyLog)];
    const keeper = spawn('bash', ['--norc', '-c', keeperScript('marked'), 'keeper', ...program], {
      cwd: '/',
      env: { PATH: process.env['PATH'], MARLIN_LACKEY_ROOT: inZone, MARLIN_KEEPER: zone },
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    keeper.once('exit', () => {
      if (state.keeper === keeper) state.ending = endProcesses(zone, state);
    });
    state.keeper = keeper;
    state.lackey = 'online';
  }

  function boot(state: ZoneState): void {
    if (state.id !== null) throw new Error('zone is already booted');
    state.id = ++lastId;
    state.lagging = true;
  }

  /** Figures of a zone, as the kernel keeps them. */
  function kstats(id: number): string {
    const [name = ''] = [...states].find(([, state]) => state.id === id) ?? [];
    const figures: [string, string][] = [
      [`zones:${id}:${name}:nsec_user`, '0'],
      [`zones:${id}:${name}:nsec_sys`, '0'],
      [`memory_cap:${id}:${name}:rss`, '1048576'],
      [`memory_cap:${id}:${name}:anon_alloc_fail`, '0'],
      [`zone_vfs:${id}:${name}:nread`, '0'],
      [`zone_vfs:${id}:${name}:nwritten`, '0'],
      [`zone_zfs:${id}:${name}:nread`, '0'],
      [`link:0:z${id}_net0:rbytes64`, '0'],
      [`link:0:z${id}_net0:obytes64`, '0'],
    ];
    const owners = [...new Set(figures.map(([key]) => key.slice(0, key.lastIndexOf(':'))))];
    const all = new Map([...figures, ...owners.map((key) => [`${key}:zonename`, name] as const), ...statistics]);
    return [...all].map(([key, value]) => `${key}\t${value}\n`).join('');
  }

  const list = (zone: string, state: ZoneState) =>
    `${state.id ?? '-'}:${zone}:${state.id === null ? 'installed' : 'running'}:/zones/${zone}:uuid:joyent:excl\n`;

  /** What each command prints. @throws Error, whose message goes to standard error. */
  async function play(argv: readonly string[], options: RunOptions): Promise<string> {
    const [command = '', ...rest] = argv;
    switch (command) {
      case 'vmadm':
        if (rest[0] === 'list')
          return zones
            .map(({ name, image, role = 'compute', tag = '-' }) => `${name}  ${image}  ${role}  ${tag}\n`)
            .join('');
        Object.assign(
          properties.get(rest[1] ?? '') ?? {},
          Object.fromEntries(rest.slice(2).map((pair) => pair.split('='))),
        );
        return '';
      case 'imgadm':
        return images.map((image) => `${image}\n`).join('');
      case 'zoneadm': {
        if (rest[0] === 'list')
          return [...states]
            .filter(([, { id }]) => id !== null)
            .map(([z, s]) => list(z, s))
            .join('');
        const [, zone = '', what] = rest;
        const state = stateOf(zone);
        if (what === 'halt' && state.id === null) throw new Error(`zone '${zone}': must be running before halt`);
        if (what === 'halt') await endProcesses(zone, state);
        if (what === 'boot') await state.ending;
        if (what === 'boot') boot(state);
        if (what !== 'list') return '';
        const lagged = state.lagging;
        state.lagging = false;
        return lagged ? list(zone, state).replace('running', 'ready') : list(zone, state);
      }
      case 'zfs': {
        const [, zone = ''] = rest[1]?.match(/^zones\/(.*)@marlin_init$/) ?? [];
        if (stateOf(zone).mounted) throw new Error('cannot roll back: dataset is busy');
        makePristine(zone);
        return '';
      }
      case 'svcs': {
        const state = stateOf(rest[2]);
        if (rest.at(-1) !== 'marlin/lackey') return 'online\n';
        return `${state.lackey}\n`;
      }
      case 'zlogin': {
        const [zone = '', ...import_] = rest;
        const state = stateOf(zone);
        if (state.id === null) throw new Error(`zone '${zone}' is not running`);
        const manifest = path.join(rootOf(zone), import_[2] ?? '');
        if (import_.slice(0, 2).join(' ') !== 'svccfg import' || !fs.existsSync(manifest))
          throw new Error('no manifest');
        startLackey(zone, state);
        return '';
      }
      case 'mount': {
        const [from = '', to = ''] = rest.slice(3);
        fs.rmdirSync(path.join(root, to));
        fs.symlinkSync(from.replace(/\/$/, ''), path.join(root, to));
        return '';
      }
      case 'umount': {
        const zone = zoneOf(rest[0]);
        if (!stateOf(zone).mounted) throw new Error(`umount: ${rest[0]} not mounted`);
        await farmOf(zone).clear();
        stateOf(zone).mounted = false;
        return '';
      }
      case 'kstat':
        return kstats(Number(rest[1]?.split(':')[1]));
      case helper:
        return help(argv, options);
      default:
        throw new Error(`${command}: not found`);
    }
  }

  async function help(argv: readonly string[], options: RunOptions): Promise<string> {
    const [, command, second = '', third = '', ...rest] = argv;
    if (command !== 'hyprlofs') return thisMachine.run([real, command ?? '', root + second, third, ...rest], options);
    const zone = zoneOf(third);
    const state = stateOf(zone);
    if (second === 'mount') {
      await farmOf(zone).make();
      state.mounted = true;
    } else if (!state.mounted) throw Object.assign(new Error(`${third}: No such file or directory`), { status: 3 });
    else if (second === 'clear') await farmOf(zone).clear();
    else {
      const [source = '', alias = ''] = rest;
      await farmOf(zone).link(source.startsWith('/var/run/marlin/') ? root + source : source, `/${alias}`);
    }
    return '';
  }

  return {
    root,
    helper,
    transcript,
    properties,
    statistics,
    async run(argv, options = {}) {
      const line = argv.join(' ');
      transcript.push(line);
      options.signal?.throwIfAborted();
      const failure = failures.find(({ command, times }) => times > 0 && command.test(line));
      if (failure !== undefined) {
        failure.times--;
        if (failure.stdout !== undefined) return failure.stdout;
        throw commandFailed(argv, { status: failure.status, signal: null }, failure.stderr);
      }
      try {
        return await play(argv, options);
      } catch (error) {
        const { status = 1, message } = error as Error & { status?: number };
        throw commandFailed(argv, { status, signal: null }, message);
      }
    },
    async listen(argv, take) {
      transcript.push(argv.join(' '));
      const [, command = '', zone = '', socket = ''] = argv;
      const failure = failures.find((one) => one.times > 0 && one.command.test(argv.join(' ')));
      if (failure !== undefined) {
        failure.times--;
        throw commandFailed(argv, { status: 1, signal: null }, 'no socket today');
      }
      return thisMachine.listen([real, command, '', path.join(rootOf(zone), socket)], take);
    },
    pauseMs: async (ms, signal) => {
      await delay(Math.min(ms, 5), undefined, signal === undefined ? {} : { signal });
    },
    fail(command, { times = 1, stderr = 'not today', status = 1 } = {}) {
      failures.push({ command, times, stderr, status });
    },
    play(command, stdout) {
      failures.push({ command, times: 1, stderr: '', status: 0, stdout });
    },
    crash: (zone) => endProcesses(zone, stateOf(zone)),
    async stop() {
      for (const [zone, state] of states) await endProcesses(zone, state);
    },
  };
}
