import t from 'tap';
import { createLogger } from '../../../src/common/logging.js';
import { customHttpError } from '../../../src/http/errors.js';
import { createOperatorServer } from '../../../src/http/operator-server.js';

const log = createLogger({ name: 'test', level: 'fatal' });
let asked = 0;
const server = await createOperatorServer({
  name: 'Test',
  host: '127.0.0.1',
  port: 0,
  log,
  snapshot: () => ({ asked: ++asked }),
  schema: { job: { summaryFields: ['state'] } },
  routes: [
    {
      method: 'post',
      path: '/zones/:zone/disable',
      handle: async (request, response) => {
        const { zone, why } = request.params as Record<string, string>;
        if (zone === 'gone') throw customHttpError({ statusCode: 404, code: 'NotFound', message: `no zone ${zone}` });
        if (zone === 'broken') throw new Error('out of luck');
        response.json(200, { zone, why });
      },
    },
    {
      method: 'post',
      path: '/quiesce',
      handle: async (_request, response) => {
        response.send(204);
      },
    },
  ],
});
t.teardown(() => server.stop());
const url = `http://127.0.0.1:${server.port}`;
const ask = async (path: string, method = 'GET') => {
  const response = await fetch(`${url}${path}`, { method });
  const text = await response.text();
  return [response.status, text === '' ? null : (JSON.parse(text) as unknown)];
};

t.test('operators ask by HTTP', async (t) => {
  t.same(await ask('/kang/snapshot'), [200, { asked: 1 }]);
  t.same(await ask('/kang/snapshot'), [200, { asked: 2 }], 'a snapshot is taken at each request');
  t.same(await ask('/kang/schema'), [200, { job: { summaryFields: ['state'] } }]);
  t.match(await ask('/kang/other'), [404, { code: 'ResourceNotFound' }]);
  t.same(
    await ask('/zones/z1/disable?why=test', 'POST'),
    [200, { zone: 'z1', why: 'test' }],
    'parameters of path and query',
  );
  t.same(await ask('/zones/gone/disable', 'POST'), [404, { code: 'NotFound', message: 'no zone gone' }]);
  t.same(await ask('/zones/broken/disable', 'POST'), [500, { code: 'InternalError', message: 'out of luck' }]);
  t.same(await ask('/quiesce', 'POST'), [204, null]);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  t.match(metrics, /http_requests_completed\{operation="get \/kang\/snapshot",method="GET",status="200"\} 2/);
  t.match(metrics, /http_request_latency_seconds_bucket/);
});

t.test('a port in use is told to whoever starts the server', async (t) => {
  const options = { name: 'Second', host: '127.0.0.1', port: server.port, log, snapshot: () => ({}) };
  await t.rejects(createOperatorServer(options), { code: 'EADDRINUSE' });
});
