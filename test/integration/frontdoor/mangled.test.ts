/**
 * Requests and signatures spoilt at random: nothing ends the front door, nothing is answered with 500, nobody gets or
 * changes what is not theirs. Few in a usual run; MANGLED_REQUESTS=10000 MANGLED_SIGNATURES=1000 MANGLED_SEED=7 for more.
 */
import t from 'tap';
import { chanceOf } from '../../sim/random.js';
import { startTestFrontdoor } from '../../support/frontdoor.js';
import { mangled, type RawAnswer, repeat, sendRaw } from '../../support/mangle.js';

const env = (name: string, usual: number) => Number(process.env[name] ?? usual);
const seed = env('MANGLED_SEED', 1);
const requestCount = env('MANGLED_REQUESTS', 600);
const signatureCount = env('MANGLED_SIGNATURES', 200);
t.setTimeout(600_000);
// After 10,000 requests the process has stayed once though all was stopped: then what holds it is said, and it ends.
t.teardown(() => {
  const say = () => {
    process.stderr.write(`still there: ${process.getActiveResourcesInfo().join(', ')}\n`);
    process.exit();
  };
  setTimeout(say, 10_000).unref();
});

const secret = 'nobody but fred may read this';
const { ask, port, signed, moray, accounts } = await startTestFrontdoor(t);
await ask('PUT', '/fred/stor/secret', { as: 'fred', body: secret });
await ask('PUT', '/wilma/stor/own', { body: 'hers' });
const created = await ask('POST', '/wilma/jobs', {
  headers: { 'content-type': 'application/json' },
  body: '{"phases":[{"exec":"wc"}]}',
});
const job = String(created.headers.location);

/** What fred has: as long as it stays the same, nobody wrote to it. */
async function fredsEntries(): Promise<readonly object[]> {
  const found: object[] = [];
  for await (const { key, value } of moray.client.findObjects('manta', `(owner=${accounts.fred.uuid})`))
    found.push({ key, value });
  return found;
}

function rawRequest(method: string, path: string, headers: Readonly<Record<string, unknown>>, body = ''): string {
  const all = { host: `127.0.0.1:${port}`, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${String(value)}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, '', body].join('\r\n');
}

const json = { 'content-type': 'application/json' };
const chunked = { 'transfer-encoding': 'chunked' };
const websocket = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
const saved = JSON.stringify({
  objects: [
    { name: `${job}/stor/a`, body: 'YQ==' },
    { name: `${job}/stor/b`, body: '' },
  ],
});
type Sample = readonly [method: string, path: string, headers: Readonly<Record<string, unknown>>, body?: string];

// biome-ignore format: table
const samples: readonly Sample[] = [
  ['GET',     '/wilma/stor/own',                                { range: 'bytes=0-3', 'if-none-match': '"x"' }],
  ['HEAD',    '/wilma/stor/own',                                { accept: 'text/plain' }],
  ['GET',     '/wilma/stor?limit=10&marker=a&sort=mtime',       {}],
  ['GET',     '/fred/stor/secret',                              {}],
  ['GET',     '/fred/public/../stor/secret',                    {}],
  ['GET',     '/wilma/public/%2e%2e/%2e%2e/fred/stor/secret',   {}],
  ['PUT',     '/wilma/stor/x',                                  { 'content-length': 4, 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==', 'm-x': 'y' }, 'some'],
  ['PUT',     '/wilma/stor/y',                                  { ...chunked, 'durability-level': 2, 'role-tag': 'readers' }, '4\r\nsome\r\n0\r\n\r\n'],
  ['PUT',     '/wilma/stor/z',                                  { 'content-length': 4, expect: '100-continue', 'max-content-length': 9 }, 'some'],
  ['PUT',     '/wilma/stor/d',                                  { 'content-type': 'application/json; type=directory', 'content-length': 0 }],
  ['PUT',     '/wilma/stor/l',                                  { 'content-type': 'application/json; type=link', location: '/fred/stor/secret', 'content-length': 0 }],
  ['PUT',     '/wilma/stor/own?metadata=true',                  { ...chunked, 'm-a': 'b' }, '0\r\n\r\n'],
  ['PUT',     '/fred/stor/mine',                                { 'content-length': 4 }, 'some'],
  ['DELETE',  '/fred/stor/secret',                              { 'content-length': 0 }],
  ['DELETE',  '/wilma/stor/x',                                  { 'if-match': '*' }],
  ['OPTIONS', '/wilma/stor/own',                                { origin: 'http://x', 'access-control-request-method': 'GET' }],
  ['POST',    '/wilma/tokens',                                  { 'content-length': 0 }],
  ['POST',    '/wilma/jobs',                                    { ...json, 'content-length': 30 }, '{"phases":[{"exec":"wc -l  "}]}'],
  ['GET',     '/wilma/jobs?state=running&name=x',               {}],
  ['GET',     `${job}/live/status`,                             {}],
  ['GET',     `${job}/live/err`,                                {}],
  ['POST',    `${job}/live/in`,                                 { 'content-type': 'text/plain', 'content-length': 14 }, '/wilma/stor/ow'],
  ['POST',    `${job}/live/objects`,                            { ...json, 'content-length': saved.length }, saved],
  ['GET',     job.replace('/jobs/', '/medusa/attach/').concat('/master'), websocket],
  ['POST',    '/wilma/uploads',                                 { ...json, 'content-length': 33 }, '{"objectPath":"/wilma/stor/big "}'],
  ['GET',     '/ping',                                          { upgrade: 'h2c', connection: 'Upgrade, HTTP2-Settings', 'http2-settings': 'AAMAAABk' }],
];

t.test('a client that has gone before its session begins is no end of a session', async (t) => {
  const path = job.replace('/jobs/', '/medusa/attach/').concat('/master');
  const bytes = rawRequest('GET', path, { ...signed('wilma'), ...websocket });
  const { isEnded } = await sendRaw(port, bytes, { end: 'at once' });
  t.ok(isEnded, 'the connection is closed');
  const { statuses } = await sendRaw(port, bytes);
  t.same(statuses, [101], 'and another may begin it');
});

/** 500 is for what the front door did not foresee; none of these is its fault. */
const isFault = (status: number) => status === 500 || status === 502;

t.test(`${requestCount} mangled requests, seed ${seed}`, async (t) => {
  const before = await fredsEntries();
  const chance = chanceOf(seed, 'requests');
  const counts = new Map<string, number>();
  const check = (bytes: string, { statuses, text, isEnded }: RawAnswer) => {
    for (const status of statuses.length === 0 ? ['none'] : statuses)
      counts.set(String(status), (counts.get(String(status)) ?? 0) + 1);
    if (statuses.some(isFault)) t.fail(`answered ${statuses.join(', ')}`, { bytes, text });
    if (text.includes(secret)) t.fail('gives away the secret', { bytes, text });
    if (!isEnded) t.fail('the connection does not end', { bytes, text });
  };
  await repeat(requestCount, async () => {
    const [method, path, headers, body] = chance.pick(samples);
    const credentials = chance.happens(0.75) ? signed('wilma') : {};
    const bytes = mangled(rawRequest(method, path, { ...credentials, ...headers }, body), chance);
    check(bytes, await sendRaw(port, bytes, { end: 'when silent' }));
  });
  t.comment(
    [...counts]
      .sort()
      .map(([status, count]) => `${status}: ${count}`)
      .join(', '),
  );
  t.same(await fredsEntries(), before, 'nothing of fred has changed');
  t.equal((await ask('GET', '/fred/stor/secret', { as: 'fred' })).body, secret, 'and he is served as ever');
});

t.test(`${signatureCount} mangled signatures, seed ${seed}`, async (t) => {
  const before = await fredsEntries();
  const chance = chanceOf(seed, 'signatures');
  const counts = new Map<number, number>();
  let genuine = 0;
  await repeat(signatureCount, async () => {
    const { date, authorization } = signed('fred') as { date: string; authorization: string };
    const spoilt = printable(mangled(chance.happens(0.2) ? swapped(authorization, chance) : authorization, chance));
    const [method, body] = chance.pick([['GET'], ['HEAD'], ['PUT', 'some'], ['DELETE']] as const);
    const headers = { date, authorization: spoilt, 'content-length': body?.length ?? 0 };
    const bytes = rawRequest(method, '/fred/stor/secret', headers, body);
    const { statuses, text, isEnded } = await sendRaw(port, bytes);
    for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
    const isGranted = statuses.some((status) => status < 400 && status !== 100) || text.includes(secret);
    if (isGranted && isSameSignature(authorization, spoilt)) genuine++;
    else if (isGranted) t.fail('access is granted', { bytes, text });
    if (statuses.length === 0) t.fail('there is no answer', { bytes });
    if (statuses.some((status) => status >= 500)) t.fail(`answered ${statuses.join(', ')}`, { bytes, text });
    if (!isEnded) t.fail('the connection does not end', { bytes });
  });
  t.comment(
    [...counts]
      .sort()
      .map(([status, count]) => `${status}: ${count}`)
      .join(', '),
  );
  t.ok(
    [...counts.keys()].some((status) => status === 403),
    'signatures were looked at',
  );
  if (genuine === 0) t.same(await fredsEntries(), before);
});

/** A header is one line. */
const printable = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '~');

/** Wilma's key or signature under fred's name, and the other way around. */
function swapped(authorization: string, chance: ReturnType<typeof chanceOf>): string {
  const hers = (signed('wilma') as { authorization: string }).authorization;
  const part = chance.pick([/keyId="[^"]*"/, /signature="[^"]*"/, /algorithm="[^"]*"/, /fred/]);
  return authorization.replace(part, part.exec(hers)?.[0] ?? 'wilma');
}

/** Mangling may leave the very signature: its spelling in base64, or another order of the parameters. */
function isSameSignature(original: string, spoilt: string): boolean {
  const bytesOf = (text: string) => Buffer.from(/signature="([^"]*)"/i.exec(text)?.[1] ?? '', 'base64');
  return bytesOf(original).equals(bytesOf(spoilt));
}
