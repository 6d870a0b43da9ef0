/**
 * What operators do with accounts, as functions from one content of the account file to the next; nothing here reads or
 * writes. What an account has of its own, users, policies and roles, is in edit-roles.ts.
 */
import crypto from 'node:crypto';
import sshpk from 'sshpk';
import VError from 'verror';
import type { AccountEntry, AccountFile } from './file.js';
import { findKey, md5Fingerprint } from './fingerprints.js';

/** It owns what interactive sessions load and the archiver's copies. */
const indispensable = 'poseidon';

/** Who signs requests: an account, or one of its users. */
type KeyHolder = Pick<AccountEntry, 'keys'>;
type UserEntry = NonNullable<AccountEntry['users']>[number];

export interface NewAccount {
  readonly login: string;
  /** UUID of an account that was removed, to get its objects back; by default a random one. */
  readonly uuid?: string | undefined;
  readonly isOperator: boolean;
  /** In OpenSSH form. */
  readonly keys: readonly string[];
}

/** @throws VError `AccountEditError`: login or UUID are taken. */
export function addAccount(
  content: AccountFile,
  { login, uuid = crypto.randomUUID(), isOperator, keys }: NewAccount,
): AccountFile {
  const holder = content.accounts.find((account) => account.login === login || account.uuid === uuid);
  if (holder?.login === login) throw editError('there is an account "%s" already', login);
  if (holder !== undefined) throw editError('account "%s" has this UUID already', holder.login);
  const groups = isOperator ? ['operators'] : [];
  const account: AccountEntry = { login, uuid, approved_for_provisioning: true, groups, keys: [...keys] };
  return { ...content, accounts: [...content.accounts, account] };
}

/** @throws VError `AccountEditError`: no such account, or one that Marlin itself needs. */
export function removeAccount(content: AccountFile, login: string): AccountFile {
  const account = accountOf(content, login);
  if (login === indispensable) throw editError('"%s" cannot be removed: Marlin itself needs it', login);
  return { ...content, accounts: content.accounts.filter((other) => other !== account) };
}

/** @param holder `LOGIN` or `LOGIN/USER`. Safe to repeat. @throws VError `AccountEditError`: nobody of that name. */
export function addKey(content: AccountFile, holder: string, key: string): AccountFile {
  if (keysByFingerprint(holderOf(content, holder)).has(md5Fingerprint(key))) return content;
  return withKeys(content, holder, (keys) => [...keys, key]);
}

/**
 * @param holder as of `addKey`. @param fingerprint MD5 or SHA256, in any spelling.
 * @throws VError `AccountEditError`: nobody of that name, no such key.
 */
export function removeKey(content: AccountFile, holder: string, fingerprint: string): AccountFile {
  const known = Object.fromEntries(keysByFingerprint(holderOf(content, holder)));
  const key = findKey(known, fingerprint);
  const kind = holder.includes('/') ? 'user' : 'account';
  if (key === undefined) throw editError(`${kind} "%s" has no key "%s"`, holder, fingerprint);
  return withKeys(content, holder, (keys) => keys.filter((other) => other !== key));
}

/** @throws VError `AccountEditError` when there is none. */
export function accountOf(content: AccountFile, login: string): AccountEntry {
  const account = content.accounts.find((candidate) => candidate.login === login);
  if (account === undefined) throw editError('there is no account "%s"', login);
  return account;
}

/** @param name `LOGIN` or `LOGIN/USER`. @throws VError `AccountEditError` when there is none. */
export function holderOf(content: AccountFile, name: string): KeyHolder {
  const [login = '', userLogin] = partsOf(name);
  const account = accountOf(content, login);
  return userLogin === undefined ? account : userOf(account, userLogin);
}

/** @throws VError `AccountEditError` when there is none. */
export function userOf(account: AccountEntry, login: string): UserEntry {
  const user = account.users?.find((candidate) => candidate.login === login);
  if (user === undefined) throw editError('account "%s" has no user "%s"', account.login, login);
  return user;
}

/** The keys that can be read, by MD5 fingerprint. */
export function keysByFingerprint({ keys = [] }: KeyHolder): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const key of keys) {
    try {
      found.set(md5Fingerprint(key), key);
    } catch {
      // Written by hand, and no key: the account store warns of it.
    }
  }
  return found;
}

/**
 * One line in OpenSSH form. @param text what a `.pub` file has, or PEM. @throws VError `AccountEditError`, also for a
 * private key: it would be read as the public one, and kept where it does not belong.
 */
export function publicKeyLine(text: string, source: string): string {
  if (/PRIVATE KEY/.test(text)) throw editError('"%s" is a private key: the file ending in .pub is needed', source);
  try {
    if (text.includes('-----BEGIN')) return sshpk.parseKey(text, 'pem').toString('ssh');
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    if (lines.length !== 1) throw new VError('one line is expected, it has %d', lines.length);
    md5Fingerprint(text);
    return text.trim();
  } catch (cause) {
    const problem = { name: 'AccountEditError', cause: cause as Error };
    throw new VError(problem, '"%s" is not a public key in OpenSSH format', source);
  }
}

function withKeys(content: AccountFile, holder: string, edit: (keys: readonly string[]) => string[]): AccountFile {
  const [login = '', userLogin] = partsOf(holder);
  const edited = <Holder extends KeyHolder>(entry: Holder) => ({ ...entry, keys: edit(entry.keys ?? []) });
  return withAccount(content, login, (account) => {
    if (userLogin === undefined) return edited(account);
    return { ...account, users: replaced(account.users ?? [], userOf(account, userLogin), edited) };
  });
}

/** The content with one account as `edit` makes it. @throws VError `AccountEditError` when there is none. */
export function withAccount(
  content: AccountFile,
  login: string,
  edit: (account: AccountEntry) => AccountEntry,
): AccountFile {
  return { ...content, accounts: replaced(content.accounts, accountOf(content, login), edit) };
}

/** A copy in which `edit` has made another of one member. */
export function replaced<Member>(all: readonly Member[], one: Member, edit: (one: Member) => Member): Member[] {
  return all.map((member) => (member === one ? edit(member) : member));
}

/** No login has a slash. */
function partsOf(holder: string): readonly string[] {
  const at = holder.indexOf('/');
  return at < 0 ? [holder] : [holder.slice(0, at), holder.slice(at + 1)];
}

export function editError(text: string, ...values: readonly string[]): VError {
  return new VError({ name: 'AccountEditError' }, text, ...values);
}
