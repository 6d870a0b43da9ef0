/**
 * Attempts to get out of a zone, or to take it down with its machine, as data. Each is the command of a map task over
 * one small object. A command prints what it achieved; by default it must print nothing and end with status 0.
 *
 * Placeholders: %user% the account, %data% DATA of the deployment, %moray% %manta% %agent% ports, %addresses% all IPv4
 * addresses of the machine, %abstract% an abstract socket of the machine, %secret% a file of the machine.
 */
import type { JobPhase } from '../support/jobs.js';

export interface Attempt {
  readonly name: string;
  readonly script: string;
  readonly phase?: Partial<JobPhase>;
  /** The whole of stdout. */
  readonly output?: string | RegExp;
  readonly error?: { readonly code: string; readonly message: string | RegExp };
  /** Instead of the output: how many there must be. */
  readonly outputCount?: number;
  /** Takes long: begun first, so that the short ones run beside it. */
  readonly isLong?: boolean;
}

/** Prints each command that succeeded, and each that a signal ended. */
const refused = (...commands: readonly string[]) =>
  commands
    .map(
      (command) =>
        `( ${command} ) </dev/null >/dev/null 2>&1; s=$?; [ $s -eq 0 -o $s -gt 128 ] && echo '${command.replaceAll("'", '"')}' $s`,
    )
    .concat('true')
    .join('\n');

/**
 * The same for system calls of x64, by number and arguments; printed is what did not fail. Perl hands over the address
 * of a variable, not of a constant.
 */
const refusedCalls = (...calls: readonly (readonly [name: string, number: number, ...args: (number | string)[]])[]) =>
  `perl -e '${calls
    .map(([name, ...args]) => {
      const strings = args.filter((arg) => typeof arg === 'string');
      const values = args.map((arg) => (typeof arg === 'number' ? arg : `$s[${strings.indexOf(arg)}]`));
      const list = strings.map((text) => `"${text}"`).join(', ');
      return `@s = (${list}); syscall(${values.join(', ')}) == -1 or print "${name}\\n";`;
    })
    .join(' ')}'`;

const node = (code: string) => `node -e '${code}'`;
const control = 'curl -s -X POST http://localhost/my/jobs/task';
const internalError = { code: 'InternalError', message: 'internal error' };

export const attempts: readonly Attempt[] = [
  // --- mounts and roots
  {
    name: 'mount: new file systems',
    script: refused(
      'mount -t tmpfs x /mnt',
      'mount -t proc x /mnt',
      'mount -t sysfs x /mnt',
      'mount -t devtmpfs x /mnt',
      'mount -t cgroup -o memory x /mnt',
      'mount -t cgroup2 x /mnt',
      'mount -t debugfs x /mnt',
      'mount -t overlay -o lowerdir=/usr,upperdir=/tmp,workdir=/var/tmp x /mnt',
    ),
  },
  {
    name: 'mount: binds, moves and remounts of what is there',
    script: refused(
      'mount --bind / /mnt',
      'mount --move /manta /mnt',
      'mount -o remount,rw /manta',
      'mount -o remount,bind,rw /usr',
      'mount --make-rshared /',
      'umount /manta',
      'umount -l /opt/marlin',
      'umount -l /proc',
    ),
  },
  {
    name: 'mount: by the newer calls',
    script: refusedCalls(
      ['open_tree', 428, -100, '/', 1],
      ['move_mount', 429, 0, '', 0, '/mnt', 4],
      ['fsopen', 430, 'tmpfs', 0],
      ['fsmount', 432, 3, 0, 0],
      ['fspick', 433, -100, '/', 0],
      ['mount_setattr', 442, -100, '/usr', 0, 0, 0],
    ),
  },
  { name: 'pivot_root', script: refusedCalls(['pivot_root', 155, '/mnt', '/mnt']) },
  {
    name: 'chroot: out through a directory that stayed open',
    script: `perl -e 'mkdir "/x"; opendir(my $d, "/") or die; chroot("/x") or die "chroot: $!"; chdir($d);
      chdir("..") for 1 .. 100; chroot("."); print "out\\n" if -e "%data%" || -e "%secret%"; print "lost\\n" unless -e "/manta"'`,
  },
  {
    name: 'chroot: out through the roots and directories of other processes',
    script: `for p in /proc/[0-9]*; do for d in root cwd; do chroot $p/$d /bin/bash -c 'cd ..; cd ..; ls -d %data% %secret%' 2>/dev/null; done; done; true`,
  },
  {
    name: 'the files that process 1 and the lackey hold open',
    script: `for f in /proc/1/fd/* /proc/$PPID/fd/*; do t=$(readlink $f); case $t in *%data%*|/work*|/root/*) echo "$f $t";; esac; ls -d $f/../../%data% 2>/dev/null; done; true`,
  },
  {
    name: 'file handles of other file systems',
    script: refusedCalls(['open_by_handle_at', 304, -100, 'xxxxxxxxxxxxxxxx', 0]),
  },
  // --- namespaces
  {
    name: 'unshare: every kind of namespace',
    script: refused(
      ...['U', 'm', 'n', 'i', 'u', 'C', 'T'].map((kind) => `unshare -${kind} true`),
      'unshare -pf true',
      'unshare -Ur mount -t tmpfs x /mnt',
    ),
  },
  {
    name: 'clone with flags for namespaces, by both calls',
    script: refusedCalls(
      ['clone user', 56, 0x10000000 + 17, 0],
      ['clone mount', 56, 0x20000 + 17, 0],
      ['clone net', 56, 0x40000000 + 17, 0],
      ['clone3', 435, 'x', 88],
    ),
  },
  {
    name: 'the namespaces of other processes',
    script: refused('nsenter -t 1 -m true', 'nsenter -t 1 -a true', 'nsenter -t $PPID -n true', 'ip netns add x'),
  },
  // --- processes
  {
    name: 'ptrace, reading and killing of every process id but its own',
    script: `perl -e 'my %own = map { $_ => 1 } map { m{(\\d+)$} } glob "/proc/[0-9]* /proc/[0-9]*/task/[0-9]*"; for my $pid (2 .. 70000) { next if $own{$pid};
      print "traced $pid\\n" if syscall(101, 16, $pid, 0, 0) == 0; print "killed $pid\\n" if kill(9, $pid); }'`,
  },
  {
    name: 'descriptors and memory of process 1',
    script: refusedCalls(
      ['pidfd_getfd', 438, 3, 0, 0],
      ['kcmp', 312, 1, 1, 0, 0, 0],
      ['process_madvise', 440, 3, 0, 0, 0, 0],
    ),
  },
  { name: 'kill everything', script: 'kill -9 -1; sleep 20', error: internalError },
  { name: 'kill the lackey', script: 'kill -9 $PPID; sleep 20', error: internalError },
  {
    name: 'kill, stop and confuse process 1',
    script:
      'for s in KILL STOP TERM HUP INT QUIT ALRM CHLD USR1 USR2; do kill -$s 1; done; sleep 0.2; grep -c "^State:.[SR]" /proc/1/status',
    output: '1\n',
  },
  // In a subshell: the first shell, too, would be refused a fork at times.
  { name: 'a fork bomb', script: '(:(){ :|:& }; :) 2>/dev/null; echo on', output: 'on\n' },
  {
    name: 'threads without end',
    script: `perl -e 'my $n = 0; for (1 .. 5000) { my $p = fork; last unless defined $p; if (!$p) { sleep 100; exit } $n++ } print $n < 1100 ? "capped\\n" : "not capped\\n"'`,
    output: 'capped\n',
  },
  {
    name: 'processes that ignore signals and leave the session',
    script: `for i in $(seq 20); do (trap '' TERM HUP INT QUIT; setsid setsid sleep 4711 &) ; done; true`,
  },
  // --- privileges
  {
    name: 'set-user-id programs and file capabilities give nothing',
    script: `cp /bin/bash /tmp/sb; chmod 4755 /tmp/sb; setpriv --reuid 65534 --clear-groups /tmp/sb -p -c 'id -u';
      cp /bin/mount /tmp/mnt; setcap cap_sys_admin=ep /tmp/mnt 2>/dev/null; /tmp/mnt -t tmpfs x /mnt 2>/dev/null && echo mounted; true`,
    output: '65534\n',
  },
  {
    name: 'user ids beyond those of the zone',
    script: refused('chown 70000 /tmp', 'setpriv --reuid 70000 true', 'chown 4294967294 /tmp'),
  },
  {
    name: 'more capabilities',
    script: refused(
      'setpriv --ambient-caps +sys_admin mount -t tmpfs x /mnt',
      'setpriv --inh-caps +sys_admin mount -t tmpfs x /mnt',
      'capsh --addamb=cap_sys_admin',
    ),
  },
  {
    name: 'real time, negative niceness, other limits',
    script: refused(
      'chrt -f 99 true',
      'nice -n -20 true 2>&1 | grep -q "cannot" && false',
      'ionice -c 1 true',
      'choom -n -1000 true',
    ),
  },
  {
    name: 'no terminal to type into',
    script: refused(
      'exec 3<>/dev/tty',
      'test -c /dev/console -o -c /dev/tty0 -o -c /dev/ttyS0',
      `perl -e 'my $c = "x"; ioctl(STDIN, 0x5412, $c) or exit 1'`,
    ),
  },
  // --- the kernel's more dangerous calls
  ...(
    [
      [
        'kernel modules',
        [
          ['init_module', 175, '', 0, ''],
          ['finit_module', 313, 0, '', 0],
          ['delete_module', 176, 'x', 0],
        ],
      ],
      [
        'another kernel',
        [
          ['kexec_load', 246, 0, 0, 0, 0],
          ['kexec_file_load', 320, 0, 0, 0, '', 0],
        ],
      ],
      [
        'reboot',
        [
          ['reboot', 169, 0xfee1dead, 672274793, 0x1234567, 0],
          ['reboot off', 169, 0xfee1dead, 672274793, 0x4321fedc, 0],
        ],
      ],
      [
        'swap',
        [
          ['swapon', 167, '/tmp/x', 0],
          ['swapoff', 168, '/tmp/x'],
        ],
      ],
      [
        'keys',
        [
          ['add_key', 248, 'user', 'x', 'y', 1, -3],
          ['request_key', 249, 'user', 'x', 0, -3],
          ['keyctl', 250, 0, -3, 1],
        ],
      ],
      [
        'bpf',
        [
          ['bpf', 321, 0, '', 0],
          ['bpf load', 321, 5, 'xxxxxxxx', 72],
        ],
      ],
      ['userfaultfd', [['userfaultfd', 323, 0]]],
      ['perf_event_open', [['perf_event_open', 298, '', 0, -1, -1, 0]]],
      ['io_uring', [['io_uring_setup', 425, 8, '']]],
      [
        'clocks',
        [
          ['settimeofday', 164, 'xxxxxxxxxxxxxxxx', 0],
          ['clock_settime', 227, 0, 'xxxxxxxxxxxxxxxx'],
          ['adjtimex', 159, ''],
        ],
      ],
      [
        'ports of the hardware',
        [
          ['iopl', 172, 3],
          ['ioperm', 173, 0, 100, 1],
        ],
      ],
      [
        'quotas, accounting, the log of the kernel',
        [
          ['quotactl', 179, 0, '/', 0, 0],
          ['acct', 163, 0],
          ['syslog', 103, 3, '', 0],
        ],
      ],
      [
        'watching other file systems',
        [
          ['fanotify_init', 300, 0, 0],
          ['lookup_dcookie', 212, 0, '', 0],
        ],
      ],
      [
        'memory of other nodes',
        [
          ['move_pages', 279, 1, 0, 0, 0, 0, 0],
          ['migrate_pages', 256, 1, 0, 0, 0],
          ['mbind', 237, 0, 0, 0, 0, 0, 0],
        ],
      ],
    ] as const
  ).map(([name, calls]) => ({ name, script: refusedCalls(...calls) })),
  {
    name: 'names of the machine',
    script: refused('hostname evil', 'domainname evil', 'echo evil > /proc/sys/kernel/hostname'),
  },
  // --- devices, /proc, /sys
  {
    name: 'device nodes made',
    script: refused('mknod /tmp/b b 254 0', 'mknod /dev/b b 8 0', 'mknod /tmp/c c 1 1', 'mknod /tmp/k c 10 232'),
  },
  {
    name: 'device nodes there',
    script:
      'ls /dev | grep -vxE "console|core|fd|full|mqueue|null|ptmx|pts|random|shm|std(in|out|err)|tty|urandom|zero"; true',
  },
  {
    name: 'settings of the kernel',
    script: refused(
      ...[
        'sys/kernel/core_pattern',
        'sys/kernel/modprobe',
        'sys/kernel/panic',
        'sys/vm/drop_caches',
        'sys/fs/file-max',
        'sys/fs/binfmt_misc/register',
        'sys/kernel/sysrq',
        'sysrq-trigger',
        'sys/net/ipv4/ip_forward',
        'irq/default_smp_affinity',
        'sys/user/max_user_namespaces',
        'sys/kernel/ns_last_pid',
        'acpi/wakeup',
        'bus/pci/00/00.0',
      ].map((file) => `echo 1 > /proc/${file}`),
    ),
  },
  {
    name: 'secrets of the kernel',
    script: refused(
      'head -c 1 /proc/kcore | grep -q .',
      'grep -q . /proc/keys',
      'head -c 1 /proc/kmsg',
      'dmesg',
      'grep -q "^[0-9a-f]*[1-9a-f][0-9a-f]* " /proc/kallsyms',
      'test -d /sys/kernel',
    ),
  },
  {
    name: 'release agents of control groups',
    script:
      'find / -xdev \\( -name release_agent -o -name notify_on_release -o -name cgroup.procs \\) 2>/dev/null; ls /sys/fs 2>/dev/null; true',
  },
  // --- its objects
  {
    name: 'writing through /manta',
    script: refused(
      ...[
        'echo x > %',
        'echo x >> %',
        'echo x 1<>%',
        'rm -f %',
        'mv % /tmp/x && ! test -e %',
        'chmod 777 %',
        'chown 1 %',
        'truncate -s 0 %',
        'touch -d yesterday %',
        'setfattr -n user.x -v y %',
        'chattr +i %',
        'fallocate -l 1M %',
      ].map((command) => command.replaceAll('%', '$MANTA_INPUT_FILE')),
      'touch /manta/new',
      'mkdir /manta/%user%/new',
      'rmdir /manta/%user%/stor',
      'ln -s /etc /manta/link',
    ),
  },
  {
    name: 'links and renames in the link farm',
    script: refused(
      'ln $MANTA_INPUT_FILE /tmp/y',
      'ln $MANTA_INPUT_FILE /manta/y',
      'ln -s / /manta/%user%/stor/y',
      'mv /manta/%user% /manta/x',
      `perl -e '@p = ("/manta/%user%", "/tmp"); exit(syscall(316, -100, $p[0], -100, $p[1], 2) == 0 ? 0 : 1)'`,
      'ls -d /manta/../farm',
      'test -e /manta/%user%/../../../storage',
    ),
  },
  {
    name: 'writing through stdin, which is the object',
    script: `{ echo x > /proc/self/fd/0; } 2>/dev/null && echo written; { echo x 1<>/dev/stdin; } 2>/dev/null && echo written
      perl -e 'chmod(0777, \\*STDIN) and print "mode\\n"; truncate(STDIN, 0) and print "cut\\n"; my $f = pack("Q", 16); syscall(16, 0, 0x40086602, $f) == 0 and print "flags\\n"; open(my $h, "+<&=", 0) and syswrite($h, "x") and print "written\\n"'`,
  },
  {
    name: 'programs of the system and of the lackey',
    script: refused(
      'echo x >> /usr/bin/true',
      'echo x > /opt/marlin/lib/lackey/main.js',
      'cp /bin/true /opt/marlin/build/node/bin/node',
      'ln /usr/bin/passwd /tmp/p',
      'echo x > /proc/$PPID/exe',
      'echo x > /etc/alternatives/awk',
    ),
  },
  {
    name: 'programs and libraries planted for whoever comes next',
    script:
      'echo /tmp/evil.so > /etc/ld.so.preload; for f in cat bash node; do printf "#!/bin/sh\\nexit 9\\n" > /opt/local/bin/$f; chmod +x /opt/local/bin/$f 2>/dev/null; done; echo "exit 9" >> /root/.bashrc; true',
  },
  // --- files planted for the agent
  {
    name: 'a link in place of the log that the agent saves',
    script: 'cd /var/svc/log; for f in *; do ln -sf %secret% "$f"; done; ls -l | grep -c secret',
    output: '1\n',
  },
  {
    name: 'a link in place of the directory of that log',
    script: 'mv /var/svc/log /var/svc/old; ln -s / /var/svc/log; true',
  },
  {
    name: 'a FIFO in place of that log',
    script: 'cd /var/svc/log; for f in *; do rm -f "$f"; mkfifo "$f"; done; true',
  },
  { name: 'a log without end', script: 'cd /var/svc/log; for f in *; do truncate -s 1T "$f"; done; true' },
  {
    name: 'links in place of captured output',
    script: 'echo real; ln -sf %secret% /var/tmp/marlin_task/stdout; ln -sf %secret% /var/tmp/marlin_task/stderr',
    output: 'real\n',
  },
  {
    name: 'links in place of cores',
    script:
      'for n in core core.1; do ln -sf %secret% /$n; ln -sf %secret% /var/tmp/core/$n; done; ulimit -c 0; kill -SEGV $$',
    error: { code: 'UserTaskError', message: 'user command or child process dumped core' },
  },
  {
    name: 'a tree deeper than any path, locked',
    script: `perl -e 'my $n = "d" x 200; for (1 .. 2000) { mkdir $n; chdir $n or die } open(my $f, ">", "x")'; chmod 0 /${'d'.repeat(200)}; mkdir -m 0 /locked`,
  },
  {
    name: 'files that cannot be removed',
    script: refused(
      'touch /tmp/i; chattr +i /tmp/i',
      'touch /tmp/a; chattr +a /tmp/a',
      'setfattr -n trusted.overlay.opaque -v y /tmp',
    ),
  },
  {
    name: 'names of every byte',
    script: `perl -e 'for my $i (1 .. 255) { next if $i == 47; open(my $f, ">", "/tmp/" . chr($i)); } symlink("/", "/tmp/root"); symlink("x", "/tmp/x"); mkdir "/tmp/-rf"; mkdir "/tmp/\\n..";'`,
  },
  // --- more than its share
  {
    name: '10,000 outputs',
    script: node(`
      const http = require("node:http"); const agent = new http.Agent({ keepAlive: true, maxSockets: 16 }); let next = 0;
      const put = () => { if (next >= 10000) return; const path = process.env.MANTA_OUTPUT_BASE + next++;
        const r = http.request({ port: 80, agent, method: "PUT", path, headers: { "x-manta-reference": "true", "content-length": 0 } }, (a) => { a.resume().on("end", () => { if (a.statusCode >= 300) process.exit(9); put(); }); });
        r.on("error", () => process.exit(8)).end(); };
      for (let i = 0; i < 16; i++) put();`),
    outputCount: 10_001, // with its stdout
    isLong: true,
  },
  {
    name: 'a memory bomb',
    script: `perl -e '$x = "a" x (600 * 1024 * 1024); print length $x'`,
    phase: { memory: 128 },
    error: { code: 'UserTaskError', message: /SIGKILL \(WARNING: ran out of memory during execution\)$/ },
  },
  {
    name: 'memory that belongs to no process',
    script: 'head -c 1G /dev/zero > /dev/shm/x || echo full; head -c 1G /dev/zero > /dev/x || echo full',
    output: 'full\nfull\n',
  },
  {
    name: 'a disk bomb',
    // Most of it is taken without being written: gigabytes of zeros would keep the machine's disk busy for long.
    script: `fallocate -l 3G /var/tmp/big && exit 9; rm -f /var/tmp/big; fallocate -l 1800M /var/tmp/most || exit 8
      head -c 1G /dev/zero > /var/tmp/big; s=$?; rm /var/tmp/big /var/tmp/most; exit $s`,
    phase: { disk: 2 },
    error: { code: 'UserTaskError', message: 'user command exited with code 1' },
    isLong: true,
  },
  {
    name: 'an inode bomb',
    script: `mkdir /d; cd /d; perl -e 'my $n = 0; while ($n < 60000) { open(my $f, ">", $n) or last; $n++ } print $n < 40000 ? "capped\n" : "$n\n"'; cd /; rm -rf /d`,
    phase: { disk: 2 },
    output: 'capped\n',
    isLong: true,
  },
  { name: 'a file of sixteen terabytes less one block', script: 'truncate -s 17592186040320 /tmp/sparse; true' },
  {
    name: 'arguments without end',
    script: `perl -e 'exec("true", ("x" x 100000) x 1000) or print "refused\\n"'`,
    output: 'refused\n',
  },
  {
    name: 'an environment without end',
    script: `perl -e '$ENV{"v$_"} = "x" x 100000 for 1 .. 1000; exec("true") or print "refused\\n"'`,
    output: 'refused\n',
  },
  { name: 'a long stdout', script: 'head -c 100M /dev/zero | tr "\\0" a', output: /^a{1000}/, isLong: true },
  {
    name: 'a long stderr',
    script: 'head -c 50M /dev/zero >&2; exit 3',
    error: { code: 'UserTaskError', message: 'user command exited with code 3' },
    isLong: true,
  },
  {
    name: 'all inotify instances',
    script: `perl -e 'my $n = 0; $n++ while $n < 1000 && syscall(294, 0) >= 0; print $n <= 8 ? "capped\\n" : "$n\\n"'`,
    output: 'capped\n',
  },
  {
    name: 'all inotify watches',
    script: `perl -e 'my $i = syscall(294, 0); my $n = 0; for (1 .. 20000) { my $f = "/tmp/w$_"; mkdir $f; last if syscall(254, $i, $f, 2) < 0; $n++ } print $n <= 8192 ? "capped\\n" : "$n\\n"'`,
    output: 'capped\n',
  },
  {
    name: 'the largest pipes, many',
    script: `perl -e 'my @p; for (1 .. 400) { pipe(my $r, my $w) or last; fcntl($w, 1031, 1048576); push @p, $r, $w } print scalar(@p) > 10 ? "on\\n" : "none\\n"'`,
    output: 'on\n',
  },
  {
    name: 'descriptors, each a file in memory',
    script: `perl -e 'my $n = 0; my $name = "x"; for (1 .. 100000) { last if syscall(319, $name, 0) < 0; $n++ } print $n > 0 ? "on\\n" : "none\\n"'`,
    output: 'on\n',
  },
  {
    name: 'timers and pending signals',
    script: `perl -e 'for (1 .. 100000) { my $id = pack("L", 0); last if syscall(222, 1, 0, $id) < 0 } print "on\\n"'`,
    output: 'on\n',
  },
  {
    name: 'shared memory and queues of System V',
    script: 'ipcmk -M 1048576 > /dev/null; ipcmk -Q > /dev/null; ipcmk -S 4 > /dev/null; ipcs -m | grep -c "^0x"',
    output: '1\n',
  },
  // --- the network
  {
    name: 'the machine: its services on each of its addresses',
    script: refused(
      `for a in 127.0.0.1 %addresses%; do for p in %moray% %manta% %agent% 22; do timeout 5 bash -c "exec 3<>/dev/tcp/$a/$p" && exit 0; done; done; exit 1`,
    ),
  },
  {
    name: 'the world, by both protocols',
    script: refused(
      ...['tcp/192.0.2.1/80', 'udp/192.0.2.1/53', 'tcp/2001:db8::1/80', 'tcp/169.254.169.254/80'].map(
        (to) => `timeout 5 bash -c "exec 3<>/dev/${to}; echo x >&3"`,
      ),
    ),
  },
  {
    name: 'raw, packet and rare sockets',
    script: refusedCalls(
      ['raw', 41, 2, 3, 1],
      ['raw 6', 41, 10, 3, 58],
      ['packet', 41, 17, 3, 768],
      ['vsock', 41, 40, 1, 0],
      ['alg', 41, 38, 5, 0],
      ['bluetooth', 41, 31, 3, 1],
      ['tipc', 41, 30, 1, 0],
      ['xdp', 41, 44, 3, 0],
      ['kcm', 41, 41, 2, 0],
      ['netrom', 41, 6, 5, 0],
    ),
  },
  {
    name: 'interfaces, routes and rules',
    script: refused(
      'ip link add d0 type dummy',
      'ip link set lo down',
      'ip route add default dev lo',
      'ip addr add 192.0.2.2/24 dev lo',
      'ip tuntap add t0 mode tun',
      'nft add table x',
      'iptables -A INPUT -j DROP',
    ),
  },
  {
    name: 'abstract sockets of the machine',
    script: node(
      'require("node:net").connect("\\0%abstract%").on("connect", () => { console.log("connected"); process.exit(); }).on("error", () => process.exit(0))',
    ),
  },
  // --- the agent
  {
    name: 'sockets of other zones',
    script:
      'ls /run/.marlin | grep -vxE "sock|acct|life"; ls -d /run/.marlin/../z* /run/marlin/*/* 2>/dev/null | grep -v memory_mb; true',
  },
  {
    name: 'another task reported through the socket of the agent',
    script: `s=$(echo /var/run/.marlin.*.sock); for t in $(seq 3) ../x 00000000-0000-0000-0000-000000000000; do curl -s -o /dev/null -w '%{http_code}\\n' --unix-socket $s -H 'content-type: application/json' -d "{\\"taskId\\":\\"$t\\",\\"commit\\":true}" http://x/my/jobs/task/report; done | sort -u`,
    output: '409\n',
  },
  {
    name: 'what only the lackey may send',
    script: `${control}/report -d '{}' | json code`,
    output: 'ResourceNotFound\n',
  },
  {
    name: 'nonsense to the agent',
    script: `s=$(echo /var/run/.marlin.*.sock); for r in 'GET / HTTP/9.9' 'POST /my/jobs/task/commit HTTP/1.1\\r\\ncontent-length: -1' "$(head -c 100000 /dev/zero | tr '\\0' a)" '\\x16\\x03\\x01'; do printf "$r\\r\\n\\r\\n" | timeout 5 curl -s --unix-socket $s telnet://x >/dev/null; curl -s -o /dev/null --unix-socket $s -X "$(printf 'A%.0s' $(seq 50))" http://x/; done; true`,
  },
  {
    name: 'a thousand requests left open',
    script: node(
      'const net = require("node:net"); let n = 0; for (let i = 0; i < 1000; i++) net.connect(80, () => {}).on("error", () => {}).write("PUT /%user%/stor/x HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: 1000000\\r\\n\\r\\nx"); setTimeout(() => process.exit(0), 1500)',
    ),
  },
  {
    name: 'another object committed than its own',
    script: `${control}/commit -H 'content-type: application/json' -d '{"key":"/poseidon/stor/x"}' | json code`,
    output: 'InvalidArgument\n',
  },
];
