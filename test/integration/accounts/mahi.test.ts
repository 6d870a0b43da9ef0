import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ensureAccount, readAccountFile } from '../../../src/accounts/file.js';
import { createFileStore } from '../../../src/accounts/file-store.js';
import { createMahiClient } from '../../../src/accounts/mahi-client.js';
import { startMahiServer } from '../../../src/accounts/mahi-server.js';
import type { AccountStore } from '../../../src/accounts/types.js';
import { createLogger } from '../../../src/common/logging.js';
import { generateKey, writeTestAccounts } from '../../support/accounts.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const key = generateKey();
const file = writeTestAccounts(t, [
  {
    login: 'alice.b-c@example',
    uuid: 'uuid-alice',
    groups: ['operators'],
    keys: [key.publicKey],
    users: [{ login: 'bob', uuid: 'uuid-bob', keys: [key.publicKey] }],
    policies: [{ name: 'read', uuid: 'uuid-read', rules: ['CAN getobject'] }],
    roles: [
      { name: 'reader & writer', uuid: 'uuid-reader', members: ['bob'], default_members: ['bob'], policies: ['read'] },
    ],
  },
]);
const login = 'alice.b-c@example';
const store = createFileStore(file, log);
let questions = 0;
const counted: AccountStore = {
  ...store,
  accountByLogin: (name) => {
    questions++;
    return store.accountByLogin(name);
  },
};
const server = await startMahiServer(counted, { host: '127.0.0.1', port: 0, log });
const url = `http://127.0.0.1:${server.port}`;

t.test('the client answers what the store answers', async (t) => {
  const client = createMahiClient(url);
  t.teardown(() => client.close());
  const questions: readonly ((store: AccountStore) => Promise<unknown>)[] = [
    (from) => from.accountByLogin(login),
    (from) => from.accountById('uuid-alice'),
    (from) => from.user(login, 'bob'),
    (from) => from.user(login, 'anonymous', { fallback: true }),
    (from) => from.userById('uuid-bob'),
    (from) => from.names(['uuid-alice', 'uuid-bob', 'uuid-reader', 'uuid-gone']),
    (from) => from.names([]),
    (from) => from.uuids(login, 'role', ['reader & writer', 'gone']),
    (from) => from.uuids(login, 'user', ['bob']),
  ];
  for (const question of questions) t.same(await question(client), await question(store), question.toString());
  t.match(await client.user(login, 'bob'), {
    account: { isOperator: true, keys: { [key.md5]: key.publicKey } },
    user: { account: 'uuid-alice', roles: ['uuid-reader'], defaultRoles: ['uuid-reader'] },
    roles: { 'uuid-reader': { account: 'uuid-alice', rules: ['CAN getobject'] } },
  });
});

t.test('what does not exist is told apart from what cannot be asked', async (t) => {
  const client = createMahiClient(url);
  t.teardown(() => client.close());
  const noAccount = { name: 'AccountDoesNotExistError' };
  const noUser = { name: 'UserDoesNotExistError' };
  await t.rejects(client.accountByLogin('gone'), { ...noAccount, message: 'gone does not exist' });
  await t.rejects(client.accountById('gone'), noAccount);
  await t.rejects(client.user('gone', 'bob', { fallback: true }), noAccount);
  await t.rejects(client.uuids('gone', 'role', []), noAccount);
  await t.rejects(client.user(login, 'gone'), { ...noUser, message: `${login}/gone does not exist` });
  await t.rejects(client.userById('gone'), noUser);
  const nowhere = createMahiClient('http://127.0.0.1:1');
  await t.rejects(nowhere.accountByLogin(login), { name: 'HttpRequestError' });
  t.equal((await fetch(`${url}/accounts`)).status, 409, 'a parameter is missing');
  t.equal((await fetch(`${url}/elsewhere`)).status, 404, 'no such look-up');
});

t.test('equal questions are asked once while in flight and for a moment after', async (t) => {
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, after: () => () => {} };
  const client = createMahiClient(url, { maxAgeMs: 300, clock });
  t.teardown(() => client.close());
  const ask = () => client.accountByLogin(login);
  questions = 0;
  await Promise.all([ask(), ask(), ask()]);
  await ask();
  t.equal(questions, 1);
  nowMs = 301;
  await ask();
  t.equal(questions, 2, 'after that it is asked again');
  nowMs = 100;
  await ask();
  t.equal(questions, 3, 'also when the clock was set back: an answer may be old by now');
});

t.test('a change of the file counts for the next question', async (t) => {
  const other = generateKey('ed25519');
  const added = ensureAccount(file, { login: 'carol', publicKey: other.publicKey, operator: true });
  t.match(await store.accountByLogin('carol'), {
    account: { uuid: added.uuid, isOperator: true, keys: { [other.md5]: other.publicKey } },
  });
  t.same(
    ensureAccount(file, { login: 'carol', publicKey: `${other.publicKey} again` }),
    { ...added, changed: false },
    'safe to repeat',
  );
  const second = generateKey();
  t.same(ensureAccount(file, { login: 'carol', publicKey: second.publicKey }), added, 'a second key');
  t.same(Object.keys((await store.accountByLogin('carol')).account.keys).sort(), [other.md5, second.md5].sort());
  t.equal(fs.statSync(file).mode & 0o777, 0o600, 'only the owner reads the file');
  t.equal(readAccountFile(file).accounts.length, 2, 'others stay');
});

t.test('a file that has become unreadable leaves the last state in force', async (t) => {
  const good = fs.readFileSync(file);
  fs.writeFileSync(file, '{ "accounts": [ { "login": ');
  t.equal((await store.accountByLogin(login)).account.uuid, 'uuid-alice');
  fs.writeFileSync(file, '{ "accounts": [ { "login": "x" } ] }');
  t.equal((await store.accountByLogin(login)).account.uuid, 'uuid-alice');
  fs.writeFileSync(file, good);
  t.equal((await store.accountByLogin('carol')).account.login, 'carol');
  const missing = path.join(path.dirname(file), 'missing.json');
  t.throws(() => createFileStore(missing, log), {
    name: 'AccountFileError',
    message: /cannot read account file ".*missing.json"/,
  });
  fs.writeFileSync(missing, '{ "accounts": [ { "login": "x" } ] }');
  t.throws(() => createFileStore(missing, log), {
    message: /missing.json": \/accounts\/0 must have required property 'uuid'/,
  });
});

t.teardown(() => server.stop());
