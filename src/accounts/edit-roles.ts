/**
 * What an account has of its own, as functions from one content of the account file to the next: users, who sign with
 * keys of their own; policies, which are rules; roles, which give policies to users. Nothing dangles: a role is made of
 * policies and users that are there, a policy in use stays, and a user who is removed is a member of nothing.
 */
import crypto from 'node:crypto';
import { accountOf, editError, replaced, userOf, withAccount } from './edit.js';
import { type AccountEntry, type AccountFile, assertLogin } from './file.js';
import { parseRule } from './rule-parser.js';

type PolicyEntry = NonNullable<AccountEntry['policies']>[number];
type RoleEntry = NonNullable<AccountEntry['roles']>[number];

/** @param user.keys in OpenSSH form. @throws VError `AccountEditError`, or `AccountFileError` for what can be no login. */
export function addUser(
  content: AccountFile,
  accountLogin: string,
  { login, keys }: { readonly login: string; readonly keys: readonly string[] },
): AccountFile {
  assertLogin(login);
  return withAccount(content, accountLogin, (account) => {
    const { users = [] } = account;
    if (users.some((user) => user.login === login))
      throw editError('account "%s" has a user "%s" already', accountLogin, login);
    return { ...account, users: [...users, { login, uuid: crypto.randomUUID(), keys: [...keys] }] };
  });
}

/** @throws VError `AccountEditError` when there is none. */
export function removeUser(content: AccountFile, accountLogin: string, login: string): AccountFile {
  return withAccount(content, accountLogin, (account) => {
    const user = userOf(account, login);
    const { users = [], roles = [] } = account;
    return { ...account, users: users.filter((other) => other !== user), roles: roles.map(without(login)) };
  });
}

/** @throws VError `AccountEditError`: there is one, the name or a rule is none. */
export function addPolicy(
  content: AccountFile,
  accountLogin: string,
  { name, rules }: Pick<PolicyEntry, 'name' | 'rules'>,
): AccountFile {
  assertName('policy', name);
  assertRules(rules);
  return withAccount(content, accountLogin, (account) => {
    const { policies = [] } = account;
    if (policies.some((policy) => policy.name === name))
      throw editError('account "%s" has a policy "%s" already', accountLogin, name);
    return { ...account, policies: [...policies, { name, uuid: crypto.randomUUID(), rules: [...rules] }] };
  });
}

/** Other rules for a policy that is there. @throws VError `AccountEditError`. */
export function setPolicy(
  content: AccountFile,
  accountLogin: string,
  { name, rules }: Pick<PolicyEntry, 'name' | 'rules'>,
): AccountFile {
  assertRules(rules);
  return withAccount(content, accountLogin, (account) => {
    const policy = policyOf(account, name);
    return { ...account, policies: replaced(account.policies ?? [], policy, () => ({ ...policy, rules: [...rules] })) };
  });
}

/** @throws VError `AccountEditError`: there is none, or a role has it. */
export function removePolicy(content: AccountFile, accountLogin: string, name: string): AccountFile {
  return withAccount(content, accountLogin, (account) => {
    const policy = policyOf(account, name);
    const user = account.roles?.find(({ policies }) => policies?.includes(name));
    if (user !== undefined) throw editError('policy "%s" cannot be removed: role "%s" has it', name, user.name);
    return { ...account, policies: (account.policies ?? []).filter((other) => other !== policy) };
  });
}

/** A role without members. @throws VError `AccountEditError`: there is one, or a policy is not there. */
export function addRole(
  content: AccountFile,
  accountLogin: string,
  { name, policies }: { readonly name: string; readonly policies: readonly string[] },
): AccountFile {
  assertName('role', name);
  return withAccount(content, accountLogin, (account) => {
    const { roles = [] } = account;
    if (roles.some((role) => role.name === name))
      throw editError('account "%s" has a role "%s" already', accountLogin, name);
    for (const policy of policies) policyOf(account, policy);
    const role: RoleEntry = {
      name,
      uuid: crypto.randomUUID(),
      members: [],
      default_members: [],
      policies: [...policies],
    };
    return { ...account, roles: [...roles, role] };
  });
}

/** Other policies for a role that is there. @throws VError `AccountEditError`. */
export function setRole(
  content: AccountFile,
  accountLogin: string,
  { name, policies }: { readonly name: string; readonly policies: readonly string[] },
): AccountFile {
  return withAccount(content, accountLogin, (account) => {
    for (const policy of policies) policyOf(account, policy);
    return withRole(account, name, (role) => ({ ...role, policies: [...policies] }));
  });
}

/** @throws VError `AccountEditError` when there is none. */
export function removeRole(content: AccountFile, accountLogin: string, name: string): AccountFile {
  return withAccount(content, accountLogin, (account) => {
    const role = roleOf(account, name);
    return { ...account, roles: (account.roles ?? []).filter((other) => other !== role) };
  });
}

/**
 * Makes a user a member, or what kind of member it is another one.
 * @param onRequest the role counts only for requests that name it. @throws VError `AccountEditError`.
 */
export function grantRole(
  content: AccountFile,
  accountLogin: string,
  { role, user, onRequest }: { readonly role: string; readonly user: string; readonly onRequest: boolean },
): AccountFile {
  return withAccount(content, accountLogin, (account) => {
    userOf(account, user);
    return withRole(account, role, (before) => {
      const { members = [], default_members = [], ...rest } = without(user)(before);
      return {
        ...rest,
        members: [...members, user],
        default_members: onRequest ? default_members : [...default_members, user],
      };
    });
  });
}

/** @throws VError `AccountEditError`: no such role, no such user, or it is no member. */
export function revokeRole(
  content: AccountFile,
  accountLogin: string,
  { role, user }: { readonly role: string; readonly user: string },
): AccountFile {
  return withAccount(content, accountLogin, (account) => {
    userOf(account, user);
    return withRole(account, role, (before) => {
      const isMember = before.members?.includes(user) || before.default_members?.includes(user);
      if (!isMember) throw editError('user "%s" is no member of role "%s"', user, role);
      return without(user)(before);
    });
  });
}

export function usersOf(content: AccountFile, accountLogin: string): NonNullable<AccountEntry['users']> {
  return accountOf(content, accountLogin).users ?? [];
}

export function policiesOf(content: AccountFile, accountLogin: string): readonly PolicyEntry[] {
  return accountOf(content, accountLogin).policies ?? [];
}

export function rolesOf(content: AccountFile, accountLogin: string): readonly RoleEntry[] {
  return accountOf(content, accountLogin).roles ?? [];
}

function without(user: string): (role: RoleEntry) => RoleEntry {
  const others = (logins: readonly string[] = []) => logins.filter((login) => login !== user);
  return (role) => ({ ...role, members: others(role.members), default_members: others(role.default_members) });
}

function withRole(account: AccountEntry, name: string, edit: (role: RoleEntry) => RoleEntry): AccountEntry {
  return { ...account, roles: replaced(account.roles ?? [], roleOf(account, name), edit) };
}

function policyOf(account: AccountEntry, name: string): PolicyEntry {
  const policy = account.policies?.find((candidate) => candidate.name === name);
  if (policy === undefined) throw editError('account "%s" has no policy "%s"', account.login, name);
  return policy;
}

function roleOf(account: AccountEntry, name: string): RoleEntry {
  const role = account.roles?.find((candidate) => candidate.name === name);
  if (role === undefined) throw editError('account "%s" has no role "%s"', account.login, name);
  return role;
}

/** Requests name roles in lists with commas. */
function assertName(kind: 'policy' | 'role', name: string): void {
  if (/^[a-zA-Z][a-zA-Z0-9_.@-]*$/.test(name)) return;
  const text = `"%s" cannot be the name of a ${kind}: it takes a letter, then letters, digits, or any of "_.@-"`;
  throw editError(text, name);
}

/** A rule that cannot be read grants nothing: better said now than wondered at later. */
function assertRules(rules: readonly string[]): void {
  const wrong = rules.find((rule) => parseRule(rule) === undefined);
  if (wrong !== undefined)
    throw editError('"%s" is not a rule such as "CAN getobject and putobject /LOGIN/stor/shared/*"', wrong);
}
