/** What clients see while the metadata store is away, or a storage node goes, and after. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { startTestFrontdoor } from '../../support/frontdoor.js';

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

t.test('a storage node that goes in the middle of an upload is no fault of the request: come again', async (t) => {
  const { ask, moray } = await startTestFrontdoor(t, { storage: { pollMs: 50 } });
  const node = http.createServer();
  let cutOff = 0;
  node.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
    response.writeContinue();
    request.once('data', () => {
      cutOff++;
      request.socket.destroy();
    });
  });
  node.listen(0, '127.0.0.1');
  await once(node, 'listening');
  t.teardown(() => node.close());
  const { port } = node.address() as AddressInfo;
  await moray.client.putObject('manta_storage', 'dying', {
    manta_storage_id: 'dying',
    datacenter: 'test',
    availableMB: 10_000,
    percentUsed: 1,
    timestamp: Date.now(),
    url: `http://127.0.0.1:${port}`,
  });
  const body = Buffer.alloc(200_000, 'x');
  let tries = 0;
  const put = () => ask('PUT', `/wilma/stor/large${++tries}`, { headers: { 'durability-level': 3 }, body });
  let answer = await put();
  while (cutOff === 0) answer = await put(); // until the front door knows of the third node: two take what they can
  t.equal(answer.status, 503);
  t.match(JSON.parse(answer.body), { code: 'ServiceUnavailable' });
  t.equal((await ask('HEAD', `/wilma/stor/large${tries}`)).status, 404, 'nothing of it is seen');
});
