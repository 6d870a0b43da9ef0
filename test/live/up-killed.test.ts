/** `marlin up` that is killed, or stopped while it starts: what it started ends, however long the path of its directory. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import type { ReadyBox } from '../../src/standalone/up.js';
import { marlinCommand } from '../support/one-box.js';

t.test('kill -9 of up alone leaves no process and no key', { timeout: 120_000 }, async (t) => {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-test-')); // mode 0700
  t.teardown(() => fs.rmSync(work, { recursive: true, force: true }));
  const data = path.join(work, 'd'.repeat(120), 'e'.repeat(60));
  const up = spawn(marlinCommand, ['up', '--data', data, '--port-base', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => up.kill('SIGKILL'));
  let printed = '';
  while (!printed.includes('Marlin is up')) printed += String(await once(up.stdout, 'data'));
  const ready = JSON.parse(fs.readFileSync(path.join(data, 'run', 'ready.json'), 'utf8')) as ReadyBox;
  const socket = ready.sshAuthSock ?? '';
  t.ok(fs.existsSync(socket) && socket.length < 108, socket);
  t.ok(processesNaming(socket, work).length > 5);

  up.kill('SIGKILL');
  await once(up, 'close');
  while (processesNaming(socket, work).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  t.notOk(fs.existsSync(path.dirname(socket)), 'the directory of the socket has gone too');
});

t.test('SIGTERM while it starts stops what has started', { timeout: 120_000 }, async (t) => {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-test-'));
  t.teardown(() => fs.rmSync(work, { recursive: true, force: true }));
  const data = path.join(work, 'data');
  const up = spawn(marlinCommand, ['up', '--data', data, '--port-base', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => up.kill('SIGKILL'));
  let printed = '';
  up.stdout.on('data', (chunk) => {
    printed += String(chunk);
  });
  while (!printed.includes('moray is up')) await once(up.stdout, 'data');
  up.kill('SIGTERM');
  t.same(await once(up, 'exit'), [0, null]);
  t.match(printed, /stopped while it started/);
  t.same(processesNaming(data), []);
  t.notOk(fs.existsSync(path.join(data, 'run', 'ready.json')), 'it never was ready');
});

function processesNaming(...texts: readonly string[]): string[] {
  return fs.readdirSync('/proc').filter((pid) => {
    try {
      const command = /^\d+$/.test(pid) ? fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
      return texts.some((text) => command.includes(text));
    } catch {
      return false; // it has ended since it was listed
    }
  });
}
