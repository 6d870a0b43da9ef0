/** What clients see while the metadata store is away, and after. */
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
