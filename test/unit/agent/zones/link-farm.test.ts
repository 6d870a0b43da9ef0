import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { createFarm } from '../../../../src/agent/zones/drivers/link-farm.js';

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
  const { make, link, unlink, clear } = createFarm(farm);
  await make();
  await fs.writeFile(path.join(directory, 'one'), '1', { mode: 0o444 });
  await fs.writeFile(path.join(directory, 'two'), '2', { mode: 0o444 });
  t.equal(await link(path.join(directory, 'one'), '/bob/stor//a b'), '/bob/stor/a b');
  await link(path.join(directory, 'two'), '/bob/stor/a b');
  t.equal(await fs.readFile(path.join(farm, 'bob/stor/a b'), 'utf8'), '2');
  await link(null, '/bob/stor/empty');
  t.equal((await fs.stat(path.join(farm, 'bob/stor/empty'))).size, 0);
  await unlink();
  t.same(await fs.readdir(farm), []);
  t.equal((await fs.stat(path.join(directory, 'two'))).nlink, 1);
  await clear();
  await createFarm(path.join(directory, 'none')).clear();
});

t.test('while an object is mapped there are its own directories and no others', async (t) => {
  const farm = await makeDirectory(t, os.tmpdir());
  const { link, unlink, clear } = createFarm(farm);
  const tree = async () => (await fs.readdir(farm, { recursive: true })).sort();
  await clear();
  const cases: readonly [name: string, expected: string[]][] = [
    ['/bob/stor/a', ['bob', 'bob/stor', 'bob/stor/a']],
    ['/bob/stor/b', ['bob', 'bob/stor', 'bob/stor/b']],
    ['/bob/stor/b/c', ['bob', 'bob/stor', 'bob/stor/b', 'bob/stor/b/c']],
    ['/bob/stor/b', ['bob', 'bob/stor', 'bob/stor/b']],
    ['/bob/jobs/x', ['bob', 'bob/jobs', 'bob/jobs/x']],
    ['/jill/stor/x', ['jill', 'jill/stor', 'jill/stor/x']],
    ['/x', ['x']],
  ];
  for (const [name, expected] of cases) {
    await link(null, name);
    t.same(await tree(), expected, name);
    await unlink();
    t.notOk((await tree()).includes(expected.at(-1) ?? ''), 'the object goes');
  }
  await link(null, '/bob/stor/a');
  await t.rejects(link(path.join(farm, 'none'), '/bob/stor/b'), { name: 'ObjectMissingError' });
  await unlink();
  await link(null, '/bob/stor/c');
  await fs.writeFile(path.join(farm, 'bob/stor/stranger'), '');
  await unlink();
  await link(null, '/jill/stor/x');
  t.same(await tree(), ['jill', 'jill/stor', 'jill/stor/x'], 'also after an error, and after something strange');
  await clear();
  t.same(await tree(), []);
});

const otherDevice = await findOtherDevice();
const skip = otherDevice === null ? 'one file system only' : false;
t.test('an object on another file system is copied, readable by all and writable by none', { skip }, async (t) => {
  const farm = await makeDirectory(t, os.tmpdir());
  const store = await makeDirectory(t, otherDevice ?? '');
  await fs.writeFile(path.join(store, 'object'), 'bytes', { mode: 0o400 });
  await createFarm(farm).link(path.join(store, 'object'), '/bob/stor/object');
  t.equal(await fs.readFile(path.join(farm, 'bob/stor/object'), 'utf8'), 'bytes');
  t.equal((await fs.stat(path.join(farm, 'bob/stor/object'))).mode & 0o777, 0o444);
});

t.test('a name never leaves the farm', async (t) => {
  const farm = await makeDirectory(t, os.tmpdir());
  for (const name of ['/..', '/bob/../../x', '/', '', '/bob/\0'])
    await t.rejects(createFarm(farm).link(null, name), { name: 'InvalidNameError' }, JSON.stringify(name));
});
