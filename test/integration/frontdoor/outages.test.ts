/** What clients see while the metadata store is away, or a storage node goes, and after. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { startTestFrontdoor } from '../../support/frontdoor.js';
import type { TestMoray } from '../../support/moray.js';

t.setTimeout(120_000);

t.test('while the store is away clients are asked to come back, and then all is as it was', async (t) => {
  const { ask, moray } = await startTestFrontdoor(t);
  await ask('PUT', '/wilma/stor/x', { body: 'before' });
  await moray.kill();
  const refused = await ask('PUT', '/wilma/stor/x', { body: 'during' });
  t.equal(refused.status, 503);
  t.match(JSON.parse(refused.body), { code: 'ServiceUnavailable', message: 'manta is unable to serve this request' });
  await moray.restart();
  let answer = await ask('GET', '/wilma/stor/x');
  while (answer.status === 503) answer = await ask('GET', '/wilma/stor/x');
  t.equal(answer.body, 'before');
  t.equal((await ask('PUT', '/wilma/stor/x', { body: 'after' })).status, 204);
});

/** A third storage node, which says that it takes an upload, and then does what the test wants. */
async function startOddNode(
  t: Test,
  { client }: TestMoray,
  onUpload: (request: http.IncomingMessage) => void,
): Promise<{ readonly uploads: () => number }> {
  let uploads = 0;
  const node = http.createServer();
  node.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
    uploads++;
    response.writeContinue();
    onUpload(request);
  });
  node.listen(0, '127.0.0.1');
  await once(node, 'listening');
  t.teardown(() => {
    node.close();
    node.closeAllConnections();
  });
  const { port } = node.address() as AddressInfo;
  await client.putObject('manta_storage', 'odd', {
    manta_storage_id: 'odd',
    datacenter: 'test',
    availableMB: 10_000,
    percentUsed: 1,
    timestamp: Date.now(),
    url: `http://127.0.0.1:${port}`,
  });
  return { uploads: () => uploads };
}

// biome-ignore format: table
const failures: readonly [how: string, onUpload: (request: http.IncomingMessage) => void][] = [
  ['goes in the middle of an upload', (request) => request.once('data', () => request.socket.destroy())],
  ['falls silent in the middle of an upload', (request) => request.socket.pause()],
  ['never says that it has stored an upload', (request) => request.resume()],
];

for (const [how, onUpload] of failures) {
  t.test(`a storage node that ${how} is no fault of the request: come again`, async (t) => {
    const { ask, moray } = await startTestFrontdoor(t, { storage: { pollMs: 50 }, dataTimeoutMs: 3_000 });
    const node = await startOddNode(t, moray, onUpload);
    const large = Buffer.alloc(20_000_000, 'x'); // more than connections hold
    let tries = 0;
    const put = (copies: number, body: Buffer | string) =>
      ask('PUT', `/wilma/stor/large${++tries}`, { headers: { 'durability-level': copies }, body });
    let answer = await put(3, large);
    while (node.uploads() === 0) answer = await put(3, large); // until the front door knows of the third node: two take what they can
    t.equal(answer.status, 503);
    t.match(JSON.parse(answer.body), { code: 'ServiceUnavailable' });
    t.equal((await ask('HEAD', `/wilma/stor/large${tries}`)).status, 404, 'nothing of it is seen');

    const asked = node.uploads();
    const again = [await put(2, 'x'), await put(2, 'x'), await put(2, 'x'), await put(2, 'x')];
    t.same([...new Set(again.map(({ status }) => status))], [204], 'the next go elsewhere at once');
    t.equal(node.uploads(), asked, 'while others are there, it is not asked');
  });
}
