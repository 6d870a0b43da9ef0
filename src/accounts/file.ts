/**
 * The account file: everything about accounts in one JSON file that operators may also edit by hand. What is written
 * here is written whole beside it and renamed, so that nobody ever reads half a file.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { FromSchema } from 'json-schema-to-ts';
import VError from 'verror';
import { recordAjv } from '../common/schema.js';
import { md5Fingerprint } from './fingerprints.js';

const text = { type: 'string', minLength: 1 } as const;
const texts = { type: 'array', items: text } as const;

const loginPattern = '^[a-zA-Z][a-zA-Z0-9_.@-]+$';

const userSchema = {
  type: 'object',
  required: ['login', 'uuid'],
  properties: { login: text, uuid: text, keys: texts },
} as const;
const policySchema = {
  type: 'object',
  required: ['name', 'uuid', 'rules'],
  properties: { name: text, uuid: text, rules: texts },
} as const;
const roleSchema = {
  type: 'object',
  required: ['name', 'uuid'],
  properties: { name: text, uuid: text, members: texts, default_members: texts, policies: texts },
} as const;
const accountSchema = {
  type: 'object',
  required: ['login', 'uuid'],
  properties: {
    login: { type: 'string', pattern: loginPattern },
    uuid: text,
    approved_for_provisioning: { type: 'boolean' },
    groups: texts,
    keys: texts,
    users: { type: 'array', items: userSchema },
    policies: { type: 'array', items: policySchema },
    roles: { type: 'array', items: roleSchema },
  },
} as const;
const fileSchema = {
  type: 'object',
  required: ['accounts'],
  properties: { accounts: { type: 'array', items: accountSchema } },
} as const;

export type AccountFile = FromSchema<typeof fileSchema>;
export type AccountEntry = AccountFile['accounts'][number];

const validate = recordAjv.compile<AccountFile>(fileSchema);

/** @throws VError `AccountFileError` that names the file and what is wrong with it. */
export function readAccountFile(file: string): AccountFile {
  let value: unknown;
  try {
    value = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new VError({ name: 'AccountFileError', cause: error as Error }, 'cannot read account file "%s"', file);
  }
  if (!validate(value)) {
    const [problem] = validate.errors ?? [];
    const place = problem?.instancePath || '/';
    throw new VError({ name: 'AccountFileError' }, 'account file "%s": %s %s', file, place, problem?.message ?? '');
  }
  return value;
}

export interface WantedAccount {
  readonly login: string;
  /** In OpenSSH form: `ssh-ed25519 AAAA… comment`. */
  readonly publicKey?: string;
  readonly operator?: boolean;
  /** UUID for a new account; by default a random one. */
  readonly uuid?: string;
}

/**
 * Makes sure that the file has this account with this key; makes the file if there is none. Nothing is ever taken away:
 * safe to repeat. One writer at a time. @throws VError `AccountFileError`, also for what can be no login.
 */
export function ensureAccount(file: string, wanted: WantedAccount): { uuid: string; changed: boolean } {
  const content: AccountFile = fs.existsSync(file) ? readAccountFile(file) : { accounts: [] };
  assertLogin(wanted.login);
  const known = content.accounts.find(({ login }) => login === wanted.login);
  const before = known ?? {
    login: wanted.login,
    uuid: wanted.uuid ?? crypto.randomUUID(),
    approved_for_provisioning: true,
    groups: [],
    keys: [],
  };
  const after = withGroup(withKey(before, wanted.publicKey), wanted.operator === true ? 'operators' : undefined);
  if (after === known) return { uuid: after.uuid, changed: false };
  const others = content.accounts.filter((account) => account !== known);
  writeAccountFile(file, { ...content, accounts: [...others, after] });
  return { uuid: after.uuid, changed: true };
}

/** @throws VError `AccountFileError` for what can be no login. */
export function assertLogin(login: string): void {
  if (new RegExp(loginPattern).test(login)) return;
  const text = '"%s" cannot be the login of an account: it takes a letter, then letters, digits, or any of "_.@-"';
  throw new VError({ name: 'AccountFileError' }, text, login);
}

/**
 * Replaces the file atomically. A new one is readable by its owner alone; one that is there keeps mode, owner and
 * group: the front door that reads it is often another user than the operator who writes it.
 */
export function writeAccountFile(file: string, content: AccountFile): void {
  if (!validate(content))
    throw new VError({ name: 'AccountFileError' }, 'accounts that cannot be written to "%s"', file);
  const before = fs.statSync(file, { throwIfNoEntry: false });
  const temporary = `${file}.${process.pid}.tmp`;
  const descriptor = fs.openSync(temporary, 'w', 0o600);
  try {
    if (before !== undefined) keepAccess(descriptor, before);
    fs.writeFileSync(descriptor, `${JSON.stringify(content, null, 2)}\n`);
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
  fs.renameSync(temporary, file);
  const directory = fs.openSync(path.dirname(file), 'r');
  try {
    fs.fsyncSync(directory);
  } finally {
    fs.closeSync(directory);
  }
}

function keepAccess(descriptor: number, { uid, gid, mode }: fs.Stats): void {
  const now = fs.fstatSync(descriptor);
  if (now.uid !== uid || now.gid !== gid) fs.fchownSync(descriptor, uid, gid);
  fs.fchmodSync(descriptor, mode & 0o777);
}

function withKey(account: AccountEntry, publicKey: string | undefined): AccountEntry {
  if (publicKey === undefined) return account;
  const fingerprint = md5Fingerprint(publicKey);
  const keys = account.keys ?? [];
  if (keys.some((key) => fingerprintOrNone(key) === fingerprint)) return account;
  return { ...account, keys: [...keys, publicKey.trim()] };
}

function withGroup(account: AccountEntry, group: string | undefined): AccountEntry {
  const groups = account.groups ?? [];
  return group === undefined || groups.includes(group) ? account : { ...account, groups: [...groups, group] };
}

function fingerprintOrNone(key: string): string | undefined {
  try {
    return md5Fingerprint(key);
  } catch {
    return undefined; // a broken key in the file is not the wanted one; the store warns of it
  }
}
