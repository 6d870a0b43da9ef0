/** `marlin account`, beside a front door that runs. */
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { readAccountFile } from '../../../src/accounts/file.js';
import { accountCommand } from '../../../src/standalone/operate/account.js';
import { generateKey, signedHeaders, type TestKey } from '../../support/accounts.js';
import { startTestFrontdoor } from '../../support/frontdoor.js';

const main = fileURLToPath(new URL('../../../src/standalone/main.js', import.meta.url));

async function account(...args: readonly string[]) {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, 'account', ...args]);
    return { status: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

/** The same without a process of its own, which takes a second. */
async function accountHere(file: string, ...args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const command = accountCommand(args);
  if (command === undefined) return 'no such command';
  const print = (line: string) => void lines.push(line);
  const isOperator = args[1] === 'poseidon';
  try {
    await command({ file, mayMakeFile: true, isOperator, uuid: undefined, onRequest: false, isJson: false, print });
  } catch (error) {
    return `failed: ${(error as Error).message}`;
  }
  return lines.join('\n');
}

t.test('an account and its keys count, and cease to, with the next request', async (t) => {
  const { ask, accountsFile } = await startTestFrontdoor(t);
  const file = ['--file', accountsFile];
  const directory = t.testdir();
  const keyFile = (name: string, { publicKey }: TestKey) => {
    fs.writeFileSync(path.join(directory, name), `${publicKey.split(' ').slice(0, 2).join(' ')} of ${name}\n`);
    return path.join(directory, name);
  };
  const [first, second] = [generateKey('rsa'), generateKey('ed25519')];
  const write = async (key: TestKey) => {
    const headers = { ...signedHeaders(key, `/carol/keys/${key.md5}`) };
    const { status, body } = await ask('PUT', '/carol/stor/x', { as: null, headers, body: 'x' });
    return status === 204 ? status : (JSON.parse(body) as { code: string }).code;
  };

  t.equal(await write(first), 'AccountDoesNotExist');
  const added = await account('add', 'carol', keyFile('first.pub', first), ...file);
  t.match(added, { status: 0, stdout: /^account "carol" added: [0-9a-f-]{36}\n$/ });
  const uuid = added.stdout.trim().slice(-36);
  t.equal(await write(first), 204);
  t.equal(await write(second), 'KeyDoesNotExist');
  t.match(await account('key', 'add', 'carol', keyFile('second.pub', second), ...file), { status: 0, stdout: '' });
  t.match(await account('key', 'add', 'carol', keyFile('again.pub', second), ...file), { status: 0 });
  t.equal(await write(second), 204);
  const keys = await account('key', 'list', 'carol', ...file);
  t.equal(keys.stdout, `${first.md5} ssh-rsa of first.pub\n${second.md5} ssh-ed25519 of second.pub\n`, 'none twice');
  t.match(await account('key', 'remove', 'carol', first.sha256, ...file), { status: 0, stderr: '' });
  t.equal(await write(first), 'KeyDoesNotExist');

  const listed = (await account('list', '--json', ...file)).stdout.trim().split('\n');
  const carol = { login: 'carol', uuid, isOperator: false, isApproved: true, keys: 1, users: 0 };
  t.same(JSON.parse(listed.at(-1) ?? ''), carol);
  t.match((await account('list', ...file)).stdout, /^LOGIN +UUID +KEYS USERS IS *\nwilma +\S+ +1 +1 - *\n/);
  const removed = await account('remove', 'carol', ...file);
  t.match(removed.stdout, `add carol --uuid ${uuid}`);
  t.equal(await write(second), 'AccountDoesNotExist');
  t.match(await account('add', 'carol', keyFile('first.pub', first), '--uuid', uuid, '--operator', ...file), {
    status: 0,
  });
  const headers = { ...signedHeaders(first, `/carol/keys/${first.md5}`) };
  t.equal((await ask('GET', '/carol/stor/x', { as: null, headers })).body, 'x', 'its objects are there again');
  t.equal((await ask('GET', '/fred/stor', { as: null, headers })).status, 200, 'and it is an operator');
});

t.test('what cannot be done is said, and changes nothing', async (t) => {
  const { publicKey, privateKey } = generateKey('rsa');
  const directory = t.testdir({ 'good.pub': publicKey, 'two.pub': `${publicKey}\n${publicKey}\n`, 'bad.pub': 'x' });
  const at = (name: string) => path.join(directory, name);
  fs.writeFileSync(at('private'), privateKey.toString('pem'));
  const file = at('accounts.json');
  t.match(await accountHere(file, 'list'), /cannot read account file/);
  t.match(await accountHere(file, 'add', 'poseidon'), /cannot sign requests before/);
  t.equal(fs.statSync(file).mode & 0o777, 0o600);
  fs.chmodSync(file, 0o640);
  fs.symlinkSync('accounts.json', at('link'));
  t.match(await accountHere(at('link'), 'add', 'dora', at('good.pub')), /^account "dora" added/);
  t.equal(fs.statSync(file).mode & 0o777, 0o640, 'who may read the file may go on to');
  t.ok(fs.lstatSync(at('link')).isSymbolicLink());

  const before = fs.readFileSync(file, 'utf8');
  // biome-ignore format: table
  const cases: readonly [args: readonly string[], says: RegExp][] = [
    [['add', 'dora', at('good.pub')],        /^failed: there is an account "dora" already/],
    [['add', '../x', at('good.pub')],        /^failed: "..\/x" cannot be the login/],
    [['add', 'emil', at('private')],         /^failed: ".*private" is a private key/],
    [['add', 'emil', at('bad.pub')],         /^failed: ".*bad.pub" is not a public key/],
    [['add', 'emil', at('two.pub')],         /^failed: ".*two.pub" is not a public key.*it has 2/],
    [['add', 'emil', at('none.pub')],        /^failed: cannot read key file ".*none.pub"/],
    [['remove', 'emil'],                     /^failed: there is no account "emil"/],
    [['remove', 'poseidon'],                 /^failed: .*Marlin itself needs it/],
    [['key', 'remove', 'dora', 'aa:bb'],     /^failed: account "dora" has no key "aa:bb"/],
    [['key', 'add', 'emil', at('good.pub')], /^failed: there is no account "emil"/],
    [['key', 'add', 'dora'],                 /^no such command/],
    [['rename', 'dora', 'nora'],             /^no such command/],
  ];
  for (const [args, says] of cases) t.match(await accountHere(file, ...args), says, args.slice(0, 3).join(' '));
  t.equal(fs.readFileSync(file, 'utf8'), before);
  t.same(
    fs.readdirSync(directory).filter((name) => name.startsWith('accounts')),
    ['accounts.json'],
  );

  t.match(await account('list'), { status: 2, stderr: /--data DIR or --file FILE is required\nusage: / });
  t.match(await account('add', 'emil', '--data', at('elsewhere')), { status: 1, stderr: /cannot read account file/ });
  t.notOk(fs.existsSync(at('elsewhere')), 'a mistyped directory is not made');
});

t.test('changes at the same time are all kept', async (t) => {
  const file = path.join(t.testdir(), 'accounts.json');
  const logins = ['user1', 'user2', 'user3'];
  const results = await Promise.all(logins.map((login) => account('add', login, '--file', file)));
  t.same(
    results.map(({ status }) => status),
    logins.map(() => 0),
  );
  t.same(
    readAccountFile(file)
      .accounts.map(({ login }) => login)
      .sort(),
    logins,
  );
});
