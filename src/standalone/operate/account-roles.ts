/** `marlin account user|policy|role`: who else may use an account, and what for. */
import {
  addPolicy,
  addRole,
  addUser,
  grantRole,
  policiesOf,
  removePolicy,
  removeRole,
  removeUser,
  revokeRole,
  rolesOf,
  setPolicy,
  setRole,
  usersOf,
} from '../../accounts/edit-roles.js';
import { readAccountFile } from '../../accounts/file.js';
import { type Column, tablePrinter } from '../../cli/table.js';
import { type AccountOptions, changeAccounts, readKey, type Verb } from './account-file.js';

const any = Number.POSITIVE_INFINITY;

// biome-ignore format: table
export const householdVerbs: readonly Verb[] = [
  { words: 'user list',     args: [1, 1],   run: listUsers },
  { words: 'user add',      args: [2, 3],   run: newUser },
  { words: 'user remove',   args: [2, 2],   run: noUser },
  { words: 'policy list',   args: [1, 1],   run: listPolicies },
  { words: 'policy add',    args: [3, any], run: newPolicy },
  { words: 'policy set',    args: [3, any], run: otherRules },
  { words: 'policy remove', args: [2, 2],   run: noPolicy },
  { words: 'role list',     args: [1, 1],   run: listRoles },
  { words: 'role add',      args: [3, any], run: newRole },
  { words: 'role set',      args: [3, any], run: otherPolicies },
  { words: 'role remove',   args: [2, 2],   run: noRole },
  { words: 'role grant',    args: [3, 3],   run: grant },
  { words: 'role revoke',   args: [3, 3],   run: revoke },
];

interface ListedUser {
  readonly login: string;
  readonly uuid: string;
  readonly keys: number;
  /** Those that count without being named. */
  readonly defaultRoles: readonly string[];
  /** The others. */
  readonly otherRoles: readonly string[];
}

const userColumns: readonly Column<ListedUser>[] = [
  { header: 'USER', width: 20, align: 'left', value: ({ login }) => login },
  { header: 'UUID', width: 36, align: 'left', value: ({ uuid }) => uuid },
  { header: 'KEYS', width: 4, align: 'right', value: ({ keys }) => String(keys) },
  { header: 'ROLES', width: 20, align: 'left', value: ({ defaultRoles }) => inWords(defaultRoles) },
  { header: 'ON REQUEST', width: 10, align: 'left', value: ({ otherRoles }) => inWords(otherRoles) },
];

const inWords = (names: readonly string[]) => names.join(',') || '-';

async function listUsers(options: AccountOptions, [login = '']: readonly string[]): Promise<void> {
  const content = readAccountFile(options.file);
  const roles = rolesOf(content, login);
  const users = usersOf(content, login).map((user): ListedUser => {
    const defaultRoles = roles.filter(({ default_members }) => default_members?.includes(user.login));
    const otherRoles = roles.filter((role) => !defaultRoles.includes(role) && role.members?.includes(user.login));
    const names = (some: typeof roles) => some.map(({ name }) => name);
    const keys = user.keys?.length ?? 0;
    return {
      login: user.login,
      uuid: user.uuid,
      keys,
      defaultRoles: names(defaultRoles),
      otherRoles: names(otherRoles),
    };
  });
  printList(options, userColumns, users);
}

async function newUser(options: AccountOptions, [login = '', user = '', keyFile]: readonly string[]): Promise<void> {
  const keys = keyFile === undefined ? [] : [readKey(keyFile)];
  await changeAccounts(options, (before) => addUser(before, login, { login: user, keys }));
  if (keyFile === undefined)
    options.print(`it cannot sign requests before "marlin account key add ${login}/${user} FILE.pub"`);
}

async function noUser(options: AccountOptions, [login = '', user = '']: readonly string[]): Promise<void> {
  await changeAccounts(options, (before) => removeUser(before, login, user));
}

interface ListedPolicy {
  readonly name: string;
  readonly rules: readonly string[];
}

const policyColumns: readonly Column<ListedPolicy>[] = [
  { header: 'POLICY', width: 20, align: 'left', value: ({ name }) => name },
  { header: 'RULES', width: 20, align: 'left', value: ({ rules }) => rules.join('; ') },
];

async function listPolicies(options: AccountOptions, [login = '']: readonly string[]): Promise<void> {
  printList(options, policyColumns, policiesOf(readAccountFile(options.file), login));
}

async function newPolicy(options: AccountOptions, [login = '', name = '', ...rules]: readonly string[]): Promise<void> {
  await changeAccounts(options, (before) => addPolicy(before, login, { name, rules }));
}

async function otherRules(
  options: AccountOptions,
  [login = '', name = '', ...rules]: readonly string[],
): Promise<void> {
  await changeAccounts(options, (before) => setPolicy(before, login, { name, rules }));
}

async function noPolicy(options: AccountOptions, [login = '', name = '']: readonly string[]): Promise<void> {
  await changeAccounts(options, (before) => removePolicy(before, login, name));
}

interface ListedRole {
  readonly name: string;
  readonly policies?: readonly string[];
  readonly members?: readonly string[];
  readonly default_members?: readonly string[];
}

const roleColumns: readonly Column<ListedRole>[] = [
  { header: 'ROLE', width: 20, align: 'left', value: ({ name }) => name },
  { header: 'POLICIES', width: 20, align: 'left', value: ({ policies = [] }) => inWords(policies) },
  { header: 'MEMBERS', width: 20, align: 'left', value: ({ default_members = [] }) => inWords(default_members) },
  {
    header: 'ON REQUEST',
    width: 10,
    align: 'left',
    value: ({ members = [], default_members = [] }) => inWords(members.filter((one) => !default_members.includes(one))),
  },
];

async function listRoles(options: AccountOptions, [login = '']: readonly string[]): Promise<void> {
  printList(options, roleColumns, rolesOf(readAccountFile(options.file), login));
}

async function newRole(
  options: AccountOptions,
  [login = '', name = '', ...policies]: readonly string[],
): Promise<void> {
  await changeAccounts(options, (before) => addRole(before, login, { name, policies }));
}

async function otherPolicies(
  options: AccountOptions,
  [login = '', name = '', ...policies]: readonly string[],
): Promise<void> {
  await changeAccounts(options, (before) => setRole(before, login, { name, policies }));
}

async function noRole(options: AccountOptions, [login = '', name = '']: readonly string[]): Promise<void> {
  await changeAccounts(options, (before) => removeRole(before, login, name));
}

async function grant(options: AccountOptions, [login = '', role = '', user = '']: readonly string[]): Promise<void> {
  const { onRequest } = options;
  await changeAccounts(options, (before) => grantRole(before, login, { role, user, onRequest }));
}

async function revoke(options: AccountOptions, [login = '', role = '', user = '']: readonly string[]): Promise<void> {
  await changeAccounts(options, (before) => revokeRole(before, login, { role, user }));
}

function printList<Listed>(
  { isJson, print }: AccountOptions,
  columns: readonly Column<Listed>[],
  list: readonly Listed[],
): void {
  const row = tablePrinter(columns, print);
  for (const listed of list) {
    if (isJson) print(JSON.stringify(listed));
    else row(listed);
  }
}
