import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import t, { type Test } from 'tap';
import { backUpBox } from '../../../src/standalone/operate/backup.js';
import { marlinCommand } from '../../support/one-box.js';

function newBox(t: Pick<Test, 'testdir'>) {
  const directory = t.testdir({ data: { 'box.json': '{}', moray: {} } });
  const data = path.join(directory, 'data');
  new Database(path.join(data, 'moray/moray.db')).exec('CREATE TABLE kept (value)').close();
  return { directory, data, file: path.join(directory, 'saved.tar') };
}

function startBackup(t: Pick<Test, 'testdir'>) {
  const { data, file } = newBox(t);
  return { data, file, done: backUpBox(data, file) };
}

t.test('an archive is for its owner alone, while it is written and after', async (t) => {
  const umask = process.umask(0);
  t.teardown(() => process.umask(umask));
  const { file, done } = startBackup(t);
  const { ino, mode } = fs.statSync(`${file}.incomplete/archive.tar`);
  t.equal(mode & 0o777, 0o600);
  await done;
  const archive = fs.statSync(file);
  t.same({ ino: archive.ino, mode: archive.mode & 0o777 }, { ino, mode: 0o600 });
});

t.test('a second backup to the same file is refused and leaves the first alone', async (t) => {
  const { data, file, done } = startBackup(t);
  await t.rejects(backUpBox(data, file), {
    message: `another backup is writing "${file}" (process ${process.pid})`,
  });
  await done;
  await t.rejects(backUpBox(data, file), { message: `"${file}" is there already` });
  t.same(fs.readdirSync(path.dirname(file)).sort(), ['data', 'saved.tar']);
});

t.test('what a killed backup leaves is replaced by the next', (t) => {
  const { directory, data, file } = newBox(t);
  fs.mkdirSync(path.join(directory, 'bin'));
  fs.writeFileSync(path.join(directory, 'bin', 'tar'), '#!/bin/sh\nkill -9 $PPID\n', { mode: 0o700 });
  const backUp = (env: NodeJS.ProcessEnv) => {
    const { status, signal, stderr } = spawnSync(marlinCommand, ['backup', '--data', data, file], {
      env,
      encoding: 'utf8',
    });
    return { status, signal, stderr };
  };
  const deadly = { ...process.env, PATH: `${path.join(directory, 'bin')}:${process.env['PATH']}` };
  t.match(backUp(deadly), { signal: 'SIGKILL' });
  t.ok(fs.existsSync(`${file}.incomplete`));
  t.same(backUp(process.env), { status: 0, signal: null, stderr: '' });
  const list = spawnSync('tar', ['--list', '--file', file], { encoding: 'utf8' });
  t.match(list.stdout, /^moray\/\nmoray\/moray.db\nbox.json\n$/);
  t.same(fs.readdirSync(directory).sort(), ['bin', 'data', 'saved.tar']);
  t.end();
});
