/** The meeting place of interactive sessions, by raw WebSocket: who may attach, what is relayed, how sessions end. */
import crypto from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { Socket } from 'node:net';
import t from 'tap';
import { acceptanceOf, openWebSocket, type WebSocketConnection } from '../../../src/http/websocket/connection.js';
import { startTestFrontdoor } from '../../support/frontdoor.js';

const { ask, port, signed, moray } = await startTestFrontdoor(t);

async function createJob(): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const answer = await ask('POST', '/wilma/jobs', { headers, body: '{"phases":[{"exec":"wc"}]}' });
  return String(answer.headers.location).split('/').at(-1) ?? '';
}

interface End {
  readonly connection: WebSocketConnection;
  readonly socket: Socket;
  /** The next message, or the end. */
  next(): Promise<string>;
}

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** As the published client asks: without a version. */
async function attach(jobId: string, role: string, login = 'wilma'): Promise<End | Refusal> {
  const key = crypto.randomBytes(16).toString('base64');
  const headers = { ...signed(login), connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-key': key };
  const path = `/wilma/medusa/attach/${jobId}/${role}`;
  const request = http.request({ host: '127.0.0.1', port, agent: false, path, headers }).end();
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('response', async (response) => {
      let body = '';
      for await (const chunk of response) body += String(chunk);
      resolve({ status: response.statusCode ?? 0, ...(JSON.parse(body) as { code: string; message: string }) });
    });
    request.once('upgrade', (response, socket, head) => {
      t.match(response.headers, { upgrade: 'websocket', connection: 'Upgrade' });
      t.equal(response.headers['sec-websocket-accept'], acceptanceOf(key));
      resolve(endOf(socket as Socket, head));
    });
  });
}

function endOf(socket: Socket, head: Buffer): End {
  const heard: string[] = [];
  let wake = () => {};
  const add = (what: string) => {
    heard.push(what);
    wake();
  };
  const handlers = {
    onText: (text: string) => add(text),
    onBinary: (bytes: Buffer) => add(`binary ${bytes.toString()}`),
    onDrain: () => {},
    onEnd: (reason: string | null) => add(`end ${reason}`),
  };
  const connection = openWebSocket(socket, { head, end: 'client', maxMessageBytes: 1 << 20, handlers });
  return {
    connection,
    socket,
    async next() {
      for (;;) {
        const message = heard.shift();
        if (message !== undefined && !message.includes('"wait"')) return message;
        if (message === undefined) await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

function attached(end: End | Refusal): End {
  if ('connection' in end) return end;
  throw new Error(`refused: ${JSON.stringify(end)}`);
}

t.test('two ends meet and are linked', async (t) => {
  const job = await createJob();
  t.match(await attach(job, 'slave'), { status: 404, message: `Session for job ${job} was not found` });
  const master = attached(await attach(job, 'master'));
  t.match(await attach(job, 'master'), { message: 'session exists already' });
  master.connection.sendText('before anybody listens');
  const slave = attached(await attach(job, 'slave'));
  t.equal(await master.next(), 'medusa:{"type":"linkup"}');
  t.equal(await slave.next(), 'medusa:{"type":"linkup"}', 'and nothing that was said before');
  t.match(await attach(job, 'slave'), { message: 'session already has a slave' });
  master.connection.sendText('mlogin:{"type":"start"}');
  master.connection.sendBinary(Buffer.from('typed'));
  t.equal(await slave.next(), 'mlogin:{"type":"start"}');
  t.equal(await slave.next(), 'binary typed');
  slave.connection.sendBinary(Buffer.from('shown'));
  t.equal(await master.next(), 'binary shown');
  master.connection.close('done');
  t.equal(await slave.next(), 'end done', 'the reason is passed on');
});

t.test('an end that breaks ends the other; the job can have a session again', async (t) => {
  const job = await createJob();
  const master = attached(await attach(job, 'master'));
  const slave = attached(await attach(job, 'slave'));
  for (const end of [master, slave]) await end.next();
  slave.socket.destroy();
  t.equal(await master.next(), 'end remote connection error');
  const again = attached(await attach(job, 'master'));
  again.socket.destroy();
  await once(again.socket, 'close');
});

t.test('refusals', async (t) => {
  const job = await createJob();
  const nowhere = crypto.randomUUID();
  t.match(await attach(nowhere, 'master'), { status: 404, code: 'ResourceNotFound' });
  t.match(await attach(job, 'master', 'fred'), { status: 403 });
  t.match(await attach(job, 'apprentice'), { status: 400, message: '"apprentice" is invalid for "type"' });
  const plain = await ask('GET', `/wilma/medusa/attach/${job}/master`);
  t.match(JSON.parse(plain.body), {
    code: 'ExpectedUpgrade',
    message: `/wilma/medusa/attach/${job}/master requires a Websocket Upgrade`,
  });
  const { value } = await moray.client.getObject('marlin_jobs_v2', job);
  await moray.client.putObject('marlin_jobs_v2', job, { ...value, state: 'done' });
  t.match(await attach(job, 'master'), { status: 409, message: `job ${job} is in state 'done'` });
});

t.test('an offer of another protocol is not taken, and the request is answered', async (t) => {
  const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQ' };
  const put = await ask('PUT', '/wilma/stor/offer', { headers, body: 'content' });
  t.equal(put.status, 204);
  t.equal((await ask('GET', '/wilma/stor/offer', { headers })).body, 'content');
});
