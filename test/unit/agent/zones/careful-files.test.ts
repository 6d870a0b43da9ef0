/** What a zone's programs may plant where the agent reads the lackey's log. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { copyFileFrom } from '../../../../src/agent/zones/drivers/careful-files.js';

const log = 'var/log/lackey.log';

async function makeZone() {
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'marlin-log-'));
  t.teardown(() => fs.rm(directory, { recursive: true, force: true }));
  const root = path.join(directory, 'root');
  await fs.mkdir(path.join(root, 'var/log'), { recursive: true });
  await fs.writeFile(path.join(directory, 'secret'), 'outside');
  const target = path.join(directory, 'saved');
  return { root, file: path.join(root, log), secret: path.join(directory, 'secret'), target };
}

t.test('a log is copied', async (t) => {
  const { root, file, target } = await makeZone();
  await fs.writeFile(file, 'lines\n');
  await copyFileFrom(root, log, target);
  t.equal(await fs.readFile(target, 'utf8'), 'lines\n');
  t.equal((await fs.stat(target)).mode & 0o777, 0o600);
});

const traps: readonly (readonly [string, (zone: Awaited<ReturnType<typeof makeZone>>) => Promise<void>])[] = [
  ['a symbolic link', ({ file, secret }) => fs.symlink(secret, file)],
  ['a hard link', ({ file, secret }) => fs.link(secret, file)],
  ['a FIFO', async ({ file }) => void execFileSync('mkfifo', [file])],
  ['a directory', ({ file }) => fs.mkdir(file).then(() => {})],
  [
    'a linked directory on the way',
    async ({ root, secret }) => {
      await fs.rm(path.join(root, 'var/log'), { recursive: true });
      await fs.writeFile(path.join(path.dirname(secret), 'lackey.log'), 'outside');
      await fs.symlink(path.dirname(secret), path.join(root, 'var/log'));
    },
  ],
];
for (const [title, plant] of traps) {
  t.test(`${title} is refused, at once`, async (t) => {
    const zone = await makeZone();
    await plant(zone);
    await t.rejects(copyFileFrom(zone.root, log, zone.target));
    await t.rejects(fs.stat(zone.target), 'and nothing is saved');
  });
}

t.test('of a huge log, the beginning is copied', async (t) => {
  const { root, file, target } = await makeZone();
  const handle = await fs.open(file, 'w');
  await handle.write('begin');
  await handle.truncate(2 ** 40);
  await handle.close();
  await copyFileFrom(root, log, target);
  t.equal((await fs.stat(target)).size, 16 * 2 ** 20);
});
