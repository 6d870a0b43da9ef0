/** The conformance suite: what `ZoneDriver` promises, for each driver that can work on this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { containersWork, makeTestPlace, startTestZones, type TestZones } from '../../support/zones.js';

const findStragglers = 'grep -lsa "^straggler-$MARLIN_ZONE" /proc/[0-9]*/cmdline';
const object = '/login/stor/poem';

async function store(zones: TestZones, text: string): Promise<string> {
  const file = path.join(zones.storage, 'object');
  await fs.rm(file, { force: true });
  await fs.writeFile(file, text, { mode: 0o444 });
  return file;
}

async function* bytes(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}

/** What every driver promises. */
async function keepsPromises(t: Test, kind: 'oci' | 'process'): Promise<void> {
  const zones = await startTestZones(t, kind);
  const { driver, zone } = zones;
  t.equal(driver.name, kind);
  t.match(driver.images[0], { name: 'host', version: '16.1.0' });

  await t.test('a mapped object is there at once, and gone when unmapped, also while open', async (t) => {
    const shell = await zones.boot();
    const file = await driver.mapObject(zone, await store(zones, 'to be\n'), object);
    t.match(await shell.run(`cat ${file}`), { status: 0, stdout: 'to be\n' });
    t.equal((await fs.stat(path.join(zones.storage, 'object'))).nlink, 2, 'not copied');
    await shell.start(
      `exec 5< ${file}; touch $ROOT/var/tmp/open; while [ ! -e $ROOT/var/tmp/go ]; do sleep 0.01; done; cat <&5 > $ROOT/var/tmp/read; mv $ROOT/var/tmp/read $ROOT/var/tmp/done`,
    );
    await shell.run('while [ ! -e $ROOT/var/tmp/open ]; do sleep 0.01; done');
    await driver.unmapObjects(zone);
    t.match(await shell.run(`cat ${file}`), { status: 1 });
    const late = await shell.run(
      'touch $ROOT/var/tmp/go; while [ ! -e $ROOT/var/tmp/done ]; do sleep 0.01; done; cat $ROOT/var/tmp/done',
    );
    t.equal(late.stdout, 'to be\n', 'who holds it open keeps it');
    const empty = await driver.mapObject(zone, null, '/login/stor/empty');
    t.match(await shell.run(`wc -c < ${empty}`), { stdout: '0\n' });
    await driver.unmapObjects(zone);
  });

  await t.test('a missing object is an error that says so', async (t) => {
    await t.rejects(driver.mapObject(zone, path.join(zones.storage, 'none'), object), { name: 'ObjectMissingError' });
    await t.rejects(driver.mapObject(zone, null, '/../../x'), { name: 'InvalidNameError' });
  });

  await t.test('nothing of a job is left after a reset', async (t) => {
    const before = await zones.boot();
    await driver.mapObject(zone, await store(zones, 'x'), object);
    await before.run('touch $ROOT/var/tmp/left $ROOT/tmp/left $ROOT/assets/left; setsid sleep 1000 &> /dev/null &');
    await before.start('exec -a "straggler-$MARLIN_ZONE" sleep 1000');
    const after = await zones.boot();
    await before.closed;
    const found = await after.run('find $ROOT/var/tmp $ROOT/tmp $ROOT/assets $ROOT/manta ! -type d');
    t.match(found, { status: 0, stdout: '' });
    t.equal((await after.run(findStragglers)).stdout, '');
  });

  await t.test('an asset is executable, below /assets, and never elsewhere', async (t) => {
    const shell = await zones.boot();
    await driver.writeAsset(zone, '/login/stor/my tool', bytes('#!/bin/bash\necho "sarabi $1"\n'));
    t.match(await shell.run('"$ROOT/assets/login/stor/my tool" 17'), { status: 0, stdout: 'sarabi 17\n' });
    await t.rejects(driver.writeAsset(zone, '/../x', bytes('')), { name: 'InvalidNameError' });
    await shell.run('ln -s /tmp $ROOT/assets/trap');
    await t.rejects(driver.writeAsset(zone, '/trap/x', bytes('')), 'a link set by the user is not followed');
  });

  await t.test('the memory that a zone may use is written where its tools look', async (t) => {
    const shell = await zones.boot();
    t.match(await shell.run('cat $ROOT/var/run/marlin/memory_mb'), { stdout: '128\n' });
    await driver.setLimits(zone, { memoryMb: 256, diskGb: 8 });
    t.match(await shell.run('cat $ROOT/var/run/marlin/memory_mb'), { stdout: '256\n' });
    const usage = await driver.usage(zone);
    t.equal(usage.memoryFailures, 0);
    t.ok((usage.freeDiskBytes ?? 0) > 0);
  });

  await t.test('a lackey that dies is started again, without what it left running', async (t) => {
    const first = await zones.boot();
    await first.start('exec -a "straggler-$MARLIN_ZONE" sleep 1000');
    const next = zones.nextShell();
    await first.run('kill -9 $PPID').catch(() => {});
    const second = await next;
    t.not(second.lackeyPid, first.lackeyPid);
    t.equal((await second.run(findStragglers)).stdout, '');
    const log = path.join(zones.storage, 'log');
    await driver.saveLog(zone, log);
    t.match(await fs.readFile(log, 'utf8'), /lackey stand-in \d+\nlackey stand-in \d+\n/);
    await second.run('rm -rf $ROOT/var/svc/log; ln -s /etc $ROOT/var/svc/log');
    await t.rejects(driver.saveLog(zone, log), 'the log is not read through a link set by the user');
  });

  await t.test('an aborted reset leaves nothing that the next one minds', async (t) => {
    const abort = new AbortController();
    const reset = driver.reset(zone, { name: 'host', version: '16.1.0' }, { memoryMb: 128, diskGb: 8 }, abort.signal);
    abort.abort();
    await t.rejects(reset);
    t.match(await (await zones.boot()).run('echo alive'), { stdout: 'alive\n' });
  });

  await t.test('a zone that ends unasked is reported, one that is reset is not', async (t) => {
    await zones.boot();
    let reported = false;
    void driver.ended(zone).then(() => {
      reported = true;
    });
    await zones.boot();
    const [keeper = 0] = await pidsWith('keeper', zone);
    const ended = driver.ended(zone);
    process.kill(keeper, 'SIGKILL');
    await ended;
    t.notOk(reported);
    t.match(await (await zones.boot()).run('echo alive'), { stdout: 'alive\n' });
  });

  await t.test('destroy ends the zone and may be repeated', async (t) => {
    const shell = await zones.boot();
    await driver.destroy(zone);
    await shell.closed;
    await driver.destroy(zone);
    t.match(await (await zones.boot()).run('echo alive'), { stdout: 'alive\n' });
  });
}

/** What only containers promise. */
async function isolates(t: Test): Promise<void> {
  const zones = await startTestZones(t, 'oci');
  const { driver, zone } = zones;
  const isRoot = process.getuid?.() === 0;

  await t.test('/manta, the tools and the system are read-only; the rest of the root is not', async (t) => {
    const shell = await zones.boot();
    const file = await driver.mapObject(zone, await store(zones, 'to be\n'), object);
    t.equal(file, `/manta${object}`);
    for (const target of [
      file,
      '/manta/new',
      '/manta/login/new',
      '/opt/marlin/new',
      '/usr/new',
      '/etc/alternatives/new',
    ])
      t.match(await shell.run(`echo x > ${target}`), { status: 1, stderr: /Read-only file system/ }, target);
    for (const command of [`rm -f ${file}`, `mv ${file} ${file}2`, `chmod 777 ${file}`])
      t.match(await shell.run(command), { status: 1, stderr: /Read-only file system/ }, command);
    t.equal(await fs.readFile(path.join(zones.storage, 'object'), 'utf8'), 'to be\n');
    t.match(await shell.run('cd / && touch /new /root/new /opt/local/bin/new /var/tmp/new && mkdir /dir'), {
      status: 0,
    });
    t.match(await shell.run('cat /etc/motd'), { stdout: /16\.1\.0/ });
    t.match(await shell.run("id -u; pwd; umask; df / | awk 'NR == 2 { print $NF }'"), { stdout: '0\n/\n0022\n/\n' });
  });

  await t.test('there is no network but loopback, where port 80 is free', async (t) => {
    const server = net.createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    const shell = await zones.boot();
    t.match(await shell.run('tail -n +3 /proc/net/dev | cut -d: -f1'), { stdout: /^ *lo\n$/ });
    t.match(await shell.run(`exec 3<>/dev/tcp/127.0.0.1/${port}`), { status: 1, stderr: /refused/ });
    t.match(await shell.run('exec 3<>/dev/tcp/192.0.2.1/80'), { status: 1, stderr: /unreachable/ });
    const listen = 'require("net").createServer().listen(80, () => process.exit(0))';
    t.match(await shell.run(`/opt/marlin/build/node/bin/node -e '${listen}'`), { status: 0, stderr: '' });
  });

  await t.test('neither processes nor files of the host are seen', async (t) => {
    const shell = await zones.boot();
    t.equal((await shell.run('cat /proc/1/comm')).stdout, 'bash\n');
    const seen = (await shell.run('echo /proc/[0-9]*')).stdout.trim().split(' ');
    t.ok(seen.length < 8, seen.join(' '));
    for (const file of [zones.dataDir, import.meta.filename, process.cwd(), '/etc/shadow', '/boot', '/sys/kernel'])
      t.match(await shell.run(`ls ${file}`), { status: 2 }, file);
    t.equal((await shell.run('ls /home /tmp /srv /mnt')).stdout, '/home:\n\n/mnt:\n\n/srv:\n\n/tmp:\n');
  });

  await t.test(
    'what is refused is an error and no signal; what archives and services need is not refused',
    async (t) => {
      const shell = await zones.boot();
      for (const command of [
        'mount -t tmpfs x /mnt',
        'umount /manta',
        'unshare -U true',
        'unshare -n true',
        'mknod /x b 8 0',
      ])
        t.match(await shell.run(command), { status: /^[1-9]\d*$/, signal: null }, command);
      t.match(await shell.run('kill -9 1; kill -STOP 1; echo alive'), { stdout: 'alive\n' });
      if (isRoot)
        t.match(await shell.run('touch /var/tmp/f && chown 5:50 /var/tmp/f && stat -c %u:%g /var/tmp/f'), {
          stdout: '5:50\n',
        });
      t.match(await shell.run('cat /proc/sys/user/max_user_namespaces'), { stdout: '0\n' });
    },
  );

  await t.test(
    'who uses more memory than allowed is killed, and counted',
    { skip: isRoot ? false : 'needs root' },
    async (t) => {
      const shell = await zones.boot();
      const hungry = 'head -c 400M /dev/zero | tail -n 1 > /dev/null; echo ${PIPESTATUS[1]}';
      t.match(await shell.run(hungry), { stdout: '137\n' });
      const usage = await driver.usage(zone);
      t.ok(usage.memoryFailures >= 1);
      t.ok((usage.memoryBytes ?? 0) > 0 && (usage.cpuUserNs ?? 0) > 0 && (usage.cpuSystemNs ?? 0) > 0);
      await driver.setLimits(zone, { memoryMb: 600, diskGb: 8 });
      t.match(await shell.run(hungry), { stdout: '0\n' }, 'a higher limit holds at once');
      await driver.setLimits(zone, { memoryMb: 128, diskGb: 8 });
      t.match(await shell.run(hungry), { stdout: '137\n' }, 'and so does a lower one');
    },
  );
}

/** Processes of the host whose arguments include all of these. */
async function pidsWith(...wanted: string[]): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await fs.readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const argv = (await fs.readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')).split('\0');
    if (wanted.every((argument) => argv.includes(argument))) found.push(Number(entry));
  }
  return found;
}

async function survivesAgentDeath(t: Test, kind: 'oci' | 'process'): Promise<void> {
  const place = await makeTestPlace(t, kind);
  const agent = spawn(
    process.execPath,
    [path.join(import.meta.dirname, '../../support/zone-agent.js'), JSON.stringify(place.config)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await once(agent.stdout, 'data'); // its zone runs a straggler
  const straggler = `straggler-${place.zone}`;
  t.ok((await pidsWith(straggler)).length > 0);
  agent.kill('SIGKILL');
  await once(agent, 'close');
  while ((await pidsWith(straggler)).length > 0) await delay(5); // the test's own time limit ends this
  t.pass('the zone ended with its agent');
  const zones = await startTestZones(t, kind, place);
  t.match(
    await (await zones.boot()).run('find $ROOT/var/tmp -type f'),
    { stdout: '' },
    'the next agent finds nothing of it',
  );
}

const whyNoContainers = await containersWork();
for (const kind of ['process', 'oci'] as const) {
  const options = { skip: kind === 'oci' ? whyNoContainers : false } as const;
  t.test(kind, options, (t) => keepsPromises(t, kind));
  t.test(`${kind}: zones end with their agent`, options, (t) => survivesAgentDeath(t, kind));
}
t.test('oci: isolation', { skip: whyNoContainers }, isolates);
