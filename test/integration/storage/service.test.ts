import crypto from 'node:crypto';
import t from 'tap';
import type { Clock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import type { MorayClient } from '../../../src/moray/client/types.js';
import { type RemovalOptions, removeLogged, removeOrphans } from '../../../src/storage/removal.js';
import { startStorage } from '../../../src/storage/service.js';
import { startTestMoray } from '../../support/moray.js';
import { askHttp, startTestStorageNode, type TestStorageNode, temporaryDirectory } from '../../support/storage.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const text = { type: 'string' } as const;
const number = { type: 'number' } as const;
const creator = crypto.randomUUID();
const minute = 60_000;
const day = 86_400_000;

/** A clock that stands still until it is told to go on. */
function manualClock(): Clock & { nowValue: number; due: (() => void)[] } {
  const clock = {
    nowValue: Date.now(),
    due: [] as (() => void)[],
    nowMs: () => clock.nowValue,
    after(_delayMs: number, action: () => void) {
      clock.due.push(action);
      return () => {
        clock.due = clock.due.filter((other) => other !== action);
      };
    },
  };
  return clock;
}

t.test('a storage node says where it is and how full it is, again and again', async (t) => {
  const moray = await startTestMoray(t);
  const node = (id: string) => ({
    manta_storage_id: id,
    root: temporaryDirectory(t),
    host: '127.0.0.1',
    port: 0,
    zone_uuid: `zone-${id}`,
    manta_compute_id: '1.cn.test',
    server_uuid: 'server',
  });
  const nodes = [node('1.stor.test'), { ...node('2.stor.test'), url: 'http://storage.example.com:81' }];
  const removal = { graceMs: 1, orphanGraceMs: 1, everyMs: 1, walkEveryMs: 1 };
  const config = { nodes, datacenter: 'dc', moray: { url: moray.url }, heartbeatMs: 1000, removal, log: {} };
  const clock = manualClock();
  const service = await startStorage(config, log, clock);
  t.teardown(() => service.stop());
  const first = await moray.client.getObject('manta_storage', '1.stor.test');
  t.match(first.value, {
    hostname: '1.stor.test',
    manta_storage_id: '1.stor.test',
    manta_compute_id: '1.cn.test',
    zone_uuid: 'zone-1.stor.test',
    server_uuid: 'server',
    datacenter: 'dc',
    url: service.urls['1.stor.test'],
    availableMB: Number,
    percentUsed: Number,
    timestamp: clock.nowValue,
  });
  t.equal((await moray.client.getObject('manta_storage', '2.stor.test')).value['url'], 'http://storage.example.com:81');
  t.equal((await askHttp(`${service.urls['1.stor.test']}/ping`)).status, 200, 'it is there');
  const found: string[] = [];
  for await (const { key } of moray.client.findObjects('manta_storage', `(timestamp>=${clock.nowValue})`))
    found.push(key);
  t.same(found.sort(), ['1.stor.test', '2.stor.test'], 'placement finds it');

  const changed = new Promise<void>((resolve) => {
    const original = clock.after;
    clock.after = (delayMs, action) => {
      if (delayMs === 1000) resolve(); // the next beat is set when this one is written
      return original(delayMs, action);
    };
  });
  clock.nowValue += 30_000;
  for (const action of clock.due.splice(0)) action();
  await changed;
  t.equal((await moray.client.getObject('manta_storage', '1.stor.test')).value['timestamp'], clock.nowValue);
});

interface World {
  readonly moray: MorayClient;
  readonly nodes: readonly [TestStorageNode, TestStorageNode];
  readonly clock: ReturnType<typeof manualClock>;
  readonly options: RemovalOptions;
  /** Stores bytes on both nodes. @returns the object id. */
  store(): Promise<string>;
  name(objectId: string, path: string): Promise<void>;
  unname(objectId: string, path: string): Promise<void>;
  /** On how many nodes the bytes are. */
  copies(objectId: string): Promise<number>;
}

async function startWorld(t: import('tap').Test): Promise<World> {
  const { client: moray } = await startTestMoray(t);
  const nodes = [await startTestStorageNode(t), await startTestStorageNode(t)] as const;
  const ids = ['1.stor.test', '2.stor.test'];
  const sharks = ids.map((id) => ({ datacenter: 'dc', manta_storage_id: id }));
  const clock = manualClock();
  await moray.createBucket('manta', { index: { objectId: text, type: text, dirname: text }, options: { version: 2 } });
  await moray.createBucket('manta_delete_log', { index: { objectId: text }, options: { version: 1 } });
  const entry = (objectId: string) => ({ objectId, type: 'object', creator, owner: creator, sharks });
  await moray.putObject('manta', '/other', entry(crypto.randomUUID()));
  return {
    moray,
    nodes,
    clock,
    options: {
      moray,
      nodes: nodes.map(({ files }, index) => ({ storageId: ids[index] ?? '', files })),
      graceMs: 15 * minute,
      orphanGraceMs: day,
      log,
      clock,
    },
    async store() {
      const objectId = crypto.randomUUID();
      for (const { url } of nodes) await askHttp(`${url}/${creator}/${objectId}`, { method: 'PUT', body: 'bytes' });
      return objectId;
    },
    name: async (objectId, path) => {
      await moray.putObject('manta', path, entry(objectId));
    },
    unname: async (objectId, path) => {
      const value = entry(objectId);
      const key = `/${objectId}/${clock.nowValue}`;
      await moray.batch([
        { operation: 'delete', bucket: 'manta', key: path },
        { operation: 'put', bucket: 'manta_delete_log', key, value },
      ]);
    },
    async copies(objectId) {
      const answers = await Promise.all(nodes.map(({ url }) => askHttp(`${url}/${creator}/${objectId}`)));
      return answers.filter(({ status }) => status === 200).length;
    },
  };
}

async function logged(moray: MorayClient): Promise<number> {
  let count = 0;
  for await (const _record of moray.findObjects('manta_delete_log', '(objectId=*)')) count++;
  return count;
}

t.test('bytes go a while after their last entry went', async (t) => {
  const world = await startWorld(t);
  const { clock, options } = world;
  const [gone, linked] = [await world.store(), await world.store()];
  for (const objectId of [gone, linked]) await world.name(objectId, `/a/${objectId}`);
  await world.name(linked, '/b/link');
  for (const objectId of [gone, linked]) await world.unname(objectId, `/a/${objectId}`);
  clock.nowValue += 14 * minute;
  t.equal(await removeLogged(options), 0, 'not at once');
  clock.nowValue += 2 * minute;
  t.equal(await removeLogged(options), 2, 'both copies');
  t.equal(await world.copies(gone), 0);
  t.equal(await world.copies(linked), 2, 'a SnapLink keeps its bytes');
  t.equal(await logged(world.moray), 0, 'the log is done with');
  await world.unname(linked, '/b/link');
  clock.nowValue += 16 * minute;
  await removeLogged(options);
  t.equal(await world.copies(linked), 0, 'until it goes too');
});

t.test('each node removes its own copy, and the record of the log waits for the last', async (t) => {
  const world = await startWorld(t);
  const { clock, options } = world;
  const objectId = await world.store();
  await world.name(objectId, '/a/x');
  await world.unname(objectId, '/a/x');
  clock.nowValue += 16 * minute;
  t.equal(await removeLogged({ ...options, nodes: options.nodes.slice(0, 1) }), 1);
  t.same([await world.copies(objectId), await logged(world.moray)], [1, 1]);
  t.equal(await removeLogged({ ...options, nodes: options.nodes.slice(0, 1) }), 0, 'it is through');
  t.equal(await removeLogged({ ...options, nodes: options.nodes.slice(1) }), 1, 'without waiting once more');
  t.same([await world.copies(objectId), await logged(world.moray)], [0, 0]);
});

t.test('many records of the log are read in pages', async (t) => {
  const world = await startWorld(t);
  const count = 1200;
  const value = { objectId: crypto.randomUUID(), creator, sharks: [] };
  for (let start = 0; start < count; start += 400)
    await world.moray.batch(
      Array.from({ length: 400 }, (_, index) => {
        const key = `/${value.objectId}/${world.clock.nowValue + start + index}`;
        return { operation: 'put', bucket: 'manta_delete_log', key, value } as const;
      }),
    );
  world.clock.nowValue += 16 * minute;
  await removeLogged(world.options);
  t.equal(await logged(world.moray), 0);
});

t.test('bytes that never got an entry go after a day', async (t) => {
  const world = await startWorld(t);
  const { clock, options } = world;
  const [orphan, named] = [await world.store(), await world.store()];
  await world.name(named, '/a/x');
  t.equal(await removeOrphans(options), 0, 'not before');
  clock.nowValue += day + minute;
  t.equal(await removeOrphans(options), 2);
  t.same([await world.copies(orphan), await world.copies(named)], [0, 2]);
});

t.test('in doubt nothing is removed', async (t) => {
  const world = await startWorld(t);
  const { clock, moray, options } = world;
  const objectId = await world.store();
  await world.name(objectId, '/a/x');
  await world.unname(objectId, '/a/x');
  clock.nowValue += 2 * day;
  await moray.delObject('manta', '/other');
  t.equal(await removeOrphans(options), 0, 'the index is empty: is it the right one?');
  await moray.delBucket('manta');
  await t.rejects(removeOrphans(options), { name: 'BucketNotFoundError' });
  await t.rejects(removeLogged(options), { name: 'BucketNotFoundError' });
  await moray.createBucket('manta', { index: { type: text, size: number }, options: { version: 3 } });
  await t.rejects(removeLogged(options), 'the index cannot be asked by object id');
  t.equal(await world.copies(objectId), 2);
});
