/** Multipart uploads, by the published client and by raw HTTP. */
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { type AskOptions, startTestFrontdoor } from '../../support/frontdoor.js';

const { ask, run, moray, storageRoots, accounts } = await startTestFrontdoor(t);

t.setTimeout(120_000);

const digestOf = (bytes: Buffer) => crypto.createHash('md5').update(bytes).digest('base64');
const json = { 'content-type': 'application/json' };
const post = (name: string, body: object, options: AskOptions = {}) =>
  ask('POST', name, { ...options, headers: json, body: JSON.stringify(body) });

async function create(objectPath: unknown, headers?: object): Promise<string> {
  const { status, body } = await post('/wilma/uploads', { objectPath, headers });
  t.equal(status, 201, body);
  const { id, partsDirectory } = JSON.parse(body) as { id: string; partsDirectory: string };
  t.equal(partsDirectory, `/wilma/uploads/${id[0]}/${id}`);
  return partsDirectory;
}

async function part(directory: string, number: number, bytes: Buffer | string): Promise<string> {
  const { status, headers, body } = await ask('PUT', `${directory}/${number}`, { body: bytes });
  t.equal(status, 204, body);
  return String(headers.etag);
}

const big = crypto.randomBytes(5_242_880);

t.test('mmpu: an object in three parts', async (t) => {
  const file = path.join(t.testdir(), 'part');
  fs.writeFileSync(file, big);
  const whole = Buffer.concat([big, big, Buffer.from('the end\n')]);
  const described = ['-H', 'm-colour: red', '-H', 'content-type: text/x-odd', '-m', digestOf(whole), '-c', '1'];
  const created = await run('mmpu', ['create', ...described, '-s', String(whole.length), '~~/stor/large']);
  const id = created.stdout.trim();
  t.match(id, /^[0-9a-f-]{36}$/, created.stderr);
  const etags: string[] = [];
  for (const [number, args, stdin] of [
    [0, ['-f', file], ''],
    [1, ['-f', file], ''],
    [2, [], 'the end\n'],
  ] as const) {
    const { stdout, stderr } = await run('mmpu', ['upload', ...args, id, String(number)], { stdin });
    t.match(stdout.trim(), /^[0-9a-f-]{36}$/, stderr);
    etags.push(stdout.trim());
  }
  const directory = `/wilma/uploads/${id[0]}/${id}`;
  const listed = (await run('mmpu', ['list', '-p'])).stdout.trim().split('\n');
  t.same(listed.sort(), [directory, ...[0, 1, 2].map((number) => `${directory}/${number}`)]);
  const parts = (await run('mmpu', ['parts', id])).stdout;
  t.match(parts, `${directory}/2\n`);
  t.match(JSON.parse((await run('mmpu', ['get', id])).stdout), {
    id,
    state: 'created',
    partsDirectory: directory,
    targetObject: '/wilma/stor/large',
    numCopies: 1,
    headers: { 'm-colour': 'red' },
  });
  t.equal((await ask('HEAD', '/wilma/stor/large')).status, 404, 'nothing is there before the commit');
  const committed = await run('mmpu', ['commit', id, ...etags]);
  t.equal(committed.status, 0, committed.stderr);
  const { bytes, headers } = await ask('GET', '/wilma/stor/large');
  t.ok(bytes.equals(whole), 'the parts are joined in order');
  t.match(headers, { 'm-colour': 'red', 'content-type': 'text/x-odd', 'durability-level': '1' });
  t.equal(headers['content-md5'], digestOf(whole));
  t.match(JSON.parse((await run('mmpu', ['get', id])).stdout), { state: 'done', result: 'committed' });
  t.equal((await run('mmpu', ['parts', id])).stdout, '', 'the parts are gone');

  const again = await post(`${directory}/commit`, { parts: etags });
  t.equal(again.status, 201, 'the same commit again is answered as before');
  t.match(again.headers, { location: '/wilma/stor/large', 'computed-md5': digestOf(whole) });
  const other = await post(`${directory}/commit`, { parts: etags.slice(1) });
  t.match(JSON.parse(other.body), { code: 'InvalidMultipartUploadState', message: `upload ${id}: already committed` });
  t.equal((await ask('POST', `${directory}/abort`)).status, 409);
  t.equal((await ask('PUT', `${directory}/3`, { body: 'late' })).status, 409);

  const gone = (await run('mmpu', ['create', '~~/stor/other'])).stdout.trim();
  t.equal((await run('mmpu', ['abort', gone])).status, 0);
  t.match(JSON.parse((await run('mmpu', ['get', gone])).stdout), { state: 'done', result: 'aborted' });
});

t.test('no parts, one part, parts left out', async (t) => {
  const none = await create('/wilma/stor/none');
  t.equal((await post(`${none}/commit`, { parts: [] })).status, 201);
  t.match((await ask('GET', '/wilma/stor/none')).headers, { 'content-length': '0', 'durability-level': '0' });
  const one = await create('/wilma/stor/one');
  const etag = await part(one, 0, 'only');
  await part(one, 7, 'not meant');
  t.equal((await post(`${one}/commit`, { parts: [etag] })).status, 201);
  t.equal((await ask('GET', '/wilma/stor/one')).body, 'only');
});

t.test('what is refused', async (t) => {
  // biome-ignore format: table
  const definitions: readonly (readonly [body: object, message: RegExp])[] = [
    [{},                                                                        /"objectPath" must be the path of an object/],
    [{ objectPath: '/wilma' },                                                  /"\/wilma" cannot be the path of an object/],
    [{ objectPath: '/wilma/uploads/x/y' },                                      /cannot be the path of an object/],
    [{ objectPath: '/fred/stor/x' },                                            /"\/fred\/stor\/x" does not belong to wilma/],
    [{ objectPath: '/wilma/stor/x', headers: { 'durability-level': 99 } },      /durability-level must be between 1 and 9/],
    [{ objectPath: '/wilma/stor/x', headers: { 'content-length': -1 } },        /content-length must be >= 0/],
    [{ objectPath: '/wilma/stor/x', headers: { 'content-md5': 'x' } },          /content-md5 invalid/],
    [{ objectPath: '/wilma/stor/x', headers: { 'if-match': 'x' } },             /conditional header "if-match" is not supported/],
    [{ objectPath: '/wilma/stor/x', headers: { 'm-a': 'b\r\nset-cookie: c' } }, /"m-a" cannot be sent as a header/],
    [{ objectPath: '/wilma/stor/x', headers: [] },                              /"headers" must be an object/],
  ];
  for (const [body, message] of definitions) {
    const answer = await post('/wilma/uploads', body);
    t.match(answer.status, /^409$/, answer.body);
    t.match(JSON.parse(answer.body), { code: 'MultipartUploadInvalidArgument', message });
  }
  t.equal((await post('/wilma/uploads', { objectPath: '/wilma/stor/x' }, { as: 'fred' })).status, 403);

  const directory = await create('/wilma/stor/refused', { 'content-length': 5, 'content-md5': digestOf(big) });
  const small = await part(directory, 0, 'small');
  const last = await part(directory, 1, 'last');
  // biome-ignore format: table
  const commits: readonly (readonly [parts: unknown, message: RegExp])[] = [
    ['x',            /"parts" must be a list of etags/],
    [[small, 'x'],   /part 1 does not have etag x/],
    [[last],         /part 0 does not have etag/],
    [[small, last],  /part 0 has 5 bytes: only the last may have fewer than 5242880/],
    [[],             /content-length is 5, but the parts have 0 bytes/],
    [[small],        /content-md5 is \S+, but that of the parts is \S+/],
  ];
  for (const [parts, message] of commits) {
    const answer = await post(`${directory}/commit`, { parts });
    t.match(JSON.parse(answer.body), { code: 'MultipartUploadInvalidArgument', message });
  }
  for (const name of ['10000', '01', '-1', 'x']) {
    t.match(JSON.parse((await ask('PUT', `${directory}/${name}`, { body: 'x' })).body), { message: /part number/ });
  }
  t.equal((await ask('HEAD', '/wilma/stor/refused')).status, 404);
  t.equal((await ask('GET', `${directory}/state`, { as: 'fred' })).status, 403);
  t.equal((await ask('PUT', `${directory}/0`, { as: 'fred', body: 'x' })).status, 403);
  t.equal((await ask('PUT', '/wilma/uploads/x', { body: 'x' })).status, 405, 'nothing else is stored there');
  const mkdir = { 'content-type': 'application/json; type=directory' };
  t.equal((await ask('PUT', directory, { headers: mkdir })).status, 405);
  const id = directory.slice(-36);
  t.equal((await ask('GET', `/wilma/uploads/x/${id}/state`)).status, 404);
  t.match((await ask('HEAD', `/wilma/uploads/${id}/12`)).headers, { location: `${directory}/12` });

  const nowhere = await create('/wilma/stor/no/such/directory');
  t.match(JSON.parse((await post(`${nowhere}/commit`, { parts: [] })).body), { code: 'DirectoryDoesNotExist' });
  await ask('PUT', '/wilma/stor/dir', { headers: mkdir });
  const onDirectory = await create('/wilma/stor/dir');
  t.equal((await post(`${onDirectory}/commit`, { parts: [] })).status, 400, 'a directory is not replaced');
});

t.test('commits and aborts at the same time: one wins, and the bytes of a lost copy do no harm', async (t) => {
  await ask('PUT', '/wilma/stor/raced', { body: 'before' });
  const directory = await create('/wilma/stor/raced');
  const parts = [await part(directory, 0, big), await part(directory, 1, 'tail')];
  const answers = await Promise.all([
    post(`${directory}/commit`, { parts }),
    post(`${directory}/commit`, { parts }),
    post(`${directory}/commit`, { parts: parts.slice(0, 1) }),
  ]);
  const statuses = answers.map(({ status }) => status);
  t.ok(statuses.includes(201));
  t.ok(
    statuses.every((status) => status === 201 || status === 409),
    String(statuses),
  );
  const { headers, bytes } = await ask('GET', '/wilma/stor/raced');
  t.equal(headers['content-md5'], digestOf(bytes));
  const { uuid } = accounts.wilma;
  const { value } = await moray.client.getObject<{ readonly objectId: string }>('manta', `/${uuid}/stor/raced`);
  for (const root of storageRoots)
    t.equal(fs.statSync(path.join(root, uuid, value.objectId)).size, bytes.length, 'every copy is whole');
});

t.test('a deployment without multipart uploads does not know the path', async (t) => {
  const plain = await startTestFrontdoor(t, { enableMPU: false });
  t.equal((await plain.ask('POST', '/wilma/uploads', { headers: json, body: '{}' })).status, 404);
  t.notMatch((await plain.ask('GET', '/wilma')).body, 'uploads');
  t.match((await plain.run('mmpu', ['create', '~~/stor/x'])).stderr, /not supported|multipart/i);
});
