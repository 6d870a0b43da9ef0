/** What was acknowledged is there after the server was killed, lost its power of writing, or was started twice. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { createLogger } from '../../../src/common/logging.js';
import { startMoray } from '../../../src/moray/server/service.js';
import { startTestMoray } from '../../support/moray.js';
import { mountSmallDisk } from '../../support/small-disk.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const config = {
  host: '127.0.0.1',
  port: 0,
  maxFrameBytes: 1024 * 1024,
  synchronous: 'full',
  readers: 1,
} as const;

t.test('every acknowledged put survives kill -9', async (t) => {
  const moray = await startTestMoray(t);
  const { client } = moray;
  await client.putBucket('b', { index: { n: { type: 'number' } } });
  const acknowledged = new Set<string>();
  for (let round = 0; round < 3; round++) {
    let killed = false;
    const writer = async (lane: number) => {
      for (let n = 0; !killed; n++) {
        const key = `${round}-${lane}-${n}`;
        try {
          await client.batch([
            { bucket: 'b', key, value: { n } },
            { bucket: 'b', key: `${key}-twin`, value: { n } },
          ]);
          acknowledged.add(key);
        } catch {
          return; // killed: perhaps written, perhaps not
        }
        if (acknowledged.size > 150 * (round + 1) && !killed) {
          killed = true;
          await moray.kill();
        }
      }
    };
    await Promise.all([0, 1, 2, 3, 4].map(writer));
    await moray.restart();
    await reconnected(() => client.ping());
  }
  const stored = new Set<string>();
  for await (const { key } of client.findObjects('b', '(n=*)', { noLimit: true })) stored.add(key);
  const lost = [...acknowledged].filter((key) => !stored.has(key));
  const halves = [...stored].filter((key) => !stored.has(key.endsWith('-twin') ? key.slice(0, -5) : `${key}-twin`));
  t.same(lost, []);
  t.same(halves, [], 'a batch is there whole or not at all');
  t.ok(acknowledged.size > 450);
});

/** The client has no event for a connection that is back: a call that succeeds is the event. */
async function reconnected(call: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await call();
      return;
    } catch {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

t.test('one server per database, and none on a newer or foreign one', async (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-moray-'));
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }));
  const dataFile = path.join(directory, 'moray.db');
  const first = await startMoray({ ...config, dataFile }, log);
  await t.rejects(startMoray({ ...config, dataFile }, log), {
    name: 'DatabaseInUseError',
    message: /in use by another server/,
  });
  await first.stop();
  const second = await startMoray({ ...config, dataFile }, log);
  await second.stop();

  const newer = new Database(dataFile);
  newer.pragma('user_version = 99');
  newer.close();
  await t.rejects(startMoray({ ...config, dataFile }, log), {
    name: 'DatabaseFormatError',
    message: `the database "${dataFile}" has format 99, this release knows up to 1: start a newer release`,
  });
  const foreignFile = path.join(directory, 'foreign.db');
  const foreign = new Database(foreignFile);
  foreign.pragma('user_version = 7');
  foreign.close();
  await t.rejects(startMoray({ ...config, dataFile: foreignFile }, log), { name: 'DatabaseFormatError' });
});

t.test('a full disk fails the write and nothing else', async (t) => {
  const disk = mountSmallDisk(t, '3m');
  if (disk === null) {
    t.pass('skipped: a small file system cannot be mounted by this user');
    return;
  }
  const { client, ...moray } = await startTestMoray(t, { dataFile: path.join(disk.directory, 'moray.db') });
  await client.putBucket('b', { index: { n: { type: 'number' } } });
  const stored: string[] = [];
  const fill = async () => {
    for (let n = 0; ; n++) {
      await client.putObject('b', `k${n}`, { n, filler: 'x'.repeat(100_000) });
      stored.push(`k${n}`);
    }
  };
  await t.rejects(fill(), { name: 'NoDatabasePeersError', message: /no space left on device/ });
  t.ok(stored.length > 0);
  const found: string[] = [];
  for await (const { key } of client.findObjects('b', '(n=*)', { sort: { attribute: '_id' } })) found.push(key);
  t.same(found, stored, 'it still reads');
  await client.ping({ deep: true });
  disk.resize('50m');
  await client.putObject('b', 'later', {});
  await moray.restart();
  await reconnected(() => client.ping());
  t.equal((await client.getObject('b', 'later')).key, 'later');
  t.equal((await client.getObject('b', stored[0] ?? '')).key, 'k0');
});
