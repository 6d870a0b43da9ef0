/** `marlin up` that is killed, or stopped while it starts: what it started ends, however long the path of its directory. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import type { ReadyBox } from '../../src/standalone/up.js';
import { marlinCommand, type TestContext } from '../support/one-box.js';

t.test('kill -9 of up alone leaves no process and no key', { timeout: 120_000 }, async (t) => {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-test-')); // mode 0700
  t.teardown(() => fs.rmSync(work, { recursive: true, force: true }));
  const data = path.join(work, 'd'.repeat(120), 'e'.repeat(60));
  const { up, says, ready } = startUp(t, data);
  await says('Marlin is up');
  const socket = ready().sshAuthSock ?? '';
  t.ok(fs.existsSync(socket) && socket.length < 108, socket);
  t.ok(processesNaming(socket, work).length > 5);

  up.kill('SIGKILL');
  await once(up, 'close');
  while (processesNaming(socket, work).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  t.notOk(fs.existsSync(path.dirname(socket)), 'the directory of the socket has gone too');
});

t.test('the next up waits for what a killed one left, and answers where that did', { timeout: 120_000 }, async (t) => {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-test-'));
  t.teardown(() => fs.rmSync(work, { recursive: true, force: true }));
  const data = path.join(work, 'data');
  const first = startUp(t, data);
  await first.says('Marlin is up');
  const before = first.ready();
  // Of what a killed one left, this cannot notice that its parent is gone before the next one has seen it.
  const moray = before.pids.moray ?? Number.NaN;
  process.kill(moray, 'SIGSTOP');
  first.up.kill('SIGKILL');
  await once(first.up, 'exit');
  const second = startUp(t, data);
  await second.says('waiting for services of a killed "marlin up" to end');
  process.kill(moray, 'SIGCONT');
  await second.says('Marlin is up');
  t.same({ ...second.ready(), pids: null }, { ...before, pids: null }, 'its addresses are the same');
  second.up.kill('SIGTERM');
  t.same(await once(second.up, 'exit'), [0, null]);
});

t.test('SIGTERM while it starts stops what has started', { timeout: 120_000 }, async (t) => {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-test-'));
  t.teardown(() => fs.rmSync(work, { recursive: true, force: true }));
  const data = path.join(work, 'data');
  const { up, says } = startUp(t, data);
  await says('moray is up');
  up.kill('SIGTERM');
  const ended = once(up, 'exit');
  await says('stopped while it started');
  t.same(await ended, [0, null]);
  t.same(processesNaming(data), []);
  t.notOk(fs.existsSync(path.join(data, 'run', 'ready.json')), 'it never was ready');
});

function startUp(t: TestContext, data: string) {
  const up = spawn(marlinCommand, ['up', '--data', data, '--port-base', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => void up.kill('SIGKILL'));
  let printed = '';
  up.stdout.on('data', (chunk) => {
    printed += String(chunk);
  });
  return {
    up,
    async says(text: string): Promise<void> {
      while (!printed.includes(text)) await once(up.stdout, 'data');
    },
    ready: () => JSON.parse(fs.readFileSync(path.join(data, 'run', 'ready.json'), 'utf8')) as ReadyBox,
  };
}

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
