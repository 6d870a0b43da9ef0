/**
 * What users' commands may not do, tried as a user would: through the front door, in isolated zones. Each row is a job
 * of one map task over one object. Afterwards all zones serve others as if nothing had happened.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import t, { type Test } from 'tap';
import { makeImage } from '../support/image.js';
import { type JobPhase, runJob } from '../support/jobs.js';
import { type OneBox, startOneBox } from '../support/one-box.js';
import { containersWork } from '../support/zones.js';

interface Attack {
  readonly name: string;
  readonly exec: string;
  readonly phase?: Partial<JobPhase>;
  /** The whole of stdout, or what it must look like; none: no output. */
  readonly output?: string | RegExp;
  readonly error?: { readonly code: string; readonly message: string };
  /** Only root can limit what a zone takes. */
  readonly needsRoot?: true;
}

const object = '%user%/stor/in';
const zoneCount = 4;
const sideBySide = 4;
const control = 'curl -s -X POST http://localhost/my/jobs/task';
const outOfMemory = ' (WARNING: ran out of memory during execution)';
const hungry = `perl -e '$x = "a" x (600 * 1024 * 1024); print length $x'`;
const userError = (message: string) => ({ code: 'UserTaskError', message });
const internalError = { code: 'InternalError', message: 'internal error' };

/** Prints each command's name if it succeeded, or if a signal ended it. */
const allRefused = (commands: readonly string[]) =>
  commands
    .map((command) => `( ${command} ) >/dev/null 2>&1; s=$?; [ $s -eq 0 -o $s -gt 127 ] && echo '${command}' $s`)
    .concat('true')
    .join('\n');

const attacks: readonly Attack[] = [
  {
    name: 'below /manta there is its own input and nothing else',
    exec: 'find /manta -type f; find /manta -mindepth 1 | wc -l',
    output: `/manta/${object}\n3\n`,
  },
  {
    name: '/manta cannot be written',
    exec: allRefused([
      'echo x > $MANTA_INPUT_FILE',
      'echo x >> $MANTA_INPUT_FILE',
      'rm -f $MANTA_INPUT_FILE',
      'mv $MANTA_INPUT_FILE /tmp/x && ! test -e $MANTA_INPUT_FILE',
      'chmod 777 $MANTA_INPUT_FILE',
      'chown 1 $MANTA_INPUT_FILE',
      'truncate -s 0 $MANTA_INPUT_FILE',
      'ln $MANTA_INPUT_FILE /tmp/y',
      'touch /manta/new',
      'mkdir /manta/%user%/new',
      'rmdir /manta/%user%/stor',
    ]),
    output: '',
  },
  {
    name: 'no network: neither the services beside it, nor the world, by either protocol',
    exec: allRefused(
      ['127.0.0.1/%moray%', '127.0.0.1/%manta%', '127.0.0.1/%agent%', '::1/%manta%', '192.0.2.1/80']
        .concat(['169.254.169.254/80', '2001:db8::1/80'])
        .map((address) => `timeout -s KILL 20 bash -c "exec 3<>/dev/tcp/${address}"`),
    ),
    output: '',
  },
  {
    name: 'no interface but loopback',
    exec: 'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "',
    output: 'lo\n',
  },
  {
    name: 'no process of the machine is seen',
    exec: 'cat /proc/1/comm; ls /proc | grep -c "^[0-9]"',
    output: /^bash\n\d\n$/,
  },
  {
    name: 'no file of the machine is seen but its programs',
    exec: 'ls -d %data% /root/.ssh /etc/shadow /boot /sys/kernel /proc/kcore /dev/mem /dev/kmsg /dev/vda 2>/dev/null; ls -A /home /srv /mnt; true',
    output: '/home:\n\n/mnt:\n\n/srv:\n',
  },
  {
    name: 'what administers a machine is refused by an error, not by a signal',
    exec: allRefused([
      'mount -t tmpfs x /mnt',
      'mount -o remount,rw /manta',
      'umount /manta',
      'umount -l /proc',
      'unshare -U true',
      'unshare -m true',
      'unshare -n true',
      'unshare -p -f true',
      'mknod /x b 8 0',
      'mknod /x c 1 1',
      'perl -e "exit(syscall(169, 0xfee1dead, 672274793, 0x1234567) == -1 ? 1 : 0)"', // reboot
      'swapoff -a && exit 1 || exit 1',
      'date -s 2001-01-01',
      'hostname evil',
      'echo 1 > /proc/sys/kernel/panic',
      'echo b > /proc/sysrq-trigger',
      'chroot /proc/1/root/.. ls %data%',
      'nsenter -t 1 -m true',
      'dmesg',
    ]),
    output: '',
  },
  {
    name: 'process 1 of the zone cannot be stopped',
    exec: 'kill -9 1; kill -STOP 1; sleep 0.2; grep State /proc/1/status | cut -f2 | cut -c1',
    output: 'S\n',
  },
  {
    name: 'memory: a command that exits 1 after its child was killed',
    exec: `( ${hungry} ); exit 1`,
    phase: { memory: 128 },
    error: userError(`user command exited with code 1${outOfMemory}`),
    needsRoot: true,
  },
  {
    name: 'memory: a command that is killed itself',
    exec: hungry,
    phase: { memory: 256 },
    error: userError(`user command terminated by SIGKILL${outOfMemory}`),
    needsRoot: true,
  },
  {
    name: 'memory: a command that carries on succeeds',
    exec: `( ${hungry} ); echo on`,
    phase: { memory: 128 },
    output: 'on\n',
    needsRoot: true,
  },
  {
    name: 'memory: what is allowed can be used',
    exec: 'head -c 600M /dev/zero | tail -c 500M | wc -c',
    phase: { memory: 1024 },
    output: `${500 * 1024 * 1024}\n`,
  },
  // In a subshell: the first shell, too, would be refused a fork at times.
  { name: 'a fork bomb', exec: '(:(){ :|:& }; :) 2>/dev/null; echo on', output: 'on\n', needsRoot: true },
  {
    name: 'files and processes left everywhere',
    exec: 'for d in / /tmp /var/tmp /dev/shm /root /assets /home /etc /opt/local/bin; do echo x > $d/left; done; echo evil >> /etc/passwd; echo "exit 9" > /opt/local/bin/cat; (setsid sleep 4711 &) ; (trap "" TERM HUP; setsid sleep 4712 &); echo on',
    output: 'on\n',
  },
  {
    name: 'a disk filled by a gigabyte and by many files',
    exec: 'head -c 1G /dev/zero > /var/tmp/big; mkdir /d; cd /d; seq 1 5000 | xargs touch; head -c 100M /dev/zero > /dev/shm/x || echo full',
    output: 'full\n',
  },
  { name: 'stdin and stdout closed', exec: 'exec <&- >&- 2>&-; exit 0', output: '' },
  { name: 'the lackey killed', exec: 'kill -9 $PPID; sleep 20', error: internalError },
  { name: 'everything killed', exec: 'kill -9 -1; sleep 20', error: internalError },
  { name: 'the lackey ended politely', exec: 'kill -TERM $PPID; sleep 20', error: internalError },
  {
    name: 'what only the lackey may send is not found',
    exec: `${control}/report -d '{}' | json code`,
    output: 'ResourceNotFound\n',
  },
  {
    name: 'the task committed by the user, many times',
    exec: `for i in $(seq 50); do ${control}/commit -d '{}' & done; wait; sleep 5`,
  },
  {
    name: 'the task failed by the user, with characters that a store may refuse',
    exec: `${control}/fail -H 'content-type: application/json' -d '{"error":{"code":"A\\u0000B","message":"x\\u0000y"}}'; sleep 20`,
    error: { code: 'A\ufffdB', message: 'x\ufffdy' },
  },
  {
    name: 'another object committed than its own',
    exec: `${control}/commit -H 'content-type: application/json' -d '{"key":"/poseidon/stor/x"}' | json code`,
    output: 'InvalidArgument\n',
  },
  ...[65_536, 70_000, 100 * 1024 * 1024].map((size) => ({
    name: `${size} bytes of output`,
    exec: `head -c ${size} /dev/zero | tr '\\0' a`,
    output: new RegExp(`^.{${Math.min(size, 65_535)}}`),
  })),
];

t.setTimeout(400_000);
t.test('isolated zones', { timeout: 400_000, skip: await containersWork() }, async (t) => {
  const box = await startOneBox(t, { driver: 'oci', zones: zoneCount });
  await box.put(`/${box.login}/stor/in`, 'to be\n');
  const isRoot = process.getuid?.() === 0;
  const queue = attacks.values();
  const worker = async () => {
    for (const attack of queue) {
      if (attack.needsRoot === true && !isRoot) t.pass(attack.name, { skip: 'needs root' });
      else await tryAttack(t, box, attack);
    }
  };
  await Promise.all(Array.from({ length: sideBySide }, worker));
  await everyZoneIsNew(t, box);
});

const needsRoot = process.getuid?.() === 0 ? await containersWork() : 'images need root';
t.test('an image that is not the machine', { timeout: 120_000, skip: needsRoot }, async (t) => {
  const images = t.testdir();
  await makeImage(path.join(images, 'tiny-17.2.1'));
  const box = await startOneBox(t, { driver: 'oci', zones: 1, images });
  await box.put('~~/stor/in', 'to be\n');
  const exec = 'cat /etc/of-the-image $MANTA_INPUT_FILE; ls /usr/bin/perl';
  const both = await runJob(
    box,
    [{ exec: `${exec} || true`, image: '17.x' }, { exec: 'cat; ls /usr/bin/perl' }],
    [`/${box.login}/stor/in`],
  );
  t.same(both.errors, []);
  t.same(both.contents, ['unchanged\nto be\n/usr/bin/perl\n'], 'and the same zone as the machine again');
});

async function tryAttack(t: Test, box: OneBox, attack: Attack): Promise<void> {
  try {
    const job = await runJob(
      box,
      [{ exec: fill(box, attack.exec), ...attack.phase }],
      [`/${box.login}/stor/in`],
      120_000,
    );
    const [error] = job.errors;
    assert.deepEqual(
      error && { code: error.code, message: error.message },
      attack.error,
      JSON.stringify(job.contents).slice(0, 500),
    );
    const [content] = job.contents;
    if (attack.output instanceof RegExp) assert.match(content ?? '', attack.output);
    else if (attack.error === undefined) assert.equal(content, attack.output && fill(box, attack.output));
    t.pass(attack.name);
  } catch (error) {
    t.fail(attack.name, { problem: (error as Error).message.slice(0, 2000) });
  }
}

/** More tasks than zones, each long enough that all zones take part. */
async function everyZoneIsNew(t: Test, box: OneBox): Promise<void> {
  const look =
    'sleep 1; hostname >&2; ls -A /tmp /dev/shm /root /home /assets; ls -d /left /d /var/tmp/left /var/tmp/big /etc/left 2>/dev/null; grep -c evil /etc/passwd; ls /opt/local/bin; ps -e -o args= | grep -c "[s]leep 47"; true';
  const inputs = Array.from({ length: 3 * zoneCount }, () => `/${box.login}/stor/in`);
  const job = await runJob(box, [{ exec: look }], inputs, 120_000);
  t.same(job.errors, []);
  t.same([...new Set(job.contents)], ['/assets:\n\n/dev/shm:\n\n/home:\n\n/root:\n\n/tmp:\n0\nnode\n0\n']);
  t.equal(job.contents.length, inputs.length, 'every zone serves the next job, as new');
}

function fill(box: OneBox, text: string): string {
  const { moray, manta, agent } = box.ready();
  return text
    .replaceAll('%user%', box.login)
    .replaceAll('%data%', box.data)
    .replaceAll('%moray%', String(moray.port))
    .replaceAll('%manta%', new URL(manta.url).port)
    .replaceAll('%agent%', new URL(agent.url).port);
}
