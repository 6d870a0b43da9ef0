/** What the `smartos` driver says to the machine, word by word, and what it makes of a machine that refuses. */
import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { startPlayedZones } from '../../support/zones.js';

const image = { name: 'host', version: '16.1.0' };
const limits = { memoryMb: 128, diskGb: 8 };
const never = new AbortController().signal;

t.setTimeout(120_000);

t.test('the commands of a reset, in their order', async (t) => {
  const { machine, zone, boot, driver } = await startPlayedZones(t);
  const install = path.join(machine.root, 'install');
  const reset = (halted: readonly string[]) => [
    `${machine.helper} hyprlofs clear /zones/${zone}/root/manta`,
    `umount /zones/${zone}/root/manta`,
    `zoneadm -z ${zone} halt`,
    ...halted,
    `zoneadm -z ${zone} list -p`,
    `zfs rollback zones/${zone}@marlin_init`,
    `zoneadm -z ${zone} boot`,
    `zoneadm -z ${zone} list -p`,
    `zoneadm -z ${zone} list -p`,
    `svcs -H -z ${zone} -ostate milestone/multi-user:default`,
    `${machine.helper} socket ${zone} /var/run/.marlin.${zone}.sock`,
    `${machine.helper} hyprlofs mount /zones/${zone}/root/manta`,
    `mount -F lofs -oro ${install}/ /zones/${zone}/root/opt/marlin`,
    `zlogin ${zone} svccfg import /opt/marlin/smf/manifests/marlin-lackey.xml`,
    `svcs -H -z ${zone} -ostate marlin/lackey`,
  ];
  t.same(machine.transcript.splice(0), [
    'vmadm list -H -o uuid,image_uuid,tags.manta_role,tags.manta_compute',
    'imgadm list -H -o uuid,name,version',
  ]);
  await boot(limits);
  t.same(
    machine.transcript.splice(0),
    [
      ...reset([`zoneadm -z ${zone} list -p`]), // it did not run: that is looked at
      `vmadm update ${zone} max_physical_memory=128 max_swap=256 quota=8 tmpfs=0`,
    ],
    'properties are all set the first time',
  );
  await boot(limits);
  t.same(machine.transcript.splice(0), reset([]), 'and not again');

  await driver.setLimits(zone, { memoryMb: 512, diskGb: 16 });
  await driver.setLimits(zone, { memoryMb: 512, diskGb: 16 });
  await boot(limits);
  t.same(
    machine.transcript.splice(0).filter((line) => line.startsWith('vmadm')),
    [
      `vmadm update ${zone} max_physical_memory=512 max_swap=512 quota=16 tmpfs=0`,
      `vmadm update ${zone} max_physical_memory=128 max_swap=256 quota=8 tmpfs=0`,
    ],
    'tmpfs goes along, because vmadm computes it anew',
  );
});

t.test('the commands of a task', async (t) => {
  const { machine, zone, storage, boot, driver } = await startPlayedZones(t);
  await boot(limits);
  machine.transcript.length = 0;
  const file = path.join(storage, 'object');
  await fs.writeFile(file, 'x');
  await driver.unmapObjects(zone);
  await driver.mapObject(zone, file, '/bob/stor/a b');
  await driver.unmapObjects(zone);
  await driver.mapObject(zone, null, '/bob/stor/empty');
  machine.statistics.set(`zones:1:${zone}:nsec_user`, '17');
  machine.statistics.set(`memory_cap:1:${zone}:anon_alloc_fail`, '2');
  machine.statistics.set('link:0:z1_net0:obytes64', '300');
  const used = await driver.usage(zone);
  t.match(used, { cpuUserNs: 17, memoryBytes: 1048576, memoryFailures: 2, networkSentBytes: 300, readBytes: 0 });
  await driver.writeAsset(zone, '/bob/stor/run.sh', chunks('echo'));
  await driver.saveLog(zone, path.join(storage, 'log'));
  t.same(machine.transcript, [
    `${machine.helper} hyprlofs clear /zones/${zone}/root/manta`,
    `${machine.helper} hyprlofs add /zones/${zone}/root/manta ${file} bob/stor/a b`,
    `${machine.helper} hyprlofs clear /zones/${zone}/root/manta`,
    `${machine.helper} hyprlofs add /zones/${zone}/root/manta /var/run/marlin/.zero bob/stor/empty`,
    'kstat -p zones:1 memory_cap:1 zone_vfs:1 zone_zfs:1 link::z1_net0',
    `${machine.helper} write /zones/${zone}/root assets/bob/stor/run.sh`,
    `${machine.helper} read /zones/${zone}/root var/svc/log/smartdc-marlin-lackey:default.log 16777216`,
  ]);
});

t.test('statistics of another zone are refused', async (t) => {
  const { machine, zone, boot, driver } = await startPlayedZones(t);
  await boot(limits);
  machine.statistics.set(`memory_cap:1:${zone}:zonename`, 'other');
  const text = `failed to read kstat "memory" for zoneid 1 (zonename "${zone}"): it is of zone "other"`;
  await t.rejects(driver.usage(zone), { message: text });
  machine.statistics.delete(`memory_cap:1:${zone}:zonename`);
  machine.statistics.set('link:1:z1_net0:zonename', zone);
  await t.rejects(driver.usage(zone), { message: /"vnic0".*: found 2/ });
});

const steps: readonly (readonly [what: string, command: RegExp, message: RegExp])[] = [
  [
    'unmapping',
    /hyprlofs clear/,
    /^failed to unmap hyprlofs: command ".*hyprlofs clear .*: child exited with status 1$/,
  ],
  ['halt', / halt$/, /^command "zoneadm -z \S+ halt" failed with stderr: not today: child exited with status 1$/],
  ['roll back', /^zfs rollback/, /^command "zfs rollback zones\/\S+@marlin_init" failed with stderr: not today/],
  ['boot', / boot$/, /^command "zoneadm -z \S+ boot" failed/],
  ['socket', / socket /, /^command ".* socket .*" failed with stderr: no socket today/],
  ['hyprlofs', /hyprlofs mount/, /^command ".*hyprlofs mount/],
  ['tools', /^mount /, /^"mount" failed: command "mount -F lofs -oro/],
  ['import of the service', /^zlogin/, /^command "zlogin \S+ svccfg import/],
  ['properties', /^vmadm update/, /^failed to set properties: command "vmadm update/],
];

t.test('a step that fails ends the reset and says which; the next one makes good', async (t) => {
  const { machine, zone, boot, driver } = await startPlayedZones(t);
  await boot(limits);
  for (const [what, command, message] of steps) {
    if (what === 'properties') await driver.setLimits(zone, { memoryMb: 256, diskGb: 8 });
    machine.fail(command);
    await t.rejects(driver.reset(zone, image, limits, never), { message }, what);
    const shell = await boot(limits);
    t.match(await shell.run('echo alive'), { stdout: 'alive\n' }, `after ${what}`);
  }
});

t.test('commands that fail while a zone is waited for are no answer; a service in maintenance is one', async (t) => {
  const { machine, zone, boot, driver } = await startPlayedZones(t);
  await boot(limits);
  machine.fail(/ list -p$/, { times: 3 });
  machine.fail(/^svcs .*multi-user/, { times: 3 });
  await boot(limits);
  machine.play(/^svcs .*lackey$/, 'maintenance\n');
  await t.rejects(driver.reset(zone, image, limits, never), {
    message: 'waiting for "maintenance" to reach "online", but current state is "maintenance"',
  });
});

t.test('zones are those deployed for the purpose, of the newest image in the range', async (t) => {
  const zones = [
    { name: 'one', image: 'old' },
    { name: 'two', image: 'new', role: 'marlincompute' },
    { name: 'three', image: 'new' },
    { name: 'gone', image: 'new', tag: 'removed' },
    { name: 'other', image: 'new', role: 'storage' },
    { name: 'unknown', image: 'nowhere' },
  ];
  const images = ['old base 15.4.1', 'new base user/16.1.3', 'newer base 17.0.0'];
  const newest = await startPlayedZones(t, { zones, images, zoneDefaultImage: '~16.1' });
  t.same(newest.driver.images, [{ name: 'base', version: '16.1.3' }], 'of those that have zones');
  t.same(await newest.driver.findZones?.(), ['two', 'three']);
  const older = await startPlayedZones(t, { zones, images, zoneDefaultImage: '15' });
  t.same(await older.driver.findZones?.(), ['one']);
});

t.test('a zone that ends by itself is noticed', async (t) => {
  const { machine, zone, boot, driver } = await startPlayedZones(t);
  await boot(limits);
  const ended = driver.ended(zone);
  await machine.crash(zone);
  await ended;
  t.pass('it was');
});

async function* chunks(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}
