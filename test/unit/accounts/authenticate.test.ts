import crypto from 'node:crypto';
import http from 'node:http';
import httpSignature from 'http-signature';
import t from 'tap';
import { activeRoles, asAnonymousUser, authenticate, resolveOwner } from '../../../src/accounts/authenticate.js';
import { createFileStore } from '../../../src/accounts/file-store.js';
import { createTokens } from '../../../src/accounts/tokens.js';
import type { AccountStore, SignedRequest } from '../../../src/accounts/types.js';
import { createLogger } from '../../../src/common/logging.js';
import { httpAnswer } from '../../../src/http/errors.js';
import { generateKey, signedHeaders, type TestKey, writeTestAccounts } from '../../support/accounts.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const keys = { rsa: generateKey('rsa'), ecdsa: generateKey('ecdsa'), ed25519: generateKey('ed25519') };
const stranger = generateKey();
const bobKey = generateKey();

const file = writeTestAccounts(t, [
  {
    login: 'alice',
    uuid: 'uuid-alice',
    keys: [...Object.values(keys).map(({ publicKey }) => publicKey), 'not a key'],
    users: [
      { login: 'bob', uuid: 'uuid-bob', keys: [bobKey.publicKey] },
      { login: 'anonymous', uuid: 'uuid-anon' },
    ],
    policies: [{ name: 'read', uuid: 'policy-1', rules: ['CAN getobject'] }],
    roles: [
      { name: 'reader', uuid: 'role-1', members: ['bob'], default_members: ['bob'], policies: ['read'] },
      { name: 'writer', uuid: 'role-2', members: ['bob'], policies: ['read'] },
      { name: 'other', uuid: 'role-3', members: [] },
    ],
  },
  { login: 'closed', uuid: 'uuid-closed', approved_for_provisioning: false, keys: [keys.ecdsa.publicKey] },
  {
    login: 'root',
    uuid: 'uuid-root',
    approved_for_provisioning: false,
    groups: ['operators'],
    keys: [keys.ecdsa.publicKey],
  },
]);
const store = createFileStore(file, log);
const tokens = createTokens(crypto.randomBytes(32).toString('hex'));
const nowMs = Date.now();

function request(headers: SignedRequest['headers'], url = '/alice/stor/x', method = 'GET'): SignedRequest {
  return { method, url, httpVersion: '1.1', headers };
}

function ask(headers: SignedRequest['headers'], url?: string, method?: string, from: AccountStore = store) {
  return authenticate(request(headers, url, method), { store: from, tokens, nowMs });
}

async function refusal(asked: Promise<unknown>): Promise<readonly [status: number, code: string, message: string]> {
  try {
    await asked;
  } catch (error) {
    const { statusCode, code, message } = httpAnswer(error);
    return [statusCode, code, message];
  }
  return [200, '', 'allowed'];
}

const aliceKey = (key: TestKey) => `/alice/keys/${key.md5}`;

t.test('a signature of each key type is accepted, under each spelling of the fingerprint', async (t) => {
  for (const [type, key] of Object.entries(keys)) {
    const paths = [aliceKey(key), `/alice/keys/MD5:${key.md5}`, `/alice/keys/${key.sha256}`];
    for (const keyPath of [...paths, `/%61lice/keys/${encodeURIComponent(key.sha256)}`]) {
      const caller = await ask(signedHeaders(key, keyPath));
      t.match(caller, { scheme: 'signature', principal: { account: { uuid: 'uuid-alice' } } }, `${type} ${keyPath}`);
    }
  }
  const caller = await ask(signedHeaders(bobKey, `/alice/bob/keys/${bobKey.md5}`));
  t.match(caller.principal, { account: { login: 'alice' }, user: { login: 'bob' } }, 'a user of an account');
  t.match(await ask(signedHeaders(keys.ecdsa, `/root/keys/${keys.ecdsa.md5}`)), { scheme: 'signature' }, 'an operator');
});

t.test('a request signed by http-signature over several headers is accepted', async (t) => {
  const sent = new http.ClientRequest({ host: '127.0.0.1', port: 1, path: '/alice/stor/x?a=1', method: 'PUT' });
  sent.on('error', () => {});
  sent.setHeader('x-other', 'value');
  httpSignature.signRequest(sent, {
    key: keys.rsa.privateKey.toString('pkcs1'),
    keyId: aliceKey(keys.rsa),
    headers: ['date', '(request-target)', 'x-other'],
    algorithm: 'rsa-sha512',
  });
  const headers = Object.fromEntries(Object.entries(sent.getHeaders()).map(([name, value]) => [name, String(value)]));
  sent.destroy();
  t.match(await ask(headers, '/alice/stor/x?a=1', 'PUT'), { scheme: 'signature' });
  const changed = await refusal(ask(headers, '/alice/stor/y?a=1', 'PUT'));
  t.same(changed.slice(0, 2), [403, 'InvalidSignature'], 'what was signed cannot be changed');
});

t.test('what is wrong with a signature is said by status and code', async (t) => {
  const good = signedHeaders(keys.ecdsa, aliceKey(keys.ecdsa));
  const withParam = (from: string | RegExp, to: string) => ({
    ...good,
    authorization: good.authorization.replace(from, to),
  });
  const prefix = 'Invalid Signature Authorization header: ';
  const late = signedHeaders(keys.ecdsa, aliceKey(keys.ecdsa), new Date(nowMs - 400_000));
  // biome-ignore format: table
  const cases: readonly [title: string, headers: SignedRequest['headers'], status: number, code: string, message: string | RegExp][] = [
    ['no such account', signedHeaders(stranger, `/nobody/keys/${stranger.md5}`), 403, 'AccountDoesNotExist', 'nobody does not exist'],
    ['no such user', signedHeaders(stranger, `/alice/carol/keys/${stranger.md5}`), 403, 'UserDoesNotExist', 'alice/carol does not exist'],
    ['user of no account', signedHeaders(stranger, `/nobody/carol/keys/${stranger.md5}`), 403, 'AccountDoesNotExist', 'nobody does not exist'],
    ['closed account', signedHeaders(keys.ecdsa, `/closed/keys/${keys.ecdsa.md5}`), 403, 'AccountBlocked', 'closed is not an active account'],
    ['unknown key', signedHeaders(stranger, aliceKey(stranger)), 403, 'KeyDoesNotExist', `/alice/keys/${stranger.md5} does not exist`],
    ['key of the account, not of the user', signedHeaders(keys.ecdsa, `/alice/bob/keys/${keys.ecdsa.md5}`), 403, 'KeyDoesNotExist', /^\/alice\/bob\/keys\//],
    ['another key signed', signedHeaders(stranger, aliceKey(keys.ecdsa)), 403, 'InvalidSignature', /does not match/],
    ['another date', { ...good, date: new Date(nowMs + 60_000).toUTCString() }, 403, 'InvalidSignature', /does not match/],
    ['not base64', withParam(/signature="[^"]*"/, 'signature="%%%"'), 403, 'InvalidSignature', /does not match/],
    ['algorithm of another type', withParam('ecdsa-sha256', 'rsa-sha256'), 403, 'InvalidSignature', /does not match/],
    ['key id of another shape', withParam('/alice/keys/', '/alice/key/'), 403, 'InvalidKeyId', /KeyId token/],
    ['key id badly encoded', withParam('/alice/keys/', '/%zz/keys/'), 403, 'InvalidKeyId', /KeyId token/],
    ['unsupported algorithm', withParam('ecdsa-sha256', 'hmac-sha256'), 401, 'InvalidAlgorithm', /^HMAC-SHA256 is not a supported signing algorithm. Supported algorithms are RSA-SHA1, /],
    ['unknown algorithm', withParam('ecdsa-sha256', 'rot13'), 400, 'InvalidHeader', `${prefix}rot13 is not supported`],
    ['no algorithm', withParam('algorithm="ecdsa-sha256",', ''), 400, 'InvalidHeader', `${prefix}algorithm was not specified`],
    ['no key id', withParam(/keyId="[^"]*",/, ''), 400, 'InvalidHeader', `${prefix}keyId was not specified`],
    ['no signature', withParam(/,signature="[^"]*"/, ''), 400, 'InvalidHeader', `${prefix}signature was not specified`],
    ['nonsense', { ...good, authorization: 'Signature nonsense!' }, 400, 'InvalidHeader', `${prefix}bad param format`],
    ['signed header missing', withParam('headers="date"', 'headers="date x-gone"'), 400, 'InvalidHeader', `${prefix}x-gone was not in the request`],
    ['date missing', { authorization: good.authorization }, 400, 'InvalidHeader', `${prefix}date was not in the request`],
    ['date not signed', { ...withParam('headers="date"', 'headers="host"'), host: 'h' }, 400, 'InvalidHeader', `${prefix}date was not a signed header`],
    ['date unreadable', { ...good, date: 'yesterday' }, 400, 'InvalidHeader', 'Date header is invalid'],
    ['clock skew', late, 400, 'InvalidHeader', /^Invalid Signature Authorization header: clock skew of 4\d\d(\.\d+)?s was greater than 300s$/],
    ['lone word', { authorization: 'Signature' }, 400, 'InvalidHeader', 'Invalid Authorization header'],
    ['another scheme', { authorization: 'Basic Zm9v' }, 403, 'AuthorizationSchemeNotAllowed', "basic is not allowed (use 'signature')"],
    ['bad token', { authorization: 'Token Zm9v' }, 403, 'InvalidAuthenticationToken', 'the authentication token you provided is malformed'],
  ];
  for (const [title, headers, ...expected] of cases) t.match(await refusal(ask(headers)), expected, title);
});

t.test('a store that cannot be asked is an outage, not a refusal', async (t) => {
  const broken: AccountStore = {
    ...store,
    accountByLogin: async () => Promise.reject(new Error('connection refused')),
  };
  const asked = ask(signedHeaders(keys.ecdsa, aliceKey(keys.ecdsa)), undefined, undefined, broken);
  t.same(await refusal(asked), [503, 'ServiceUnavailable', 'manta is unable to serve this request']);
});

t.test('tokens', async (t) => {
  const claims = { account: 'uuid-alice', user: 'uuid-bob', activeRoles: ['role-2'], fromjob: true };
  const caller = await ask({ authorization: `Token ${tokens.issue(claims, nowMs)}` });
  t.match(caller, { scheme: 'token', claims, principal: { user: { login: 'bob' } } });
  t.same(activeRoles({ ...caller, role: 'reader' }), ['role-2'], 'its roles replace those asked for');
  const answers = async (changed: Partial<typeof claims>) =>
    (await refusal(ask({ authorization: `token ${tokens.issue({ ...claims, ...changed }, nowMs)}` })))[1];
  t.equal(await answers({}), '', 'the scheme in any case');
  t.equal(await answers({ user: 'uuid-gone' }), 'UserDoesNotExist', 'of a user that is gone');
  t.equal(await answers({ account: 'uuid-closed' }), 'InvalidAuthenticationToken', 'of another account');
  const closed = tokens.issue({ account: 'uuid-closed', user: null, activeRoles: [] }, nowMs);
  t.equal((await refusal(ask({ authorization: `Token ${closed}` })))[1], 'AccountBlocked', 'of a closed account');
});

function presign(query: Record<string, string>, options: { method?: string; path?: string; key?: TestKey } = {}) {
  const { method = 'GET', path = '/alice/stor/a%20b', key = keys.rsa } = options;
  const all = {
    algorithm: 'RSA-SHA256',
    expires: String(Math.floor(nowMs / 1000) + 60),
    keyId: aliceKey(keys.rsa),
    ...query,
  };
  const encoded = Object.entries(all)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
  const methods = (query['method'] ?? method).split(',').sort().join(',');
  const signer = key.privateKey.createSign('sha256');
  signer.update([methods, 'manta.example.com:8080', path, encoded].join('\n'));
  return `${path}?${encoded}&signature=${encodeURIComponent(signer.sign().toString('asn1'))}`;
}

t.test('presigned URLs', async (t) => {
  const host = { host: 'manta.example.com:8080' };
  t.match(await ask(host, presign({})), { scheme: 'presigned', principal: { account: { login: 'alice' } } });
  const several = presign({ method: 'GET,HEAD', role: 'reader', 'role-tag': 'x' });
  t.match(await ask(host, several, 'HEAD'), { role: 'reader', roleTag: 'x' }, 'several methods, roles in the query');
  const invalid = 'InvalidQueryStringAuthentication';
  // biome-ignore format: table
  const cases: readonly [title: string, url: string, method: string, code: string, message: string | RegExp][] = [
    ['another method', several, 'PUT', invalid, 'PUT was not a signed method'],
    ['nothing but expires', '/alice/stor/x?expires=1', 'GET', invalid, 'parameters "algorithm, keyId, signature" are required'],
    ['expired', presign({ expires: '1000000000' }), 'GET', invalid, 'request expired'],
    ['expires is no number', presign({ expires: 'never' }), 'GET', invalid, 'request expired'],
    ['unsupported algorithm', presign({ algorithm: 'rot13' }), 'GET', invalid, 'ROT13 is not a supported signing algorithm'],
    ['another path', presign({}).replace('a%20b', 'c'), 'GET', 'InvalidSignature', /does not match/],
    ['another parameter', `${presign({})}&metadata=true`, 'GET', 'InvalidSignature', /does not match/],
    ['another method, unsigned', presign({}), 'DELETE', 'InvalidSignature', /does not match/],
    ['another key', presign({}, { key: stranger }), 'GET', 'InvalidSignature', /does not match/],
  ];
  for (const [title, url, method, code, message] of cases)
    t.match(await refusal(ask(host, url, method)), [403, code, message], title);
  t.equal((await refusal(ask({ host: 'elsewhere' }, presign({}))))[1], 'InvalidSignature', 'another host');
});

t.test('nobody, roles and owners', async (t) => {
  const nobody = await ask({});
  t.match(nobody, { principal: null, scheme: 'none' });
  const owner = await resolveOwner(store, 'alice', nobody);
  t.equal(asAnonymousUser(nobody, owner).principal?.user?.login, 'anonymous', 'the anonymous user stands in');
  const bob = await ask({ ...signedHeaders(bobKey, `/alice/bob/keys/${bobKey.md5}`) });
  t.equal(asAnonymousUser(bob, owner), bob, 'for nobody else');
  t.same(activeRoles(bob), ['role-1'], 'default roles');
  t.same(activeRoles({ ...bob, role: 'writer, reader' }), ['role-2', 'role-1'], 'named roles');
  t.same(activeRoles({ ...bob, role: '*' }), ['role-1', 'role-2'], 'all roles');
  t.throws(() => activeRoles({ ...bob, role: 'other' }), { name: 'InvalidRole', message: 'Role "other" is invalid.' });
  t.match(await refusal(resolveOwner(store, 'gone', bob)), [403, 'AccountDoesNotExist', 'gone does not exist']);
  t.match(await refusal(resolveOwner(store, 'closed', bob)), [
    403,
    'AccountBlocked',
    'closed is not an active account',
  ]);
  const root = await ask(signedHeaders(keys.ecdsa, `/root/keys/${keys.ecdsa.md5}`));
  t.equal((await resolveOwner(store, 'closed', root)).account.login, 'closed', 'operators reach closed accounts');
});
