/**
 * The escape suite: every attempt of the table is a job of its own, side by side in the same few zones. Before it
 * begins, each looks for what the attempts before it left; after it has ended, the machine around the zones is looked
 * at. So that an attempt harmed neither the outside nor the next task of another job is asserted every time.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { submit, waitDone } from '../support/jobs.js';
import { type OneBox, startOneBox } from '../support/one-box.js';
import { containersWork } from '../support/zones.js';
import { type Attempt, attempts } from './escape-attempts.js';

const zoneCount = 3;
const limitMs = 180_000;
const input = 'to be\n';
const secret = 'a secret of the machine';

/** Put before every attempt: complains of what another job left, then leaves the same itself. */
const isNew = `
for f in /left /assets/left /opt/local/bin/cat /etc/ld.so.preload $(ls -A /tmp /dev/shm /mnt /home); do [ -e "$f" ] && echo "left: $f"; done
n=$(ls /proc | grep -c "^[0-9]"); [ $n -lt 12 ] || echo "$n processes"
[ "$(cat)" = "to be" ] || echo "input"
touch /left /assets/left /tmp/left /dev/shm/left
`;

t.setTimeout(900_000);
const why = process.arch === 'x64' ? false : 'system calls are numbered for x64 here';
const root = process.getuid?.() === 0 ? false : 'only root can limit what zones take';
t.test('escapes', { timeout: 900_000, skip: root || why || (await containersWork()) }, async (t) => {
  const box = await startOneBox(t, { driver: 'oci', zones: zoneCount });
  const outside = await watchOutside(t, box);
  await box.put(`/${box.login}/stor/in`, input);
  const queue = [...attempts.filter(isLong), ...attempts.filter((one) => !isLong(one))].values();
  const worker = async () => {
    for (const attempt of queue) {
      try {
        await run(box, attempt, outside.fill(attempt.script));
        await outside.verify();
        t.pass(attempt.name);
      } catch (error) {
        t.fail(attempt.name, { problem: (error as Error).message.slice(0, 2000) });
      }
    }
  };
  await Promise.all(Array.from({ length: zoneCount }, worker));
  const afterwards = { name: 'afterwards', script: 'true' };
  await Promise.all(Array.from({ length: 2 * zoneCount }, () => run(box, afterwards, afterwards.script)));
  await t.test('a job cannot name an asset outside of its directory', (t) => refusesAssets(t, box));
  outside.verifySavedLogs();
  t.pass('the agent saved nothing of the machine as a log');
});

async function run(box: OneBox, attempt: Attempt, script: string): Promise<void> {
  const exec = `${isNew}\n${script}`;
  const id = await submit(box, [{ exec, ...attempt.phase }], [`/${box.login}/stor/in`]);
  await waitDone(box, id, limitMs);
  const errors = (await box.manta.errors(id)) as unknown as { code: string; message: string }[];
  const [error] = errors;
  if (attempt.error === undefined) assert.deepEqual(errors, []);
  else {
    assert.equal(error?.code, attempt.error.code, JSON.stringify(error));
    assert.match(error?.message ?? '', pattern(attempt.error.message));
    return;
  }
  if (attempt.outputCount !== undefined) {
    assert.equal((await box.manta.status(id)).stats.outputs, attempt.outputCount);
    return;
  }
  const [output = ''] = await box.manta.outputs(id);
  const content = (await box.manta.get(output)).toString('utf8');
  if (attempt.output instanceof RegExp) assert.match(content.slice(0, 10_000), attempt.output);
  else assert.equal(content.slice(0, 10_000), attempt.output ?? '');
}

function isLong(attempt: Attempt): boolean {
  return attempt.isLong ?? false;
}

function pattern(text: string | RegExp): RegExp {
  return text instanceof RegExp ? text : new RegExp(`^${text.replaceAll(/[()]/g, '\\$&')}$`);
}

async function refusesAssets(t: Test, box: OneBox): Promise<void> {
  for (const asset of [`/${box.login}/stor/../../../../../../tmp/asset`, '/../../x', `/${box.login}/stor/..`]) {
    const phases = [{ exec: 'find /assets -type f', assets: [asset] }];
    const id = await submit(box, phases, [`/${box.login}/stor/in`]).catch(() => null);
    if (id === null) {
      t.pass(`no job has the asset ${asset}`);
      continue;
    }
    await waitDone(box, id, limitMs);
    const [error] = (await box.manta.errors(id)) as unknown as { code: string }[];
    t.equal(error?.code, 'TaskInitError', asset);
  }
  t.notOk(fs.existsSync('/tmp/asset'));
}

interface Outside {
  /** Puts what the machine has into a script. */
  fill(script: string): string;
  /** @throws AssertionError when the machine, or the agent, is not as it was. */
  verify(): Promise<void>;
  verifySavedLogs(): void;
}

async function watchOutside(t: Test, box: OneBox): Promise<Outside> {
  const secretFile = path.join(path.dirname(box.data), 'secret');
  fs.writeFileSync(secretFile, secret, { mode: 0o600 });
  const canary = spawn('sleep', ['3600'], { stdio: 'ignore' });
  let canaryLives = true;
  canary.once('exit', () => {
    canaryLives = false;
  });
  const abstract = `marlin-escape-${process.pid}`;
  const listener = net.createServer().listen(`\0${abstract}`);
  await once(listener, 'listening');
  t.teardown(() => {
    canary.kill('SIGKILL');
    listener.close();
  });
  const { moray, manta, agent, pids } = box.ready();
  const addresses = Object.values(os.networkInterfaces()).flatMap((several) => several ?? []);
  const values = {
    user: box.login,
    data: box.data,
    moray: String(moray.port),
    manta: new URL(manta.url).port,
    agent: new URL(agent.url).port,
    addresses: addresses
      .filter(({ family }) => family === 'IPv4')
      .map(({ address }) => address)
      .join(' '),
    abstract,
    secret: secretFile,
  };
  const names = [
    'kernel/hostname',
    'kernel/panic',
    'kernel/sysrq',
    'kernel/modprobe',
    'fs/file-max',
    'net/ipv4/ip_forward',
  ];
  const present = names.map((name) => `/proc/sys/${name}`).filter((file) => fs.existsSync(file));
  const settings = () => [...present, '/proc/swaps'].map((file) => fs.readFileSync(file, 'utf8'));
  const before = settings();
  const clockMs = Date.now() - performance.now();
  return {
    fill: (script) =>
      Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`%${name}%`, value), script),
    async verify() {
      assert.ok(canaryLives, 'a process of the machine was killed');
      assert.equal(fs.readFileSync(secretFile, 'utf8'), secret);
      assert.deepEqual(settings(), before, 'settings of the kernel');
      assert.ok(Math.abs(Date.now() - performance.now() - clockMs) < 60_000, 'the clock was set');
      assert.equal((await box.manta.get(`/${box.login}/stor/in`)).toString('utf8'), input, 'the object');
      assert.deepEqual(box.ready().pids, pids, 'a service was started again');
      fs.watch(path.dirname(secretFile)).close(); // the machine has inotify instances left
      const zones = (await (await fetch(`${agent.url}/zones`)).json()) as { zones?: unknown };
      assert.ok(zones !== null, 'the agent answers');
      await connects(moray.host, moray.port);
    },
    verifySavedLogs() {
      const logs = path.join(box.data, 'log/zones');
      for (const name of fs.readdirSync(logs)) {
        const file = path.join(logs, name);
        const { size } = fs.lstatSync(file);
        assert.ok(size <= 16 * 2 ** 20, 'a saved log is not without end');
        assert.ok(!fs.readFileSync(file, 'utf8').includes(secret), 'a saved log tells a secret');
      }
    },
  };
}

async function connects(host: string, port: number): Promise<void> {
  const socket = net.connect(port, host);
  await Promise.race([once(socket, 'connect'), delay(20_000).then(() => assert.fail('Moray does not answer'))]);
  socket.destroy();
}
