/**
 * The account store over the account file. Each question looks first whether the file is still the one that was read
 * (one `stat`, microseconds): no watcher, no interval, and a change counts for the very next request. A file that has
 * become unreadable leaves the last good state in force, and says so in the log once.
 */
import fs from 'node:fs';
import VError from 'verror';
import type { Logger } from '../common/logging.js';
import { type AccountEntry, type AccountFile, readAccountFile } from './file.js';
import { md5Fingerprint } from './fingerprints.js';
import type { Account, AccountAnswer, AccountStore, Role, User } from './types.js';

/** @throws VError `AccountFileError` when the file cannot be read now. */
export function createFileStore(file: string, log: Logger): AccountStore {
  let version = versionOf(file);
  let index = buildIndex(readAccountFile(file), log);

  function current(): Index {
    const seen = versionOf(file);
    if (seen === version) return index;
    version = seen;
    try {
      index = buildIndex(readAccountFile(file), log);
      log.info({ file, accounts: index.byLogin.size }, 'account file read again');
    } catch (error) {
      log.error({ err: error, file }, 'account file cannot be read: accounts stay as they were; correct the file');
    }
    return index;
  }

  return {
    accountByLogin: async (login) => current().byLogin.get(login)?.answer ?? unknownAccount(login),
    accountById: async (uuid) => current().byUuid.get(uuid)?.answer ?? unknownAccount(uuid),
    userById: async (uuid) => current().users.get(uuid) ?? unknownUser(uuid),
    user: async (accountLogin, userLogin, { fallback = false } = {}) => {
      const account = current().byLogin.get(accountLogin) ?? unknownAccount(accountLogin);
      const user = account.users.get(userLogin);
      if (user !== undefined) return user;
      return fallback ? account.answer : unknownUser(`${accountLogin}/${userLogin}`);
    },
    names: async (uuids) => {
      const { names } = current();
      return Object.fromEntries(uuids.map((uuid) => [uuid, names.get(uuid)]).filter(([, name]) => name !== undefined));
    },
    uuids: async (accountLogin, type, names) => {
      const account = current().byLogin.get(accountLogin) ?? unknownAccount(accountLogin);
      const known = account.uuids[type];
      const found = names.map((name) => [name, known.get(name)]).filter(([, uuid]) => uuid !== undefined);
      return { account: account.answer.account.uuid, uuids: Object.fromEntries(found) };
    },
  };
}

interface IndexedAccount {
  readonly answer: AccountAnswer;
  readonly users: ReadonlyMap<string, AccountAnswer>;
  readonly uuids: Readonly<Record<'role' | 'user' | 'policy', ReadonlyMap<string, string>>>;
}

interface Index {
  readonly byLogin: ReadonlyMap<string, IndexedAccount>;
  readonly byUuid: ReadonlyMap<string, IndexedAccount>;
  readonly users: ReadonlyMap<string, AccountAnswer>;
  readonly names: ReadonlyMap<string, string>;
}

function versionOf(file: string): string {
  try {
    const { ino, size, mtimeNs } = fs.statSync(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return 'missing'; // reading it says why
  }
}

function buildIndex(content: AccountFile, log: Logger): Index {
  const byLogin = new Map<string, IndexedAccount>();
  const byUuid = new Map<string, IndexedAccount>();
  const users = new Map<string, AccountAnswer>();
  const names = new Map<string, string>();
  for (const entry of content.accounts) {
    const indexed = indexAccount(entry, log);
    byLogin.set(entry.login, indexed);
    byUuid.set(entry.uuid, indexed);
    names.set(entry.uuid, entry.login);
    for (const answer of indexed.users.values()) if (answer.user) users.set(answer.user.uuid, answer);
    for (const { uuid, login } of entry.users ?? []) names.set(uuid, login);
    for (const { uuid, name } of [...(entry.roles ?? []), ...(entry.policies ?? [])]) names.set(uuid, name);
  }
  return { byLogin, byUuid, users, names };
}

function indexAccount(entry: AccountEntry, log: Logger): IndexedAccount {
  const groups = entry.groups ?? [];
  const account: Account = {
    uuid: entry.uuid,
    login: entry.login,
    approved_for_provisioning: entry.approved_for_provisioning ?? true,
    groups,
    isOperator: groups.includes('operators'),
    keys: indexKeys(entry.keys ?? [], entry.login, log),
    roles: [],
    defaultRoles: [],
  };
  const users = new Map<string, AccountAnswer>();
  for (const { login, uuid, keys } of entry.users ?? []) {
    const membership = (entry.roles ?? []).filter(({ members, default_members }) =>
      [...(members ?? []), ...(default_members ?? [])].includes(login),
    );
    const user: User = {
      uuid,
      account: entry.uuid,
      login,
      keys: indexKeys(keys ?? [], `${entry.login}/${login}`, log),
      roles: membership.map((role) => role.uuid),
      defaultRoles: membership.filter((role) => role.default_members?.includes(login)).map((role) => role.uuid),
    };
    const roles = Object.fromEntries(membership.map((role) => [role.uuid, expandRole(role, entry)]));
    users.set(login, { account, user, roles });
  }
  return {
    answer: { account, roles: {} },
    users,
    uuids: {
      role: new Map((entry.roles ?? []).map(({ name, uuid }) => [name, uuid])),
      policy: new Map((entry.policies ?? []).map(({ name, uuid }) => [name, uuid])),
      user: new Map((entry.users ?? []).map(({ login, uuid }) => [login, uuid])),
    },
  };
}

function expandRole(role: NonNullable<AccountEntry['roles']>[number], entry: AccountEntry): Role {
  const policies = (entry.policies ?? []).filter(({ name }) => role.policies?.includes(name));
  return {
    uuid: role.uuid,
    name: role.name,
    account: entry.uuid,
    policies: policies.map(({ uuid }) => uuid),
    rules: policies.flatMap(({ rules }) => rules),
  };
}

function indexKeys(keys: readonly string[], login: string, log: Logger): Readonly<Record<string, string>> {
  const index: Record<string, string> = {};
  for (const key of keys) {
    try {
      index[md5Fingerprint(key)] = key;
    } catch (error) {
      log.warn({ err: error, login, key: key.slice(0, 40) }, 'key of account cannot be read and is ignored');
    }
  }
  return index;
}

function unknownAccount(name: string): never {
  throw new VError({ name: 'AccountDoesNotExistError' }, '%s does not exist', name);
}

function unknownUser(name: string): never {
  throw new VError({ name: 'UserDoesNotExistError' }, '%s does not exist', name);
}
