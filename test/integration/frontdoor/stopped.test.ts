/**
 * A front door that is stopped between the bytes of an object and its entry for longer than storage nodes keep what has
 * no name: when it goes on, it must not acknowledge an object whose bytes are gone. It is a process of its own, stopped
 * by SIGSTOP where it counts: by the storage node that has just taken everything, and on the way to Moray. In the end it
 * is killed there.
 */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { startTestFrontdoor } from '../../support/frontdoor.js';
import { startServiceProcess } from '../../support/service-process.js';

t.setTimeout(120_000);

/** An hour and five minutes, for a test that has no time. */
const withinMs = 500;

const { ask, moray, accountsFile, tokenKeyFile, storageRoots } = await startTestFrontdoor(t);
let pid = 0;
let stopNext = false;
let killNext = false;

/** Resolves when it has been stopped for too long, and goes on. */
async function stopForTooLong(): Promise<void> {
  stopNext = false;
  process.kill(pid, 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 2 * withinMs));
  process.kill(pid, 'SIGCONT');
}

/** A third storage node, which has everything when it stops the front door. */
let uploads = 0;
const take = async (request: http.IncomingMessage, response: http.ServerResponse) => {
  uploads++;
  request.resume();
  await once(request, 'end');
  if (killNext) {
    killNext = false;
    process.kill(pid, 'SIGKILL');
  }
  const isOver = stopNext ? stopForTooLong() : undefined;
  response.writeHead(204);
  response.end();
  await isOver;
};
const node = http.createServer(take);
node.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
  response.writeContinue();
  void take(request, response);
});
node.listen(0, '127.0.0.1');
await once(node, 'listening');

/** Stops the front door when it has asked for an object named `source`. */
const morayUrl = new URL(moray.url);
const way = net.createServer((client) => {
  const server = net.connect({ host: morayUrl.hostname, port: Number(morayUrl.port) });
  client.on('data', (data) => {
    if (stopNext && data.includes('/stor/source')) void stopForTooLong();
  });
  client.pipe(server).pipe(client);
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
});
way.listen(0, '127.0.0.1');
await once(way, 'listening');
t.teardown(() => {
  node.close();
  node.closeAllConnections();
  way.close();
});

await moray.client.putObject('manta_storage', '3.stor.test', {
  manta_storage_id: '3.stor.test',
  datacenter: 'test',
  availableMB: 10_000,
  percentUsed: 1,
  timestamp: Date.now(),
  url: `http://127.0.0.1:${(node.address() as AddressInfo).port}`,
});
const frontdoor = await startServiceProcess(t, 'frontdoor', {
  config: {
    port: 0,
    accountsFile,
    tokenKeyFile,
    moray: { url: `tcp://127.0.0.1:${(way.address() as AddressInfo).port}` },
    storage: { pollMs: 50 },
    entryWithinMs: withinMs,
    linkWithinMs: withinMs,
  },
  maxHeapMb: 200,
});
({ pid } = frontdoor);
const { port } = frontdoor;
const everywhere = { 'durability-level': storageRoots.length + 1 };
const get = async (path: string) => (await ask('GET', path)).body;
const late = { code: 'ServiceUnavailable' };

// biome-ignore format: table
const kinds: readonly [title: string, body: string, headers: http.OutgoingHttpHeaders][] = [
  ['small object', 'new', {}],
  ['stream',       'new'.repeat(100_000), { 'transfer-encoding': 'chunked' }],
  ['announced',    'new'.repeat(100_000), { expect: '100-continue', 'content-length': 300_000 }],
];
for (const [title, body, headers] of kinds) {
  t.test(`${title}: a name that comes too late is not given`, async (t) => {
    const path = `/wilma/stor/${encodeURIComponent(title)}`;
    await ask('PUT', path, { body: 'old' });
    stopNext = true;
    const before = uploads;
    const refused = await ask('PUT', path, { port, headers: { ...everywhere, ...headers }, body });
    t.equal(uploads, before + 1, 'the bytes were everywhere');
    t.equal(refused.status, 503);
    t.match(JSON.parse(refused.body), late);
    t.equal(await get(path), 'old', 'what was there is there');
    const again = await ask('PUT', path, { port, headers: { ...everywhere, ...headers }, body });
    t.equal(again.status, 204, 'and in time it is');
    t.equal(await get(path), body);
  });
}

t.test('a link that comes too late is not made', async (t) => {
  await ask('PUT', '/wilma/stor/source', { body: 'linked' });
  const headers = { 'content-type': 'application/json; type=link', location: '/wilma/stor/source' };
  stopNext = true;
  const refused = await ask('PUT', '/wilma/stor/link', { port, headers });
  t.notOk(stopNext, 'it was stopped when it looked at the source');
  t.match(JSON.parse(refused.body), late);
  t.equal((await ask('HEAD', '/wilma/stor/link')).status, 404);
  t.equal((await ask('PUT', '/wilma/stor/link', { port, headers })).status, 204);
  t.equal(await get('/wilma/stor/link'), 'linked');
});

t.test('nor is anything seen of an object whose front door was killed', async (t) => {
  await ask('PUT', '/wilma/stor/killed', { body: 'old' });
  const [, body, headers] = kinds[1] ?? [];
  killNext = true;
  await t.rejects(ask('PUT', '/wilma/stor/killed', { port, headers: { ...everywhere, ...headers }, body: body ?? '' }));
  t.equal(await get('/wilma/stor/killed'), 'old');
  t.equal((await ask('PUT', '/wilma/stor/killed', { body: 'new' })).status, 204);
});
