/** The conformance suite: what `ZoneDriver` promises, for each driver that can work on this machine. */
import fs from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { containersWork, object, pidsWith, startPlayedZones, startTestZones, store } from '../../support/zones.js';

const findStragglers = 'grep -lsa "^straggler-$MARLIN_ZONE" /proc/[0-9]*/cmdline';

async function* bytes(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}

/** What every driver promises. */
async function keepsPromises(t: Test, kind: 'oci' | 'process' | 'smartos'): Promise<void> {
  const zones = kind === 'smartos' ? await startPlayedZones(t) : await startTestZones(t, kind);
  const { driver, zone } = zones;
  t.equal(driver.name, kind);
  t.match(driver.images[0], { name: 'host', version: '16.1.0' });

  await t.test('a mapped object is there at once, and gone when unmapped, also while open', async (t) => {
    const shell = await zones.boot();
    const file = await driver.mapObject(zone, await store(zones, 'to be\n'), object);
    t.match(await shell.run(`cat ${zones.seen(file)}`), { status: 0, stdout: 'to be\n' });
    t.equal((await fs.stat(path.join(zones.storage, 'object'))).nlink, 2, 'not copied');
    await shell.start(
      `exec 5< ${zones.seen(file)}; touch $ROOT/var/tmp/open; while [ ! -e $ROOT/var/tmp/go ]; do sleep 0.01; done; cat <&5 > $ROOT/var/tmp/read; mv $ROOT/var/tmp/read $ROOT/var/tmp/done`,
    );
    await shell.run('while [ ! -e $ROOT/var/tmp/open ]; do sleep 0.01; done');
    await driver.unmapObjects(zone);
    t.match(await shell.run(`cat ${zones.seen(file)}`), { status: 1 });
    const late = await shell.run(
      'touch $ROOT/var/tmp/go; while [ ! -e $ROOT/var/tmp/done ]; do sleep 0.01; done; cat $ROOT/var/tmp/done',
    );
    t.equal(late.stdout, 'to be\n', 'who holds it open keeps it');
    const empty = await driver.mapObject(zone, null, '/login/stor/empty');
    t.match(await shell.run(`wc -c < ${zones.seen(empty)}`), { stdout: '0\n' });
    await driver.unmapObjects(zone);
  });

  await t.test('a missing object is an error that says so', async (t) => {
    await t.rejects(driver.mapObject(zone, path.join(zones.storage, 'none'), object), { name: 'ObjectMissingError' });
    await t.rejects(driver.mapObject(zone, null, '/../../x'), { name: 'InvalidNameError' });
  });

  await t.test('nothing of a job is left after a reset', async (t) => {
    const before = await zones.boot();
    await driver.mapObject(zone, await store(zones, 'x'), object);
    await before.run('mkdir -p $ROOT/var/tmp/locked/in && chmod 0 $ROOT/var/tmp/locked/in $ROOT/var/tmp/locked');
    await before.run('touch $ROOT/var/tmp/left $ROOT/tmp/left $ROOT/assets/left; setsid sleep 1000 &> /dev/null &');
    await before.start('exec -a "straggler-$MARLIN_ZONE" sleep 1000');
    const after = await zones.boot();
    await before.closed;
    const found = await after.run('find $ROOT/var/tmp/* $ROOT/tmp/* $ROOT/assets/* $ROOT/manta/* 2> /dev/null; true');
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
    const platformTells = kind === 'smartos'; // through prtconf, which nobody plays here
    if (!platformTells) t.match(await shell.run('cat $ROOT/var/run/marlin/memory_mb'), { stdout: '128\n' });
    await driver.setLimits(zone, { memoryMb: 256, diskGb: 8 });
    if (!platformTells) t.match(await shell.run('cat $ROOT/var/run/marlin/memory_mb'), { stdout: '256\n' });
    const usage = await driver.usage(zone);
    t.equal(usage.memoryFailures, 0);
    t.ok((usage.freeDiskBytes ?? 0) > 0);
  });

  const unlimited = kind === 'oci' && process.getuid?.() === 0 ? false : 'no disk cap without containers and root';
  await t.test(
    'the disk is as large as the phase asks for, and another one for each',
    { skip: unlimited },
    async (t) => {
      const shell = await zones.boot({ memoryMb: 128, diskGb: 1 });
      t.match(await shell.run('df -BM --output=size,avail / | tail -1'), { stdout: /^ *10\d\dM +\d{3,4}M\n$/ });
      const fill = 'head -c 2G /dev/zero > $ROOT/var/tmp/big || stat -c %s $ROOT/var/tmp/big';
      const filled = await shell.run(fill);
      t.match(filled, { stderr: /No space left on device/ });
      t.ok(Number(filled.stdout) > 0.9 * 2 ** 30, 'nearly all of it can be used');
      t.ok(((await driver.usage(zone)).freeDiskBytes ?? 0) < 10 * 2 ** 20, 'and the agent sees that it is full');
      t.match(await shell.run('rm $ROOT/var/tmp/big; echo x > $ROOT/var/tmp/small'), { status: 0 });
      const files = 'cd $ROOT/var/tmp && seq 20000 | xargs touch 2> errors; tail -1 errors >&2; ls | wc -l';
      const many = await shell.run(files);
      t.match(many, { stderr: /No space left on device/ });
      t.ok(Number(many.stdout) > 16_000, 'files are limited in number');
      t.equal(await driver.setLimits(zone, { memoryMb: 128, diskGb: 2 }), 'needs reset');
      const larger = await zones.boot({ memoryMb: 128, diskGb: 2 });
      t.match(await larger.run('df -BM --output=size,avail / | tail -1'), { stdout: /^ *20\d\dM +20\d\dM\n$/ });
      t.equal(await driver.setLimits(zone, { memoryMb: 256, diskGb: 2 }), 'done');
    },
  );

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

t.setTimeout(120_000);
const whyNoContainers = await containersWork();
t.test('process', (t) => keepsPromises(t, 'process'));
t.test('smartos, on a machine that plays it', (t) => keepsPromises(t, 'smartos'));
t.test('oci', { skip: whyNoContainers }, (t) => keepsPromises(t, 'oci'));
