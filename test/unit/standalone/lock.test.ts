import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { lockBox } from '../../../src/standalone/lock.js';

t.test('a second holder is refused, and told who holds it', async (t) => {
  const file = path.join(t.testdir(), 'lock');
  const release = lockBox(file, '/data');
  t.throws(() => lockBox(file, '/data'), {
    name: 'BoxInUseError',
    message: `"/data" is in use by process ${process.pid}`,
  });
  release();
  lockBox(file, '/data')();
  t.notOk(fs.existsSync(file), 'the release removes it');
});

t.test('a killed holder leaves nothing locked, also when its pid is in use again', async (t) => {
  const file = path.join(t.testdir(), 'lock');
  const child = spawn('true');
  await once(child, 'exit');
  fs.writeFileSync(file, JSON.stringify({ pid: child.pid, started: '1' }));
  lockBox(file, '/data')();
  fs.writeFileSync(file, JSON.stringify({ pid: process.pid, started: '1' }));
  lockBox(file, '/data')();
  fs.writeFileSync(file, '{"pid":');
  lockBox(file, '/data')();
  t.notOk(fs.existsSync(file));
});
