/** Images beside `host`: a root file system made for the test out of the machine's shell, its libraries and node's. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { makeImage } from '../../support/image.js';
import { containersWork, makeTestPlace, object, startTestZones, store } from '../../support/zones.js';

async function tree(directory: string): Promise<string> {
  return execFileSync('find', [directory, '-printf', '%p %m %U %G %T@ %C@\n'], { encoding: 'utf8' });
}

async function runsImages(t: Test): Promise<void> {
  const place = await makeTestPlace(t, 'oci');
  const imagesDir = path.join(path.dirname(place.config.dataDir), 'images');
  const directory = path.join(imagesDir, 'tiny-base-17.2.1');
  await makeImage(directory);
  await fs.mkdir(path.join(imagesDir, 'no-version'));
  const before = await tree(directory);
  const zones = await startTestZones(t, 'oci', { ...place, config: { ...place.config, imagesDir } });
  const { driver, zone } = zones;
  const image = { name: 'tiny-base', version: '17.2.1' };
  t.match([...driver.images], [{ name: 'host', version: '16.1.0' }, image]);
  const limits = { memoryMb: 128, diskGb: 1 };

  const shell = await zones.boot(limits, image);
  t.match(await shell.run('cat /etc/motd /etc/of-the-image'), { stdout: /17\.2\.1\nunchanged\n/ });
  t.match(await shell.run('stat -c %u:%g / /bin/bash /etc/of-the-image; id -u'), { stdout: '0:0\n0:0\n0:0\n0\n' });
  t.match(await shell.run('ls /usr/bin/perl /etc/alternatives'), { status: 2 }, 'nothing of the machine is there');
  const file = await driver.mapObject(zone, await store(zones, 'to be\n'), object);
  t.match(await shell.run(`cat ${file}`), { stdout: 'to be\n' });
  t.match(await shell.run('ls /var/run/.marlin.*.sock && cat /run/marlin/memory_mb'), { stdout: /sock\n128\n/ });
  t.match(await shell.run('echo x > /etc/of-the-image && rm /usr/bin/id && touch /new && cat /etc/of-the-image'), {
    stdout: 'x\n',
  });
  t.match(await shell.run('df -BM --output=size / | { read -r _; read -r size; echo $size; }'), {
    stdout: /^10\d\dM\n$/,
  });
  await driver.saveLog(zone, path.join(place.storage, 'log'));
  const again = await zones.boot(limits, image);
  t.match(
    await again.run('cat /etc/of-the-image; ls /new'),
    { status: 2, stdout: 'unchanged\n' },
    'a reset undoes all',
  );
  t.match(
    await (await zones.boot()).run('cat /etc/motd; ls /usr/bin/perl'),
    { stdout: /16\.1\.0\n\/usr\/bin\/perl/ },
    'back to host',
  );
  await driver.stop();
  t.equal(await tree(directory), before, 'the image is unchanged on disk');
}

t.setTimeout(120_000);
const needsRoot = process.getuid?.() === 0 ? false : 'needs root';
t.test('images', { skip: needsRoot || (await containersWork()) }, runsImages);
