/** Objects by raw HTTP: what the published commands do not send, or send only by bad luck. */
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import t from 'tap';
import { startTestFrontdoor } from '../../support/frontdoor.js';

const frontdoor = await startTestFrontdoor(t);
const { ask } = frontdoor;

const directory = { 'content-type': 'application/json; type=directory' };
const expecting = { expect: '100-continue' };

t.test('ranges', async (t) => {
  await ask('PUT', '/wilma/stor/x1', { body: '0123456789' });
  // biome-ignore format: table
  const cases: readonly [range: string, status: number, body: string | undefined, contentRange: string | undefined][] = [
    ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=5-100', 206, '56789', 'bytes 5-9/10'],
    ['bytes=10-', 416, undefined, 'bytes */10'],
    ['bytes=x', 416, undefined, 'bytes */10'],
    ['bytes=0-1,2-3', 501, undefined, undefined],
  ];
  for (const [range, status, body, contentRange] of cases) {
    const answer = await ask('GET', '/wilma/stor/x1', { headers: { range } });
    t.equal(answer.status, status, `${range}: ${status}`);
    if (body !== undefined) t.equal(answer.body, body, `${range}: "${body}"`);
    t.equal(answer.headers['content-range'], contentRange, `${range}: ${contentRange}`);
  }
  const { etag, 'last-modified': mtime } = (await ask('HEAD', '/wilma/stor/x1')).headers;
  const before = new Date(Date.parse(String(mtime)) - 1000).toUTCString();
  // biome-ignore format: table
  const resumptions: readonly [ifRange: string, status: number][] = [
    [String(etag), 206], [`"${etag}"`, 206], [String(mtime), 206], ['"another"', 200], [before, 200], ['*', 200],
  ];
  for (const [ifRange, status] of resumptions) {
    const answer = await ask('GET', '/wilma/stor/x1', { headers: { range: 'bytes=2-3', 'if-range': ifRange } });
    t.equal(answer.status, status, `if-range ${ifRange}: ${status}`);
    t.equal(answer.body, status === 206 ? '23' : '0123456789', 'never a part of another object');
  }
  const empty = await ask('PUT', '/wilma/stor/empty1');
  t.equal(empty.headers['computed-md5'], '1B2M2Y8AsgTpgAmY7PhCfg==', 'nothing has a digest, too');
  const none = await ask('GET', '/wilma/stor/empty1', { headers: { range: 'bytes=0-10' } });
  t.equal(none.status, 200, 'an empty object is given whole');
  t.equal(none.headers['durability-level'], '0');
});

t.test('conditional requests', async (t) => {
  const first = await ask('PUT', '/wilma/stor/x2', { headers: { 'if-none-match': '*' }, body: 'one' });
  t.equal(first.status, 204, 'nothing was there');
  const etag = String(first.headers.etag);
  const code = async (method: string, headers: http.OutgoingHttpHeaders) =>
    (await ask(method, '/wilma/stor/x2', { headers, body: method === 'PUT' ? 'two' : '' })).status;
  t.equal(await code('PUT', { 'if-none-match': '*' }), 412, 'now something is');
  t.equal(await code('PUT', { 'if-match': 'other' }), 412, 'and it is something else');
  t.equal(await code('GET', { 'if-none-match': etag }), 304, 'the client has it already');
  t.equal(await code('GET', { 'if-match': `"${etag}"` }), 200, 'quotes do not matter');
  t.equal(await code('DELETE', { 'if-match': 'other' }), 412);
  t.equal(await code('PUT', { 'if-match': etag }), 204);
  const racers = await Promise.all(
    ['a', 'b', 'c', 'd'].map((body) => ask('PUT', '/wilma/stor/race2', { headers: { 'if-none-match': '*' }, body })),
  );
  t.equal(racers.filter(({ status }) => status === 204).length, 1, 'of those who race to be first, one wins');
});

t.test('a client is told to go on only after every check', async (t) => {
  const put = (target: string, headers: http.OutgoingHttpHeaders = {}, body = 'hello') =>
    ask('PUT', target, { headers: { ...expecting, 'content-length': body.length, ...headers }, body });
  const good = await put('/wilma/stor/x3');
  t.ok(good.continued && good.status === 204, 'a good request is told to go on');
  const hopeless = [
    await put('/wilma/stor/no/x'),
    await put('/wilma/stor/x3/y'),
    await put('/wilma/stor'),
    await put('/wilma/stor/x3', { 'if-none-match': '*' }),
    await put('/wilma/stor/x3', { 'x-durability-level': '77' }),
    await put('/wilma/stor/x3', { 'x-durability-level': '0x2' }),
    await put('/wilma/stor/x3', { 'content-length': String(2 ** 50) }),
    await put('/wilma/stor/x3', { authorization: 'Token nonsense' }),
    await put('/fred/stor/x'),
  ];
  t.notOk(
    hopeless.some(({ continued }) => continued),
    'a hopeless one never is',
  );
  t.same(
    hopeless.map(({ body }) => (JSON.parse(body) as { code: string }).code),
    [
      'DirectoryDoesNotExist',
      'ParentNotDirectory',
      'OperationNotAllowedOnRootDirectory',
      'PreconditionFailed',
      'InvalidDurabilityLevel',
      'InvalidDurabilityLevel',
      'NotEnoughSpace',
      'InvalidAuthenticationToken',
      'AuthorizationFailed',
    ],
    'and it is told why',
  );
  t.equal((await ask('GET', '/wilma/stor/x3')).body, 'hello', 'the old object is untouched');
});

t.test('digests', async (t) => {
  await ask('PUT', '/wilma/stor/x4', { body: 'old' });
  const wrong = await ask('PUT', '/wilma/stor/x4', {
    headers: { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' },
    body: 'new',
  });
  t.match(JSON.parse(wrong.body), { code: 'ContentMD5Mismatch' });
  const odd = await ask('PUT', '/wilma/stor/x4', { headers: { 'content-md5': 'odd' }, body: 'new' });
  t.match(JSON.parse(odd.body), { code: 'BadRequestError' });
  t.equal((await ask('GET', '/wilma/stor/x4')).body, 'old', 'the old object is still there');
});

t.test('what a client did not finish never becomes visible', async (t) => {
  const { port } = frontdoor;
  await ask('PUT', '/wilma/stor/x5', { body: 'old' });
  for (const length of [{ 'content-length': 1000 }, { 'transfer-encoding': 'chunked' }]) {
    const headers = { ...frontdoor.signed('wilma'), ...expecting, ...length };
    const request = http.request({
      host: '127.0.0.1',
      port,
      agent: false,
      method: 'PUT',
      path: '/wilma/stor/x5',
      headers,
    });
    request.on('error', () => {});
    request.flushHeaders();
    await once(request, 'continue');
    request.write('new');
    request.destroy();
    await new Promise((resolve) => request.once('close', resolve));
  }
  t.equal((await ask('GET', '/wilma/stor/x5')).body, 'old');
});

t.test('a client that falls silent is told so', async (t) => {
  const frontdoor = await startTestFrontdoor(t, { dataTimeoutMs: 100 });
  const headers = { ...frontdoor.signed('wilma'), ...expecting, 'content-length': 10 };
  const target = { host: '127.0.0.1', port: frontdoor.port, agent: false, method: 'PUT', path: '/wilma/stor/silent' };
  const request = http.request({ ...target, headers });
  request.on('error', () => {});
  request.flushHeaders();
  await once(request, 'continue');
  request.write('123');
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  t.equal(response.statusCode, 408);
  response.resume();
  request.destroy();
});

t.test('chunked uploads', async (t) => {
  const chunked = { 'transfer-encoding': 'chunked' };
  const big = Buffer.alloc(3_000_000, 'x');
  t.equal((await ask('PUT', '/wilma/stor/big7', { headers: chunked, body: big })).status, 204);
  t.ok((await ask('GET', '/wilma/stor/big7')).bytes.equals(big), 'every byte comes back');
  const limited = { ...chunked, 'max-content-length': '1000' };
  const refused = await ask('PUT', '/wilma/stor/limited7', { headers: { ...limited, ...expecting }, body: big });
  t.match(JSON.parse(refused.body), { code: 'MaxContentLengthExceeded' });
  t.equal((await ask('HEAD', '/wilma/stor/limited7')).status, 404, 'nothing is kept of what is too large');
  await ask('PUT', '/wilma/stor/none7', { headers: chunked });
  t.equal((await ask('HEAD', '/wilma/stor/none7')).headers['content-length'], '0', 'a body may be empty');
});

t.test('an object is readable as long as one copy is', async (t) => {
  const { storageRoots, accounts, moray } = frontdoor;
  const { headers } = await ask('PUT', '/wilma/stor/x8', { body: 'precious' });
  const [one = '', other = ''] = storageRoots.map((root) => path.join(root, accounts.wilma.uuid, String(headers.etag)));
  t.ok(fs.existsSync(one) && fs.existsSync(other), 'every node has a copy');
  fs.unlinkSync(one);
  for (let times = 0; times < 4; times++) t.equal((await ask('GET', '/wilma/stor/x8')).body, 'precious');
  fs.unlinkSync(other);
  t.equal((await ask('GET', '/wilma/stor/x8')).status, 503, 'with no copy left the client is told before any byte');
  await ask('DELETE', '/wilma/stor/x8');
  const logged: string[] = [];
  for await (const { value } of moray.client.findObjects('manta_delete_log', `(objectId=${headers.etag})`)) {
    logged.push(String(value['key']));
  }
  t.same(logged, [`/${accounts.wilma.uuid}/stor/x8`], 'what was removed is in the delete log');
});

t.test('links', async (t) => {
  await ask('PUT', '/wilma/stor/x9', { headers: { 'm-a': '1' }, body: 'hello' });
  await ask('PUT', '/fred/stor/secret', { as: 'fred', body: 'secret' });
  await ask('PUT', '/fred/public/open', { as: 'fred', body: 'open' });
  const link = async (location?: string) => {
    const headers = { 'content-type': 'application/json; type=link', ...(location === undefined ? {} : { location }) };
    const { status, body } = await ask('PUT', '/wilma/stor/link9', { headers });
    return status === 204 ? status : (JSON.parse(body) as { code: string }).code;
  };
  t.equal(await link(), 'LocationRequired');
  t.equal(await link('nowhere'), 'InvalidLink');
  t.equal(await link('/wilma/stor/missing9'), 'SourceObjectNotFound');
  t.equal(await link('/nobody/stor/x'), 'SourceObjectNotFound');
  t.equal(await link('/fred/stor/secret'), 'AuthorizationFailed');
  t.equal(await link('/fred/public/open'), 204, 'what is public may be linked');
  t.equal((await ask('GET', '/wilma/stor/link9')).body, 'open', 'and read from where its bytes are');
  t.equal(await link('/wilma/stor/x9'), 204);
  t.equal((await ask('GET', '/wilma/stor/link9')).headers['m-a'], '1', 'headers come along');
});

t.test('attributes', async (t) => {
  await ask('PUT', '/wilma/stor/x10', { headers: { 'm-old': '1' }, body: 'hello' });
  const update = (headers: http.OutgoingHttpHeaders) =>
    ask('PUT', '/wilma/stor/x10?metadata=true', { headers: { 'transfer-encoding': 'chunked', ...headers } });
  t.equal((await update({ 'm-new': '2', 'content-type': 'text/x' })).status, 204);
  const { headers } = await ask('HEAD', '/wilma/stor/x10');
  t.match(headers, { 'm-new': '2', 'm-old': undefined, 'content-type': 'text/x', 'content-length': '5' });
  t.match(JSON.parse((await update({ 'content-md5': 'x' })).body), { code: 'InvalidUpdate' });
  t.equal(
    (await ask('PUT', '/wilma/stor/y10?metadata=true', { headers: { 'transfer-encoding': 'chunked' } })).status,
    404,
  );
});

t.test('directories', async (t) => {
  const { moray, accounts } = frontdoor;
  const mkdir = async (name: string) =>
    (await ask('PUT', name, { headers: { ...directory, 'content-length': 0 } })).status;
  t.equal(await mkdir('/wilma/stor/d'), 204);
  const key = `/${accounts.wilma.uuid}/stor/d`;
  const { _etag } = await moray.client.getObject('manta', key);
  const before = (await moray.client.getObject('manta', key))._mtime;
  t.equal(await mkdir('/wilma/stor/d'), 204);
  t.same(
    await moray.client.getObject('manta', key).then(({ _mtime }) => _mtime),
    before,
    `making ${_etag} again writes nothing`,
  );
  for (const name of ['b', 'a', 'c']) await ask('PUT', `/wilma/stor/d/${name}`, { body: name });
  await mkdir('/wilma/stor/d/sub');
  const list = async (query: string) => {
    const { body, headers } = await ask('GET', `/wilma/stor/d${query}`);
    const names = body
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { name: string }).name);
    return `${names.join(' ')} of ${headers['result-set-size']}`;
  };
  t.equal(await list(''), 'a b c sub of 4');
  t.equal(await list('?limit=2'), 'a b of 4');
  t.equal(await list('?limit=2&marker=b'), 'b c of 4', 'markers are inclusive');
  t.equal(await list('?sort_order=reverse&marker=b'), 'b a of 4');
  t.equal(await list('?sort=mtime&obj=true'), 'c a b of 4', 'newest first');
  t.equal(await list('?dir=true'), 'sub of 4');
  for (const limit of ['0', '0x10', '1e2', '1.5', '1025'])
    t.match(JSON.parse((await ask('GET', `/wilma/stor/d?limit=${limit}`)).body), {
      code: 'InvalidArgumentError',
      message: `limit=${limit} is invalid: must be between [1, 1024]`,
    });
  t.match(JSON.parse((await ask('GET', '/wilma/stor/d?sort=none')).body), { code: 'QueryParameterForbidden' });
  t.match(JSON.parse((await ask('DELETE', '/wilma/stor/d')).body), { code: 'DirectoryNotEmpty' });
  t.match(JSON.parse((await ask('DELETE', '/wilma/stor')).body), { code: 'OperationNotAllowedOnRootDirectory' });
  t.match(JSON.parse((await ask('PUT', '/wilma/stor/d', { body: 'x' })).body), { code: 'InvalidUpdate' });
  t.match(JSON.parse((await ask('PUT', '/wilma/stor/d/a', { headers: directory })).body), {
    code: 'ParentNotDirectory',
  });
  t.equal((await ask('GET', '/wilma/stor/d/a')).body, 'a', 'an object is never turned into a directory');
});

t.test('who may, and who is asked', async (t) => {
  await ask('PUT', '/wilma/stor/x12', { body: 'private' });
  await ask('PUT', '/wilma/public/x12', { body: 'open' });
  // biome-ignore format: table
  const cases: readonly [method: string, path: string, as: string | null, headers: http.OutgoingHttpHeaders, status: number, code: string | undefined][] = [
    ['GET', '/wilma/public/x12', null, {}, 200, undefined],
    ['GET', '/wilma/stor/x12', null, {}, 403, 'AuthorizationFailed'],
    ['PUT', '/wilma/public/x12', null, {}, 403, 'AuthorizationFailed'],
    ['GET', '/wilma/stor/x12', 'fred', {}, 403, 'AuthorizationFailed'],
    ['GET', '/wilma/stor/x12', 'poseidon', {}, 200, undefined],
    ['GET', '/wilma/public/../stor/x', null, {}, 404, 'ResourceNotFound'],
    ['GET', '/wilma/public/%2e%2e%2fstor/x12', null, {}, 404, 'ResourceNotFound'],
    ['GET', '/wilma/public%2f..%2fstor%2fx12', 'fred', {}, 404, 'ResourceNotFound'],
    ['GET', '//wilma//public///x12/', null, {}, 200, undefined],
    ['GET', '/wilma/public/%zz', null, {}, 400, 'InvalidResource'],
    ['GET', '/wilma/public/%ff', null, {}, 400, 'InvalidResource'],
    ['GET', '/wilma/other/x', 'wilma', {}, 404, 'ResourceNotFound'],
    ['GET', '/nobody/stor/x', 'wilma', {}, 403, 'AccountDoesNotExist'],
    ['POST', '/wilma/stor/x12', 'wilma', {}, 405, 'MethodNotAllowedError'],
    ['POST', '/wilma', 'wilma', {}, 400, 'OperationNotAllowedOnRootDirectory'],
    ['GET', '/wilma/stor/x12', 'wilma', { authorization: 'Basic eDp5' }, 403, 'AuthorizationSchemeNotAllowed'],
    ['GET', '/wilma/stor/x12', 'wilma', { authorization: 'Signature' }, 400, 'InvalidHeader'],
    ['GET', '/wilma/stor/x12', 'wilma', { date: 'Sat, 01 Jan 2000 00:00:00 GMT' }, 400, 'RequestExpired'],
    ['GET', '/wilma/stor/x12', 'wilma', { date: 'once' }, 400, 'InvalidHeader'],
    ['GET', '/wilma/stor/x12', 'wilma', { accept: 'image/png' }, 406, 'NotAcceptable'],
  ];
  for (const [method, target, as, headers, status, code] of cases) {
    const answer = await ask(method, target, { as, headers });
    t.equal(answer.status, status, `${as ?? 'nobody'}: ${method} ${target}: ${status}`);
    if (code !== undefined) t.match(JSON.parse(answer.body), { code });
    t.match(answer.headers, { server: 'Manta', 'x-request-id': /./, 'x-response-time': /^\d+$/, 'x-server-name': /./ });
  }
});
