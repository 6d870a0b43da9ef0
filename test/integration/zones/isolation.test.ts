/** What only containers promise. */
import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { containersWork, makeTestPlace, object, startTestZones, store } from '../../support/zones.js';

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

  await t.test(
    'the kernel notes how processes end, where only it can write',
    { skip: isRoot ? false : 'needs root' },
    async (t) => {
      const shell = await zones.boot();
      const acct = '/run/.marlin/acct';
      t.match(await shell.run('setsid bash -c "ulimit -c 0; kill -SEGV \\$\\$"; true'), { signal: null });
      const flags = `od -An -v -tu1 -w64 ${acct} | awk '{ if (int($1 / 8) % 2) print "core" }'`;
      t.match(await shell.run(flags), { stdout: 'core\n' });
      for (const command of [`: >> ${acct}`, `rm -f ${acct}`])
        t.match(await shell.run(command), { status: 1, stderr: /Read-only file system|Permission denied/ });
      const again = await zones.boot();
      t.match(await again.run(flags), { stdout: '' }, 'each life has its own file');
      t.match(await again.run('true'), { status: 0 });
      t.match(await again.run(`stat -c %s ${acct}`), { stdout: /^[1-9]\d*\n$/ }, 'which is in use');
    },
  );

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

/** A setting of the whole machine, of which this test changes no more than the name of core files. */
async function setsCorePattern(t: Test): Promise<void> {
  const file = '/proc/sys/kernel/core_pattern';
  const read = async () => (await fs.readFile(file, 'utf8')).trimEnd();
  const before = await read();
  t.teardown(() => fs.writeFile(file, before));
  await fs.writeFile(file, 'core.%p');
  const place = await makeTestPlace(t, 'oci');
  const zones = await startTestZones(t, 'oci', { ...place, config: { ...place.config, manageCorePattern: true } });
  t.equal(await read(), 'core');
  await zones.driver.stop();
  t.equal(await read(), 'core.%p', 'what was there is put back');
}

async function leavesNothing(t: Test): Promise<void> {
  const place = await makeTestPlace(t, 'oci');
  const zones = await startTestZones(t, 'oci', place);
  await zones.boot();
  await zones.driver.stop();
  t.notOk((await fs.readdir(path.join(place.config.dataDir, 'run'))).includes('runc'));
}

t.setTimeout(120_000);
const needsRoot = process.getuid?.() === 0 ? false : 'needs root';
t.test('the core pattern, if asked', { skip: needsRoot || (await containersWork()) }, setsCorePattern);
t.test('oci', { skip: await containersWork() }, isolates);
t.test('a stop leaves nothing of the runtime', { skip: await containersWork() }, leavesNothing);
