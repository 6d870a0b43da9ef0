import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { clearFarm, linkIntoFarm, makeFarm } from '../../../../src/agent/zones/drivers/link-farm.js';

async function makeDirectory(t: Test, parent: string): Promise<string> {
  const directory = await fs.mkdtemp(path.join(parent, 'marlin-farm-'));
  t.teardown(() => fs.rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A directory on another file system than the temporary directory's, if this machine has one. */
async function findOtherDevice(): Promise<string | null> {
  const here = (await fs.stat(os.tmpdir())).dev;
  const there = await fs.stat('/dev/shm').catch(() => null);
  return there !== null && there.dev !== here ? '/dev/shm' : null;
}

t.test('an object is linked under its name, replaced when mapped again, and removed', async (t) => {
  const directory = await makeDirectory(t, os.tmpdir());
  const farm = path.join(directory, 'farm');
  await makeFarm(farm);
  await fs.writeFile(path.join(directory, 'one'), '1', { mode: 0o444 });
  await fs.writeFile(path.join(directory, 'two'), '2', { mode: 0o444 });
  t.equal(await linkIntoFarm(farm, path.join(directory, 'one'), '/bob/stor//a b'), '/bob/stor/a b');
  await linkIntoFarm(farm, path.join(directory, 'two'), '/bob/stor/a b');
  t.equal(await fs.readFile(path.join(farm, 'bob/stor/a b'), 'utf8'), '2');
  await linkIntoFarm(farm, null, '/bob/stor/empty');
  t.equal((await fs.stat(path.join(farm, 'bob/stor/empty'))).size, 0);
  await clearFarm(farm);
  t.same(await fs.readdir(farm), []);
  t.equal((await fs.stat(path.join(directory, 'two'))).nlink, 1);
  await clearFarm(path.join(directory, 'none'));
});

const otherDevice = await findOtherDevice();
const skip = otherDevice === null ? 'one file system only' : false;
t.test('an object on another file system is copied, readable by all and writable by none', { skip }, async (t) => {
  const farm = await makeDirectory(t, os.tmpdir());
  const store = await makeDirectory(t, otherDevice ?? '');
  await fs.writeFile(path.join(store, 'object'), 'bytes', { mode: 0o400 });
  await linkIntoFarm(farm, path.join(store, 'object'), '/bob/stor/object');
  t.equal(await fs.readFile(path.join(farm, 'bob/stor/object'), 'utf8'), 'bytes');
  t.equal((await fs.stat(path.join(farm, 'bob/stor/object'))).mode & 0o777, 0o444);
});

t.test('a name never leaves the farm', async (t) => {
  const farm = await makeDirectory(t, os.tmpdir());
  for (const name of ['/..', '/bob/../../x', '/', '', '/bob/\0'])
    await t.rejects(linkIntoFarm(farm, null, name), { name: 'InvalidNameError' }, JSON.stringify(name));
});
