import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import t, { type Test } from 'tap';
import { backUpBox } from '../../../src/standalone/operate/backup.js';

function startBackup(t: Pick<Test, 'testdir'>) {
  const directory = t.testdir({ data: { 'box.json': '{}', moray: {} } });
  const data = path.join(directory, 'data');
  new Database(path.join(data, 'moray/moray.db')).exec('CREATE TABLE kept (value)').close();
  const file = path.join(directory, 'saved.tar');
  return { data, file, done: backUpBox(data, file) };
}

t.test('an archive is for its owner alone, while it is written and after', async (t) => {
  const umask = process.umask(0);
  t.teardown(() => process.umask(umask));
  const { file, done } = startBackup(t);
  const { ino, mode } = fs.statSync(`${file}.incomplete`);
  t.equal(mode & 0o777, 0o600);
  await done;
  const archive = fs.statSync(file);
  t.same({ ino: archive.ino, mode: archive.mode & 0o777 }, { ino, mode: 0o600 });
});

t.test('a second backup to the same file is refused and leaves the first alone', async (t) => {
  const { data, file, done } = startBackup(t);
  await t.rejects(backUpBox(data, file), {
    message: `"${file}.incomplete" is there: another backup is writing it, or was broken off and it is to be removed`,
  });
  await done;
  await t.rejects(backUpBox(data, file), { message: `"${file}" is there already` });
  t.same(fs.readdirSync(path.dirname(file)).sort(), ['data', 'saved.tar']);
});
