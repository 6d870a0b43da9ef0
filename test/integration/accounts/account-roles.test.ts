/** `marlin account user`, `policy` and `role`, beside a front door that runs: what they say counts for the next request. */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { generateKey, signedHeaders, type TestKey } from '../../support/accounts.js';
import { startTestFrontdoor } from '../../support/frontdoor.js';

const main = fileURLToPath(new URL('../../../src/standalone/main.js', import.meta.url));

t.setTimeout(120_000); // each command is a process of its own

const { ask, accountsFile } = await startTestFrontdoor(t);
const keys = { first: generateKey('ed25519'), second: generateKey('ecdsa') };
const directory = t.testdir({ 'first.pub': keys.first.publicKey, 'second.pub': keys.second.publicKey });
const keyFile = (name: keyof typeof keys) => path.join(directory, `${name}.pub`);

/** @returns what it printed, or `STATUS what it said`. */
async function account(...args: readonly string[]): Promise<string> {
  try {
    const command = [main, 'account', ...args, '--file', accountsFile];
    return (await promisify(execFile)(process.execPath, command)).stdout;
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return `${code} ${stderr}`;
  }
}

/** As carl, a user of fred. @returns the status, or the code of the error. */
async function asCarl(method: string, target: string, key: TestKey = keys.first, more: object = {}) {
  const headers = { ...signedHeaders(key, `/fred/carl/keys/${key.md5}`), ...more };
  const { status, body } = await ask(method, target, { as: null, headers, ...(method === 'PUT' ? { body: 'x' } : {}) });
  return status < 300 ? status : (JSON.parse(body) as { code: string }).code;
}

const folder = '/fred/stor/shared';
const directoryType = { 'content-type': 'application/json; type=directory' };
await ask('PUT', folder, { as: 'fred', headers: directoryType });
await ask('PUT', `${folder}/old`, { as: 'fred', body: 'old' });

t.test('a user may do what the roles that it was given allow', async (t) => {
  t.equal(await asCarl('GET', `${folder}/old`), 'UserDoesNotExist');
  t.equal(await account('user', 'add', 'fred', 'carl', keyFile('first')), '');
  t.equal(await asCarl('GET', `${folder}/old`), 'AuthorizationFailed', 'by itself a user may do nothing');

  t.equal(await account('policy', 'add', 'fred', 'share', `CAN getobject and putobject ${folder}*`), '');
  t.equal(await account('role', 'add', 'fred', 'writers', 'share'), '');
  t.equal(await asCarl('PUT', `${folder}/new`), 'AuthorizationFailed', 'nor does a role without members change that');
  t.equal(await account('role', 'grant', 'fred', 'writers', 'carl'), '');
  t.equal(await asCarl('PUT', `${folder}/new`), 204);
  t.equal(await asCarl('PUT', '/fred/stor/elsewhere'), 'AuthorizationFailed');

  t.equal(await account('policy', 'set', 'fred', 'share', `CAN getobject ${folder}*`), '');
  t.equal(await asCarl('PUT', `${folder}/new`), 'AuthorizationFailed');
  t.equal(await asCarl('GET', `${folder}/new`), 200);

  t.equal(await account('role', 'grant', 'fred', 'writers', 'carl', '--on-request'), '');
  t.equal(await asCarl('GET', `${folder}/new`), 'AuthorizationFailed');
  t.equal(
    await asCarl('GET', `${folder}/new`, keys.first, { role: 'writers' }),
    200,
    'a role may count only when named',
  );
  t.equal(await account('role', 'grant', 'fred', 'writers', 'carl'), '');
});

t.test('lists', async (t) => {
  const [user, policy, role] = await Promise.all(
    ['user', 'policy', 'role'].map((what) => account(what, 'list', 'fred')),
  );
  t.match(user, /^USER +UUID +KEYS ROLES +ON REQUEST *\ncarl +[0-9a-f-]{36} +1 writers +- *\n$/);
  t.match(policy, /^POLICY +RULES *\nshare +CAN getobject \/fred\/stor\/shared\* *\n$/);
  t.match(role, /^ROLE +POLICIES +MEMBERS +ON REQUEST *\nwriters +share +carl +- *\n$/);
  t.match(JSON.parse(await account('role', 'list', 'fred', '--json')), {
    name: 'writers',
    policies: ['share'],
    members: ['carl'],
    default_members: ['carl'],
  });
  t.match(JSON.parse(await account('user', 'list', 'fred', '--json')), { login: 'carl', defaultRoles: ['writers'] });
});

t.test('what cannot be done is said, and changes nothing', async (t) => {
  const before = fs.readFileSync(accountsFile, 'utf8');
  // biome-ignore format: table
  const cases: readonly [args: readonly string[], says: RegExp][] = [
    [['user', 'add', 'fred', 'carl'],                     /^1 .*account "fred" has a user "carl" already/],
    [['user', 'add', 'nobody', 'carl'],                   /^1 .*there is no account "nobody"/],
    [['user', 'add', 'fred', '../x'],                     /^1 .*"..\/x" cannot be the login/],
    [['user', 'remove', 'fred', 'nora'],                  /^1 .*account "fred" has no user "nora"/],
    [['policy', 'add', 'fred', 'share', 'CAN getobject'], /^1 .*account "fred" has a policy "share" already/],
    [['policy', 'add', 'fred', 'bad', 'MAY read'],        /^1 .*"MAY read" is not a rule such as "CAN getobject/],
    [['policy', 'set', 'fred', 'none', 'CAN getobject'],  /^1 .*account "fred" has no policy "none"/],
    [['policy', 'remove', 'fred', 'share'],               /^1 .*policy "share" cannot be removed: role "writers" has it/],
    [['role', 'add', 'fred', 'a,b', 'share'],             /^1 .*"a,b" cannot be the name of a role/],
    [['role', 'add', 'fred', 'more', 'none'],             /^1 .*account "fred" has no policy "none"/],
    [['role', 'set', 'fred', 'none', 'share'],            /^1 .*account "fred" has no role "none"/],
    [['role', 'grant', 'fred', 'writers', 'nora'],        /^1 .*account "fred" has no user "nora"/],
    [['key', 'remove', 'fred/carl', 'aa:bb'],             /^1 .*user "fred\/carl" has no key "aa:bb"/],
    [['key', 'add', 'fred/nora', keyFile('first')],       /^1 .*account "fred" has no user "nora"/],
    [['role', 'add', 'fred', 'empty'],                    /^2 .*is not such a command/],
  ];
  for (const [args, says] of cases) t.match(await account(...args), says, args.slice(0, 4).join(' '));
  t.equal(fs.readFileSync(accountsFile, 'utf8'), before);
});

t.test('what is taken away counts too', async (t) => {
  t.equal(await account('key', 'add', 'fred/carl', keyFile('second')), '');
  t.equal(await asCarl('GET', `${folder}/old`, keys.second), 200);
  t.equal(await account('key', 'remove', 'fred/carl', keys.first.md5), '');
  t.equal(await asCarl('GET', `${folder}/old`), 'KeyDoesNotExist');
  t.match(await account('key', 'list', 'fred/carl'), keys.second.md5);

  t.equal(await account('role', 'revoke', 'fred', 'writers', 'carl'), '');
  t.equal(await asCarl('GET', `${folder}/old`, keys.second), 'AuthorizationFailed');
  t.match(await account('role', 'revoke', 'fred', 'writers', 'carl'), /user "carl" is no member of role "writers"/);
  t.equal(await account('role', 'grant', 'fred', 'writers', 'carl'), '');
  t.equal(await account('policy', 'add', 'fred', 'nothing', `CAN getobject /fred/stor/none`), '');
  t.equal(await account('role', 'set', 'fred', 'writers', 'nothing'), '');
  t.equal(await asCarl('GET', `${folder}/old`, keys.second), 'AuthorizationFailed');
  t.equal(await account('policy', 'remove', 'fred', 'share'), '', 'no role has it any more');
  t.equal(await account('user', 'remove', 'fred', 'carl'), '');
  t.equal(await asCarl('GET', `${folder}/old`, keys.second), 'UserDoesNotExist');
  t.equal(await account('user', 'add', 'fred', 'carl', keyFile('second')), '');
  t.match(
    await account('role', 'list', 'fred'),
    /writers +nothing +- +-/,
    'a new user of the same name is a member of nothing',
  );
  t.equal(await account('role', 'remove', 'fred', 'writers'), '');
  t.equal(await account('role', 'list', 'fred'), '');
});
