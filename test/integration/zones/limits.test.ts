/** Limits and privileges of an isolated zone, each asked of the kernel: inside as a program meets it, outside as set. */
import fs from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { containersWork, makeTestPlace, pidsWith, startTestZones, type TestZones } from '../../support/zones.js';

const uidBase = 10_000_000;
const eperm = 1;
const enosys = 38;

// biome-ignore format: table
const systemCalls: readonly (readonly [name: string, x64: number, errno: number])[] = [
  ['mount', 165, eperm], ['umount2', 166, eperm], ['pivot_root', 155, eperm], ['unshare', 272, eperm],
  ['setns', 308, eperm], ['reboot', 169, eperm], ['swapon', 167, eperm], ['init_module', 175, eperm],
  ['kexec_load', 246, eperm], ['bpf', 321, eperm], ['userfaultfd', 323, eperm], ['perf_event_open', 298, eperm],
  ['keyctl', 250, eperm], ['add_key', 248, eperm], ['acct', 163, eperm], ['io_uring_setup', 425, eperm],
  ['open_by_handle_at', 304, eperm], ['fsopen', 430, eperm], ['move_mount', 429, eperm], ['mount_setattr', 442, eperm],
  ['quotactl', 179, eperm], ['settimeofday', 164, eperm], ['syslog', 103, eperm], ['vhangup', 153, eperm],
  ['iopl', 172, eperm], ['ioperm', 173, eperm], ['sethostname', 170, eperm], ['fanotify_init', 300, eperm],
  ['clone3', 435, enosys], ['a call of the future', 1999, enosys],
];

/** CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SETFCAP. */
const capabilities = '00000000800405fb';

async function limits(t: Test): Promise<void> {
  const place = await makeTestPlace(t, 'oci');
  const zones = await startTestZones(t, 'oci', {
    ...place,
    config: { ...place.config, zoneDefaults: { cpu_cap: 50 } },
  });
  const shell = await zones.boot();

  await t.test('refused system calls fail with the error that programs expect', async (t) => {
    const script = systemCalls
      .map(([, number]) => `$! = 0; syscall(${number}, 0, 0, 0, 0, 0, 0); print $! + 0, "\\n";`)
      .join(' ');
    const { stdout } = await shell.run(`perl -e '${script}'`);
    const errors = stdout.trim().split('\n').map(Number);
    for (const [index, [name, , errno]] of systemCalls.entries()) t.equal(errors[index], errno, name);
  });

  await t.test('privileges are those listed, and none can be gained', async (t) => {
    const status = (await shell.run('cat /proc/self/status')).stdout;
    for (const set of ['CapPrm', 'CapEff', 'CapBnd']) t.match(status, `${set}:\t${capabilities}`, set);
    t.match(status, 'CapAmb:\t0000000000000000');
    t.match(status, 'NoNewPrivs:\t1');
    t.match(status, 'Seccomp:\t2');
  });

  await t.test('each zone has 65,536 user ids of its own', async (t) => {
    t.match((await shell.run('cat /proc/self/uid_map /proc/self/gid_map')).stdout, /^( +0 +10000000 +65536\n){2}$/);
    await shell.start('exec -a "sleeper-$MARLIN_ZONE" setpriv --reuid 7 --regid 8 --clear-groups sleep 1000');
    await shell.run('until grep -qsa "^sleep" /proc/[0-9]*/cmdline; do sleep 0.01; done');
    const uids = await Promise.all((await pidsWith('sleep', '1000')).map(userOf));
    t.ok(uids.includes(uidBase + 7), `as the machine sees it: ${uids}`);
  });

  await t.test('what zones share with the users of the machine is lowered', async (t) => {
    const asked = 'cd /proc/sys/user; for f in *; do echo "$f=$(cat $f)"; done';
    const { stdout } = await shell.run(asked);
    const values = new Map(stdout.split('\n').map((line) => line.split('=') as [string, string]));
    t.equal(values.get('max_inotify_instances'), '8');
    t.equal(values.get('max_inotify_watches'), '8192');
    for (const [name, value] of values)
      if (name.endsWith('_namespaces') || name.startsWith('max_fanotify')) t.equal(value, '0', name);
    t.match(await shell.run('echo 999 > /proc/sys/user/max_user_namespaces'), { status: 1 });
  });

  await t.test('memory with swap, processes and processor time are capped', async (t) => {
    const group = await groupOf(zones);
    const memory = (128 + 32) * 2 ** 20;
    t.equal(await group('memory', ['memory.limit_in_bytes', 'memory.max']), String(memory));
    const swap = await group('memory', ['memory.memsw.limit_in_bytes', 'memory.swap.max']);
    t.ok(swap === undefined || [String(memory), '0'].includes(swap), 'no swap beyond it');
    t.equal(await group('pids', ['pids.max']), '1024');
    t.match(await group('cpu', ['cpu.cfs_quota_us', 'cpu.max']), /^50000( 100000)?$/);
    const throttled = async () => Number((await group('cpu', ['cpu.stat']))?.match(/^nr_throttled (\d+)$/m)?.[1]);
    while ((await throttled()) === 0) await shell.run('timeout 0.2 bash -c "while :; do :; done"');
    t.pass('who wants more waits');
  });
}

async function userOf(pid: number): Promise<number> {
  const status = await fs.readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(status.match(/^Uid:\s+(\d+)/m)?.[1]);
}

/** Reads the zone's control group, in whichever version has the controller: the first file that there is. */
async function groupOf(
  zones: TestZones,
): Promise<(controller: string, files: string[]) => Promise<string | undefined>> {
  const [keeper] = await pidsWith('keeper', zones.zone);
  const lines = (await fs.readFile(`/proc/${keeper}/cgroup`, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(':'));
  return async (controller, files) => {
    const first = lines.find(([, names]) => names?.split(',').includes(controller));
    const unified = lines.find(([, names]) => names === '');
    const directory = first ? `/sys/fs/cgroup/${controller}${first[2]}` : `/sys/fs/cgroup${unified?.[2]}`;
    for (const file of files) {
      const text = await fs.readFile(path.join(directory, file), 'utf8').catch(() => undefined);
      if (text !== undefined) return text.trim();
    }
    return undefined;
  };
}

t.setTimeout(120_000);
const needsRoot = process.getuid?.() === 0 ? false : 'needs root';
const needsX64 = process.arch === 'x64' ? false : 'system calls are numbered for x64 here';
t.test('limits', { skip: needsRoot || needsX64 || (await containersWork()) }, limits);
