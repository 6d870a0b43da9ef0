import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import t from 'tap';
import { mapTask, startFakeAgent, startLackey, text } from '../../support/lackey.js';

t.test('the storage endpoint', async (t) => {
  const agent = await startFakeAgent(t);
  const lackey = startLackey(t, agent);
  const port = await lackey.port;
  const request = (options: http.RequestOptions) => http.request({ host: '127.0.0.1', port, agent: false, ...options });
  const exchange = async (options: http.RequestOptions, body?: string) => {
    const sent = request(options);
    sent.end(body && Buffer.from(body)); // of a string Node would encode the headers likewise
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() };
  };
  agent.directories.add('/bob/stor');
  agent.objects.set('/bob/stor/x', { body: 'content', headers: {} });

  await t.test('tidies paths, keeps queries, headers and bodies', async (t) => {
    const got = await exchange({ path: '/bob//stor/x/?limit=2&marker=a//b/' });
    t.equal(got.body, 'content');
    t.equal(got.headers.etag, '"1"');
    t.equal(agent.requests.at(-1), 'GET /bob/stor/x?limit=2&marker=a//b/');
    const put = await exchange({ method: 'PUT', path: '/bob/stor/y', headers: { 'x-own': 'Ä' } }, 'body');
    t.equal(put.status, 204);
    t.equal(agent.objects.get('/bob/stor/y')?.body, 'body');
    t.equal(agent.objects.get('/bob/stor/y')?.headers['x-own'], 'Ä');
  });

  await t.test('gives 404 to a report, however it is spelled, and 405 to what it does not know', async (t) => {
    for (const path of [
      '/my/jobs/task/report',
      '//my/jobs/task/report/?x',
      '/my/jobs/task/%72eport',
      '/my%2Fjobs/task/report',
    ])
      t.equal((await exchange({ method: 'POST', path }, '{}')).status, 404, path);
    t.equal((await exchange({ method: 'PATCH', path: '/bob' })).status, 405);
    t.notOk(agent.requests.some((line) => line.includes('eport')));
  });

  await t.test('asks the agent before it asks for a body', async (t) => {
    const refused = request({
      method: 'PUT',
      path: '/refused',
      headers: { expect: '100-continue', 'content-length': 5 },
    });
    agent.intercept = ({ url }, response) => {
      if (url !== '/refused') return false;
      response.writeHead(409, { 'content-length': 0 }).end();
      return true;
    };
    refused.on('continue', () => t.fail('told to go on'));
    refused.flushHeaders();
    const [response] = (await once(refused, 'response')) as [http.IncomingMessage];
    t.equal(response.statusCode, 409);
    refused.destroy();

    const accepted = request({
      method: 'PUT',
      path: '/bob/stor/z',
      headers: { expect: '100-continue', 'content-length': 5 },
    });
    accepted.flushHeaders();
    await once(accepted, 'continue');
    accepted.end('hello');
    await once(accepted, 'response');
    t.equal(agent.objects.get('/bob/stor/z')?.body, 'hello');
  });

  await t.test('survives clients that leave, any number of them', async (t) => {
    let aborted = 0;
    let arrived = 0;
    let allAborted = () => {};
    const all = new Promise<void>((resolve) => {
      allAborted = resolve;
    });
    const waiting = 40;
    const clients: net.Socket[] = [];
    agent.intercept = ({ url }, response) => {
      if (url !== '/slow') return false;
      response.on('close', () => {
        aborted++;
        if (aborted === waiting) allAborted();
      });
      // 16 at a time reach the agent: each that leaves lets another one in
      clients[arrived++]?.destroy();
      return true;
    };
    for (let n = 0; n < waiting; n++) {
      const client = net.connect(port, '127.0.0.1');
      clients.push(client);
      client.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n');
    }
    await all;
    t.equal((await exchange({ path: '/bob/stor/x' })).body, 'content');
  });

  await t.test('says why when the agent cannot be asked', async (t) => {
    agent.intercept = ({ url }, response) => {
      if (url !== '/gone') return false;
      response.socket?.destroy();
      return true;
    };
    const answer = await exchange({ path: '/gone' });
    t.equal(answer.status, 500);
    t.same(JSON.parse(answer.body), { message: 'socket hang up' });
  });

  await t.test('an emitted output replaces stdout, for this task only', async (t) => {
    const put = (stream: string, path: string) =>
      `node -e 'require("http").request("http://127.0.0.1:${port}${path}",{method:"PUT",headers:{"x-manta-stream":"${stream}"}}).end()'`;
    const run = async (exec: string) => text((await agent.run(mapTask(agent, exec))).stdout);
    t.equal(await run(`${put('stdout', '/bob/stor/e')}; echo out`), undefined);
    t.equal(await run('echo out'), 'out\n');
    t.equal(await run(`${put('stderr', '/bob/stor/e')}; echo out`), 'out\n');
    t.equal(await run(`${put('stdout', '/my/jobs/task/x')}; echo out`), 'out\n');
  });
});
