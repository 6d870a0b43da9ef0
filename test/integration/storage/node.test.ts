import { spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import t from 'tap';
import { askHttp, startTestStorageNode, temporaryDirectory } from '../../support/storage.js';

const creator = crypto.randomUUID();
const md5 = (bytes: Uint8Array | string) => crypto.createHash('md5').update(bytes).digest('base64');
const newObject = () => `/${creator}/${crypto.randomUUID()}`;
const temporaries = (root: string) => fs.readdirSync(path.join(root, '.tmp'));

t.test('what is put can be read, whole, in parts, and by its head', async (t) => {
  const { url, root } = await startTestStorageNode(t);
  const object = newObject();
  const bytes = crypto.randomBytes(300_000);
  const headers = { expect: '100-continue', 'content-length': bytes.length, 'content-md5': md5(bytes) };
  const stored = await askHttp(url + object, { method: 'PUT', headers, body: bytes });
  t.match(stored, { status: 201, continued: true, headers: { 'x-joyent-computed-content-md5': md5(bytes) } });
  const whole = await askHttp(url + object);
  t.match(whole, { status: 200, headers: { 'content-length': '300000', 'accept-ranges': 'bytes' } });
  t.ok(whole.body.equals(bytes));
  const head = await askHttp(url + object, { method: 'HEAD' });
  t.match(head, { status: 200, headers: { 'content-length': '300000' }, body: Buffer.alloc(0) });
  const part = await askHttp(url + object, { headers: { range: 'bytes=1000-1999' } });
  t.match(part, { status: 206, headers: { 'content-range': 'bytes 1000-1999/300000', 'content-length': '1000' } });
  t.ok(part.body.equals(bytes.subarray(1000, 2000)));
  const end = await askHttp(url + object, { headers: { range: 'bytes=-5' } });
  t.ok(end.body.equals(bytes.subarray(-5)));
  const beyond = await askHttp(url + object, { headers: { range: 'bytes=300000-' } });
  t.match(beyond, { status: 416, headers: { 'content-range': 'bytes */300000' } });
  const file = path.join(root, object);
  t.equal(fs.statSync(file).mode & 0o777, 0o444, 'nobody writes an object');
  t.equal(fs.statSync(path.dirname(file)).mode & 0o777, 0o755, 'everybody may read it');
  t.same(temporaries(root), [], 'nothing is left');
});

t.test('an object is put without announcing its length, or is empty, or replaced', async (t) => {
  const { url } = await startTestStorageNode(t);
  const object = newObject();
  const chunked = { method: 'PUT', headers: { 'transfer-encoding': 'chunked' } };
  t.equal((await askHttp(url + object, { ...chunked, body: 'first' })).status, 201);
  t.equal((await askHttp(url + object, { ...chunked, body: 'second' })).status, 204, 'replaced');
  t.equal(String((await askHttp(url + object)).body), 'second');
  const empty = newObject();
  t.match(await askHttp(url + empty, { method: 'PUT' }), {
    status: 201,
    headers: { 'x-joyent-computed-content-md5': md5('') },
  });
  t.match(await askHttp(url + empty), { status: 200, headers: { 'content-length': '0' } });
});

t.test('what is refused, before the body is asked for', async (t) => {
  const { url, root } = await startTestStorageNode(t);
  const outside = path.join(root, '..', path.basename(newObject()));
  const uuid = crypto.randomUUID();
  // biome-ignore format: table
  const cases: readonly [title: string, method: string, path: string, headers: http.OutgoingHttpHeaders, status: number][] = [
    ['not base64',             'PUT', newObject(), { 'content-md5': 'nonsense' }, 400],
    ['digest of other length', 'PUT', newObject(), { 'content-md5': Buffer.alloc(20).toString('base64') }, 400],
    ['more than there is',     'PUT', newObject(), { 'content-length': 2 ** 52 }, 507],
    ['one component',          'PUT', `/${uuid}`, {}, 400],
    ['three components',       'PUT', `/${uuid}/${uuid}/${uuid}`, {}, 400],
    ['dots',                   'PUT', `/../${uuid}`, {}, 400],
    ['encoded dots',           'PUT', `/%2e%2e/${uuid}`, {}, 400],
    ['encoded slash',          'PUT', `/${uuid}/..%2f${path.basename(outside)}`, {}, 400],
    ['temporary files',        'PUT', `/.tmp/${uuid}`, {}, 400],
    ['no such object',         'GET', newObject(), {}, 404],
    ['no such object',         'HEAD', newObject(), {}, 404],
    ['a directory',            'GET', `/${creator}`, {}, 400],
    ['the root',               'GET', '/', {}, 400],
    ['removal',                'DELETE', newObject(), {}, 405],
    ['many for one object',    'POST', newObject(), { 'content-length': 0 }, 400],
    ['many, of no length',     'POST', `/${creator}`, { 'transfer-encoding': 'chunked' }, 413],
    ['too many',               'POST', `/${creator}`, { 'content-length': 2 ** 23 }, 413],
    ['patching',               'PATCH', newObject(), {}, 405],
  ];
  for (const [title, method, name, headers, status] of cases) {
    const expect = method === 'PUT' ? { expect: '100-continue', 'content-length': 5 } : {};
    const answer = await askRaw(url, method, name, { ...expect, ...headers });
    t.match(answer, new RegExp(`^HTTP/1.1 ${status} `), `${method} ${title}`);
  }
  t.notOk(fs.existsSync(outside));
  t.same(temporaries(root), []);
});

t.test('bytes with another digest than announced are refused', async (t) => {
  const { url, root } = await startTestStorageNode(t);
  const object = newObject();
  const answer = await askHttp(url + object, {
    method: 'PUT',
    headers: { 'content-md5': md5('other') },
    body: 'bytes',
  });
  t.match(answer, { status: 469, headers: { 'content-type': 'application/json' } });
  t.match(JSON.parse(String(answer.body)), { code: 'ContentMD5Mismatch' });
  t.equal((await askHttp(url + object)).status, 404);
  t.same(temporaries(root), []);
});

t.test('many small objects are stored by one request, or none counts', async (t) => {
  const { url, root } = await startTestStorageNode(t);
  const contents = ['one', 'two', ''];
  const objects = contents.map((content) => ({
    objectId: crypto.randomUUID(),
    md5: md5(content),
    body: Buffer.from(content).toString('base64'),
  }));
  const post = (body: object) =>
    askHttp(`${url}/${creator}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-length': Buffer.byteLength(JSON.stringify(body)) },
    });
  t.equal((await post({ objects })).status, 204);
  for (const [index, { objectId }] of objects.entries()) {
    t.equal(String((await askHttp(`${url}/${creator}/${objectId}`)).body), contents[index]);
  }
  t.equal((await post({ objects })).status, 204, 'and can be repeated');
  const [first] = objects;
  // biome-ignore format: table
  const refused: readonly [title: string, body: object, status: number, message: RegExp][] = [
    ['another digest', { objects: [{ ...first, md5: md5('other') }] },    469, /expected/],
    ['no digest',      { objects: [{ ...first, md5: undefined }] },       400, /md5/],
    ['no UUID',        { objects: [{ ...first, objectId: '../../x' }] },  400, /"\.\.\/\.\.\/x" is not a UUID/],
    ['no list',        {},                                                400, /objects/],
  ];
  for (const [title, body, status, message] of refused) {
    const answer = await post(body);
    t.equal(answer.status, status, title);
    t.match(JSON.parse(String(answer.body)).message, message, title);
  }
  t.same(temporaries(root), []);
});

t.test('an upload that breaks off leaves nothing, and the old object', async (t) => {
  const { url, root, files } = await startTestStorageNode(t);
  const object = newObject();
  await askHttp(url + object, { method: 'PUT', body: 'old' });
  const { port } = new URL(url);
  const socket = net.connect(Number(port), '127.0.0.1');
  socket.write(`PUT ${object} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n`);
  await once(socket, 'data');
  socket.write('half of it');
  await temporariesAre(root, 1);
  socket.destroy();
  await temporariesAre(root, 0);
  t.equal(String((await askHttp(url + object)).body), 'old');
  const found: string[] = [];
  for await (const { objectId } of files.walk()) found.push(objectId);
  t.same(found, [path.basename(object)]);
});

t.test('a connection that was idle is used again', async (t) => {
  const { url } = await startTestStorageNode(t);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  for (const reused of [false, true, true]) {
    const request = http.request(url + newObject(), { method: 'PUT', agent });
    request.end('bytes');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    t.equal(response.statusCode, 201);
    t.equal(request.reusedSocket, reused);
  }
});

t.test('a full disk is said to be full, and what was written of the object is given back', async (t) => {
  const root = temporaryDirectory(t);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', root]).status !== 0) {
    t.comment('skipped: a small file system cannot be mounted here (needs root with the right to mount)');
    return;
  }
  t.teardown(() => spawnSync('umount', ['-l', root]));
  const { url } = await startTestStorageNode(t, root);
  const chunked = { method: 'PUT', headers: { 'transfer-encoding': 'chunked' } };
  const answer = await askHttp(url + newObject(), { ...chunked, body: Buffer.alloc(1_200_000) });
  t.match(answer, { status: 507 });
  t.match(JSON.parse(String(answer.body)), {
    code: 'InsufficientStorage',
    message: `no space left on the disk of "${root}"`,
  });
  t.same(temporaries(root), []);
  t.equal(
    (await askHttp(url + newObject(), { ...chunked, body: Buffer.alloc(500_000) })).status,
    201,
    'room for others',
  );
});

t.test('what was answered with success is there after kill -9, and nothing else', async (t) => {
  const root = temporaryDirectory(t);
  const node = new URL('../../support/storage-process.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [node, root], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const url = String(line).trim();
  const stored: string[] = [];
  const uploads = Array.from({ length: 8 }, async () => {
    for (;;) {
      const object = newObject();
      const answer = await askHttp(url + object, { method: 'PUT', body: md5(object).repeat(4000) });
      if (answer.status !== 201) throw new Error(`status ${answer.status}`);
      stored.push(object);
      if (stored.length === 40) child.kill('SIGKILL');
    }
  });
  const half = http.request(url + newObject(), { method: 'PUT', headers: { 'content-length': 1000 } });
  half.on('error', () => {});
  half.write('half of it');
  await Promise.allSettled([...uploads, once(child, 'exit')]);
  const again = await startTestStorageNode(t, root);
  for (const object of stored) {
    const { status, body } = await askHttp(again.url + object);
    if (status !== 200 || String(body) !== md5(object).repeat(4000)) t.fail(`${object} is lost`);
  }
  for await (const { objectId } of again.files.walk()) {
    const file = fs.readFileSync(path.join(root, creator, objectId), 'utf8');
    if (file !== md5(`/${creator}/${objectId}`).repeat(4000)) t.fail(`${objectId} is not whole`);
  }
  t.ok(stored.length >= 40);
  t.same(temporaries(root), [], 'what dead uploads left is removed at the start');
});

async function temporariesAre(root: string, count: number): Promise<void> {
  const watcher = fs.watch(path.join(root, '.tmp'));
  while (temporaries(root).length !== count) await once(watcher, 'change');
  watcher.close();
}

/** The head of the answer; nothing is ever sent after the head of the request. */
async function askRaw(url: string, method: string, name: string, headers: http.OutgoingHttpHeaders): Promise<string> {
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
  const lines = Object.entries({ host: 'x', ...headers }).map(([key, value]) => `${key}: ${String(value)}\r\n`);
  socket.write(`${method} ${name} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return String(data);
}
