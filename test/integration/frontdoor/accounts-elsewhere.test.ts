/** A front door whose accounts are kept by a Mahi: here that is the accounts port of another front door. */
import fs from 'node:fs';
import t from 'tap';
import { loadConfig } from '../../../src/common/config.js';
import { createLogger } from '../../../src/common/logging.js';
import { configSchema } from '../../../src/frontdoor/config.js';
import { startFrontdoor } from '../../../src/frontdoor/service.js';
import { startTestFrontdoor } from '../../support/frontdoor.js';

t.setTimeout(60_000);

const log = createLogger({ name: 'test', level: 'fatal' });
const { ask, run, moray, mahiUrl, accountsFile, tokenKeyFile } = await startTestFrontdoor(t);
const configOf = (change: object) => {
  const file = `${t.testdir()}/frontdoor.json`;
  fs.writeFileSync(file, JSON.stringify({ port: 0, tokenKeyFile, moray: { url: moray.url }, ...change }));
  return loadConfig(file, configSchema);
};
async function start(change: object): Promise<number> {
  const frontdoor = await startFrontdoor(configOf(change), log);
  t.teardown(() => frontdoor.stop());
  return frontdoor.port;
}

t.test('all accounts and what they may do are as there', async (t) => {
  const port = await start({ auth: { url: mahiUrl } });
  const tagged = { 'role-tag': 'readers' };
  t.equal((await ask('PUT', '/wilma/stor/x', { port, headers: tagged, body: 'x' })).status, 204);
  t.equal((await ask('GET', '/wilma/stor/x', { port })).body, 'x');
  t.equal((await ask('GET', '/wilma/stor/x', { port, as: 'fred' })).status, 403);
  t.equal((await ask('GET', '/wilma/stor/x', { port, as: null })).status, 403);
  t.equal((await ask('GET', '/wilma/stor/x', { port, as: 'poseidon' })).status, 200);
  const nobody = await ask('GET', '/nobody/stor/x', { port });
  t.match(JSON.parse(nobody.body), { code: 'AccountDoesNotExist' });
  const url = `http://127.0.0.1:${port}`;
  t.equal((await run('mget', ['-q', '--user', 'bob', '/wilma/stor/x'], { url })).stdout, 'x', 'roles, too');

  const file = JSON.parse(fs.readFileSync(accountsFile, 'utf8'));
  const others = file.accounts.filter(({ login }: { login: string }) => login !== 'fred');
  fs.writeFileSync(accountsFile, JSON.stringify({ ...file, accounts: others }));
  let gone = await ask('GET', '/fred/stor', { port, as: 'fred' });
  while (gone.status === 200) gone = await ask('GET', '/fred/stor', { port, as: 'fred' });
  t.match(JSON.parse(gone.body), { code: 'AccountDoesNotExist' }, 'an account that went there is soon gone here');
});

t.test('while it cannot be asked, clients are told to come back', async (t) => {
  const port = await start({ auth: { url: 'http://127.0.0.1:1' } });
  const answer = await ask('GET', '/wilma/stor/x', { port });
  t.equal(answer.status, 503);
  t.match(JSON.parse(answer.body), { code: 'ServiceUnavailable' });
});

t.test('accounts are in one place', async (t) => {
  const expected = {
    name: 'ConfigError',
    message: /the file: must have just one of the properties "accountsFile", "auth"$/,
  };
  t.throws(() => configOf({}), expected);
  t.throws(() => configOf({ accountsFile, auth: { url: mahiUrl } }), expected);
});
