/**
 * Bare connections, through real sockets: who holds many keeps nobody out, and what is too much is told so. All of
 * 127.0.0.0/8 is this machine, so that tests come from several addresses.
 */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import t from 'tap';
import { startTestFrontdoor, type TestAnswer, type TestFrontdoor } from '../../support/frontdoor.js';
import { sendRaw } from '../../support/mangle.js';
import type { TestContext } from '../../support/one-box.js';

const stranger = '127.0.0.2';
const another = '127.0.0.3';
const third = '127.0.0.4';

interface Kept {
  readonly socket: net.Socket;
  /** One request, and the head of its answer. */
  ask(lines: readonly string[]): Promise<string>;
  readonly closed: Promise<unknown>;
}

/** A connection from an address of our choice. */
async function connect(t: TestContext, { port }: TestFrontdoor, localAddress = stranger): Promise<Kept> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => {}); // it is cut off, which is what these tests are about
  t.teardown(() => {
    socket.destroy();
  });
  socket.resume(); // else its end would go unread
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return {
    socket,
    closed,
    async ask(lines) {
      socket.write(`${[...lines, '', ''].join('\r\n')}`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      return answer.toString();
    },
  };
}

const look = ['HEAD /wilma/public HTTP/1.1', 'host: x'];

/** An upload that has begun and not ended: its connection is busy. */
async function upload(frontdoor: TestFrontdoor, localAddress = stranger): Promise<http.ClientRequest> {
  const headers = { ...frontdoor.signed('wilma'), expect: '100-continue', 'content-length': 4 };
  const path = `/wilma/stor/${Math.random()}`;
  const request = http.request({ port: frontdoor.port, method: 'PUT', path, headers, agent: false, localAddress });
  request.on('error', () => {});
  request.flushHeaders();
  await once(request, 'continue');
  return request;
}

async function finish(request: http.ClientRequest): Promise<number | undefined> {
  request.end('done');
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  answer.resume();
  await once(answer, 'close');
  return answer.statusCode;
}

async function metric({ monitorUrl }: TestFrontdoor, name: string): Promise<number> {
  const text = await (await fetch(`${monitorUrl}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')
      .at(-1) ?? 0,
  );
}

async function counts({ monitorUrl }: TestFrontdoor) {
  const snapshot = (await (await fetch(`${monitorUrl}/kang/snapshot`)).json()) as {
    connections: { open: number; idle: number; byAddress: Record<string, number> };
  };
  return snapshot.connections;
}

/** Until the server has seen what we did: it sees it in its own time. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo()));
}

async function askUntilServed(ask: () => Promise<TestAnswer>): Promise<TestAnswer> {
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503) return answer;
  }
}

/** Once its own publishing, which comes through the same door, is over. */
async function start(t: TestContext, change: object): Promise<TestFrontdoor> {
  const frontdoor = await startTestFrontdoor(t, change);
  const asset = `/${frontdoor.accounts.poseidon.uuid}/public/medusa/agent.sh`;
  const { client } = frontdoor.moray;
  await until(() =>
    client.getObject('manta', asset).then(
      () => true,
      () => false,
    ),
  );
  await until(async () => (await counts(frontdoor)).open === 0);
  return frontdoor;
}

t.test('a thousand idle connections of one address keep nobody out', async (t) => {
  const frontdoor = await start(t, { limits: { connectionsPerAddress: 1_000, connections: 1_010 } });
  const { ask } = frontdoor;
  const held: Kept[] = [];
  while (held.length < 1_000) held.push(await connect(t, frontdoor));
  for (const [index, { socket }] of held.entries()) if (index % 2 === 0) socket.write('GET /wilma/stor HTTP/1.1\r\nho');
  t.match(await counts(frontdoor), { open: 1_000, idle: 1_000, byAddress: { [stranger]: 1_000 } });
  t.equal(await metric(frontdoor, 'marlin_frontdoor_connections{state="idle"}'), 1_000);
  t.equal((await ask('GET', '/wilma/stor')).status, 200, 'others are served');
  const [oldest] = held;
  let answer: string;
  do answer = await (await connect(t, frontdoor)).ask(look);
  while (answer.startsWith('HTTP/1.1 503 ')); // what was opened just now does not count as idle
  t.match(answer, /^HTTP\/1\.1 200 /, 'and so is the same address: its oldest makes room');
  await oldest?.closed;
  t.equal((await counts(frontdoor)).byAddress[stranger], 1_000);
  t.equal(await metric(frontdoor, 'marlin_frontdoor_connections_closed_for_room_total'), 1);
});

t.test('connections of one address', async (t) => {
  const frontdoor = await start(t, { limits: { connectionsPerAddress: 2 } });
  const { port } = frontdoor;
  const [first] = [await upload(frontdoor), await upload(frontdoor)];
  const extra = await connect(t, frontdoor);
  const answer = await extra.ask(['GET /wilma/public HTTP/1.1', 'host: x']);
  t.match(answer, /^HTTP\/1\.1 503 /, 'one more than may be is answered');
  t.match(answer, /^connection: close\r$/im);
  t.match(answer, /^retry-after: 1\r$/im);
  const { code, message } = JSON.parse(answer.slice(answer.indexOf('{')));
  t.same(
    { code, message },
    {
      code: 'ThrottledError',
      message: 'manta throttled this request: 127.0.0.2 may have 2 connections open',
    },
  );
  await extra.closed;
  const silent = await connect(t, frontdoor);
  await silent.closed;
  t.pass('and closed when it asks nothing');
  const crowd: Kept[] = [];
  for (let count = 0; count < 200; count++) crowd.push(await connect(t, frontdoor));
  await Promise.all(crowd.map(({ closed }) => closed));
  t.equal(await metric(frontdoor, 'marlin_frontdoor_throttled_total{limit="connectionsPerAddress"}'), 202);
  t.same((await counts(frontdoor)).byAddress, { [stranger]: 2 });
  const other = await connect(t, frontdoor, another);
  t.match(await other.ask(look), /^HTTP\/1\.1 200 /, 'another address is not held back');
  t.equal((await sendRaw(port, 'GET /ping HTTP/1.1\r\nconnection: close\r\nhost: x\r\n\r\n')).statuses[0], 200);
  t.equal(first && (await finish(first)), 204, 'what is under way goes on');
  await until(async () => (await counts(frontdoor)).byAddress[stranger] === 1);
  t.match(await (await connect(t, frontdoor)).ask(look), /^HTTP\/1\.1 200 /, 'and leaves room');
});

t.test('connections of everybody', async (t) => {
  const frontdoor = await start(t, { limits: { connections: 2 } });
  const kept = await connect(t, frontdoor, third);
  t.match(await kept.ask(look), /^HTTP\/1\.1 200 /);
  const busy = await upload(frontdoor);
  t.equal((await askUntilServed(() => frontdoor.ask('GET', '/wilma/stor'))).status, 200, 'an idle one makes room');
  await kept.closed;
  await until(async () => (await counts(frontdoor)).open === 1);
  const busyToo = await upload(frontdoor, another);
  const refused = await frontdoor.ask('GET', '/wilma/stor');
  t.equal(refused.status, 503, 'busy ones do not');
  t.match(JSON.parse(refused.body).message, /: this server may have 2 connections open$/);
  t.ok((await metric(frontdoor, 'marlin_frontdoor_throttled_total{limit="connections"}')) >= 1);
  t.same([await finish(busy), await finish(busyToo)], [204, 204]);
});

t.test('jobs and operators have no limit, and may be idle', async (t) => {
  const frontdoor = await start(t, { limits: { connectionsPerAddress: 1 }, socketTimeoutMs: 500 });
  const { moray, ask } = frontdoor;
  const job = await ask('POST', '/wilma/jobs', {
    headers: { 'content-type': 'application/json' },
    body: '{"phases":[{"exec":"wc"}]}',
  });
  const { value } = await moray.client.getObject<{ authToken: string }>(
    'marlin_jobs_v2',
    String(job.headers.location).slice(-36),
  );
  const { date, authorization } = frontdoor.signed('poseidon') as { date: string; authorization: string };
  const get = ['GET /wilma/stor HTTP/1.1', 'host: x', 'accept: application/x-json-stream'];
  const asTask = [...get, `authorization: Token ${value.authToken}`];
  const asOperator = [...get, `date: ${date}`, `authorization: ${authorization}`];
  const ofTasks: Kept[] = [];
  for (let count = 0; count < 3; count++) {
    const kept = await connect(t, frontdoor);
    t.match(await kept.ask(asTask), /^HTTP\/1\.1 200 /);
    ofTasks.push(kept);
  }
  const ofOperator = await connect(t, frontdoor);
  t.match(await ofOperator.ask(asOperator), /^HTTP\/1\.1 200 /);
  t.match(await counts(frontdoor), { open: 4, idle: 0, byAddress: {} });
  const ordinary = await connect(t, frontdoor);
  t.match(await ordinary.ask(look), /^HTTP\/1\.1 200 /, 'the address has all its own');
  await ordinary.closed;
  t.pass('which is closed when it has been silent for too long');
  for (const kept of [...ofTasks, ofOperator]) {
    t.match(await kept.ask(asTask), /^HTTP\/1\.1 200 /, 'those that were silent for longer are there');
  }
});

t.test('behind a balancer all connections are its own', async (t) => {
  const frontdoor = await start(t, { limits: { connectionsPerAddress: 1, behindBalancer: true } });
  const uploads = [await upload(frontdoor), await upload(frontdoor), await upload(frontdoor)];
  for (const request of uploads) t.equal(await finish(request), 204);
});

t.test('requests of one connection', async (t) => {
  const frontdoor = await start(t, { limits: { requestsPerConnection: 3 } });
  const { ask, closed } = await connect(t, frontdoor);
  t.notMatch(await ask(look), /^connection: close\r$/im);
  t.notMatch(await ask(look), /^connection: close\r$/im);
  t.match(await ask(look), /^HTTP\/1\.1 200 .*^connection: close\r$/ims, 'the last answer says that it is the last');
  await closed;
});

t.test('heads that do not come', async (t) => {
  const frontdoor = await start(t, { headTimeoutMs: 200 });
  const silent = await connect(t, frontdoor);
  const slow = await connect(t, frontdoor);
  slow.socket.write('GET /wilma/public HTTP/1.1\r\nx: ');
  const drip = setInterval(() => slow.socket.write('y'), 20);
  t.teardown(() => clearInterval(drip));
  const [answer] = (await once(slow.socket, 'data')) as [Buffer];
  t.match(answer.toString(), /^HTTP\/1\.1 408 /, 'however steadily its letters drip in');
  await Promise.all([silent.closed, slow.closed]);
  t.equal((await frontdoor.ask('GET', '/wilma/stor')).status, 200);
});
