/**
 * What operators do with accounts, as functions from one content of the account file to the next; nothing here reads or
 * writes. Users, roles and policies have no command: they are edited by hand, and stay as they are here.
 */
import crypto from 'node:crypto';
import sshpk from 'sshpk';
import VError from 'verror';
import type { AccountEntry, AccountFile } from './file.js';
import { findKey, md5Fingerprint } from './fingerprints.js';

/** It owns what interactive sessions load and the archiver's copies. */
const indispensable = 'poseidon';

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

/** Safe to repeat. @throws VError `AccountEditError`: no such account. */
export function addKey(content: AccountFile, login: string, key: string): AccountFile {
  const account = accountOf(content, login);
  if (keysByFingerprint(account).has(md5Fingerprint(key))) return content;
  return withKeys(content, account, [...(account.keys ?? []), key]);
}

/** @param fingerprint MD5 or SHA256, in any spelling. @throws VError `AccountEditError`: no such account, no such key. */
export function removeKey(content: AccountFile, login: string, fingerprint: string): AccountFile {
  const account = accountOf(content, login);
  const key = findKey(Object.fromEntries(keysByFingerprint(account)), fingerprint);
  if (key === undefined) throw editError('account "%s" has no key "%s"', login, fingerprint);
  const rest = (account.keys ?? []).filter((other) => other !== key);
  return withKeys(content, account, rest);
}

/** @throws VError `AccountEditError` when there is none. */
export function accountOf(content: AccountFile, login: string): AccountEntry {
  const account = content.accounts.find((candidate) => candidate.login === login);
  if (account === undefined) throw editError('there is no account "%s"', login);
  return account;
}

/** The keys of an account that can be read, by MD5 fingerprint. */
export function keysByFingerprint({ keys = [] }: AccountEntry): ReadonlyMap<string, string> {
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

function withKeys(content: AccountFile, account: AccountEntry, keys: string[]): AccountFile {
  const accounts = content.accounts.map((other) => (other === account ? { ...account, keys } : other));
  return { ...content, accounts };
}

function editError(text: string, ...values: readonly string[]): VError {
  return new VError({ name: 'AccountEditError' }, text, ...values);
}
