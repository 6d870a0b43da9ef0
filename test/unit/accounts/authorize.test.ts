import t from 'tap';
import { authorize, authorizeLegacy } from '../../../src/accounts/authorize.js';
import { createFileStore } from '../../../src/accounts/file-store.js';
import type { AccountAnswer, Action, Conditions } from '../../../src/accounts/types.js';
import { createLogger } from '../../../src/common/logging.js';
import { writeTestAccounts } from '../../support/accounts.js';

const log = createLogger({ name: 'test', level: 'fatal' });

/** Accounts, roles and objects of spec 09 §12. */
const file = writeTestAccounts(t, [
  {
    login: 'authzA',
    uuid: 'uuid-a',
    users: [
      { login: 'authzA1', uuid: 'uuid-a1' },
      { login: 'authzA2', uuid: 'uuid-a2' },
      { login: 'boss', uuid: 'uuid-boss' },
      { login: 'anonymous', uuid: 'uuid-anonymous' },
    ],
    policies: [
      { name: 'readall', uuid: 'policy-1', rules: ['can getobject'] },
      {
        name: 'reports',
        uuid: 'policy-2',
        rules: ['CAN getobject and getdirectory /authzA/stor/reports/* WHEN fromjob'],
      },
    ],
    roles: [
      {
        name: 'authzA1-readall',
        uuid: 'role-1',
        members: ['authzA1'],
        default_members: ['authzA1'],
        policies: ['readall'],
      },
      {
        name: 'anonymous-readall',
        uuid: 'role-2',
        members: ['anonymous'],
        default_members: ['anonymous'],
        policies: ['readall'],
      },
      { name: 'reports', uuid: 'role-3', members: ['authzA2'], policies: ['reports'] },
      { name: 'administrator', uuid: 'role-4', members: ['boss'], policies: [] },
    ],
  },
  { login: 'authzB', uuid: 'uuid-b', users: [{ login: 'b1', uuid: 'uuid-b1' }] },
  { login: 'operator', uuid: 'uuid-op', groups: ['operators'] },
  { login: 'closed', uuid: 'uuid-closed', approved_for_provisioning: false },
]);
const store = createFileStore(file, log);

const objects = {
  X: { key: '/uuid-a/public/X', roles: [] },
  A: { key: '/uuid-a/stor/A', roles: [] },
  pub: { key: '/uuid-a/stor/pub', roles: ['role-2'] },
  U1: { key: '/uuid-a/stor/U1', roles: ['role-1'] },
} as const;

const owner = await store.user('authzA', 'anonymous', { fallback: true });

async function callerOf(name: string): Promise<AccountAnswer | null> {
  if (name === 'nobody') return null;
  const [login = '', user] = name.split('/');
  return user === undefined ? store.accountByLogin(login) : store.user(login, user);
}

async function ask(
  name: string,
  key: string,
  roles: readonly string[],
  more: { action?: Action; conditions?: Conditions } = {},
) {
  const principal = await callerOf(name);
  const active = (principal?.user ?? principal?.account)?.defaultRoles ?? [];
  const conditions = { activeRoles: active, fromjob: true, ...more.conditions };
  return authorize({ principal, action: more.action ?? 'getobject', owner, key, roles, conditions });
}

// biome-ignore format: table
const table: readonly [caller: string, x: boolean, a: boolean, pub: boolean, u1: boolean][] = [
  ['authzA',         true, true,  true, true],
  ['authzA/authzA1', true, false, true, true],
  ['authzA/authzA2', true, false, true, false],
  ['authzB',         true, false, true, false],
  ['authzB/b1',      true, false, true, false],
  ['operator',       true, true,  true, true],
  ['nobody',         true, false, true, false],
  ['authzA/boss',    true, false, true, false], // administrator, but not as default role
];
t.test('who may read what', async (t) => {
  for (const [caller, ...expected] of table)
    for (const [index, [name, { key, roles }]] of Object.entries(objects).entries())
      t.equal((await ask(caller, key, roles)).allowed, expected[index], `${caller} reads ${name}`);
});

t.test('legacy jobs know only owner, operators and public names', async (t) => {
  const legacy = (uuid: string, groups: readonly string[], name: string) =>
    authorizeLegacy({ ownerUuid: 'uuid-a', auth: { uuid, groups }, name });
  t.ok(legacy('uuid-a', [], '/authzA/stor/A'), 'the owner');
  t.ok(legacy('uuid-op', ['operators'], '/authzA/stor/A'), 'an operator');
  t.ok(legacy('uuid-b', [], '/authzA/public/X'), 'anybody, if it is public');
  t.notOk(legacy('uuid-b', [], '/authzA/stor/pub'), 'nobody else');
  t.notOk(legacy('uuid-b', [], '/authzA/public'), 'the public directory itself is no object');
  t.notOk(legacy('uuid-b', [], '/authzA/stor/public/X'), 'only the second component counts');
});

t.test('what is refused says why', async (t) => {
  t.match(await ask('authzB', '/uuid-a/stor/A', []), {
    code: 'AuthorizationFailed',
    message: 'authzB is not allowed to access /uuid-a/stor/A',
  });
  t.match(await ask('authzA/authzA1', '/uuid-a/stor/A', []), {
    code: 'NoMatchingRoleTag',
    message: 'None of your active roles are present on the resource.',
  });
  t.match(await ask('nobody', '/uuid-a/stor/A', []), { message: 'anonymous is not allowed to access /uuid-a/stor/A' });
  t.match(await ask('closed', '/uuid-a/stor/A', []), {
    code: 'AccountBlocked',
    message: 'closed is not an active account',
  });
  t.match(await ask('authzA/authzA1', '/uuid-a/stor/U1', ['role-1'], { action: 'putobject' }), {
    code: 'AuthorizationFailed',
  });
});

t.test('public means the root of that name, and reading', async (t) => {
  t.notOk((await ask('authzB', '/uuid-a/publicity/X', [])).allowed, 'a name that only begins like it');
  t.notOk((await ask('authzB', '/uuid-a/public/X', [], { action: 'putobject' })).allowed, 'writing');
  t.ok((await ask('nobody', '/uuid-a/public', [], { action: 'getdirectory' })).allowed, 'listing it');
});

t.test('rules with resources count without a tag, under their condition', async (t) => {
  const reports = (key: string, fromjob: boolean) =>
    ask('authzA/authzA2', key, [], { conditions: { activeRoles: ['role-3'], fromjob } });
  t.ok((await reports('/uuid-a/stor/reports/may', true)).allowed, 'named by login, asked by UUID');
  t.notOk((await reports('/uuid-a/stor/reports/may', false)).allowed, 'the condition does not hold');
  t.notOk((await reports('/uuid-a/stor/secrets', true)).allowed, 'another resource');
});

t.test('an administrator may do everything in its account', async (t) => {
  const admin = { action: 'deleteobject', conditions: { activeRoles: ['role-4'] } } as const;
  t.ok((await ask('authzA/boss', '/uuid-a/stor/A', [], admin)).allowed);
});

t.test('a role that the caller does not have grants nothing', async (t) => {
  const stolen = { conditions: { activeRoles: ['role-1'] } };
  t.notOk((await ask('authzA/authzA2', '/uuid-a/stor/U1', ['role-1'], stolen)).allowed);
  t.notOk((await ask('authzB', '/uuid-a/stor/U1', ['role-1'], { conditions: { activeRoles: ['__proto__'] } })).allowed);
});
