/**
 * `marlin account`: who may use a Marlin. It changes the account file, which the front door looks at for every request:
 * no service is told or started again. Users, policies and roles of an account: account-roles.ts.
 */
import {
  accountOf,
  addAccount,
  addKey,
  holderOf,
  keysByFingerprint,
  removeAccount,
  removeKey,
} from '../../accounts/edit.js';
import { type AccountEntry, assertLogin, readAccountFile } from '../../accounts/file.js';
import { type Column, tablePrinter } from '../../cli/table.js';
import { type AccountOptions, changeAccounts, readKey, type Verb } from './account-file.js';
import { householdVerbs } from './account-roles.js';

// biome-ignore format: table
const verbs: readonly Verb[] = [
  { words: 'list',       args: [0, 0], run: list },
  { words: 'add',        args: [1, 2], run: add },
  { words: 'remove',     args: [1, 1], run: remove },
  { words: 'key list',   args: [1, 1], run: listKeys },
  { words: 'key add',    args: [2, 2], run: giveKey },
  { words: 'key remove', args: [2, 2], run: takeKey },
  ...householdVerbs,
];

/**
 * @returns what does it, or undefined when the arguments are no such command.
 * @throws VError of what cannot be done, from what is returned.
 */
export function accountCommand(args: readonly string[]): ((options: AccountOptions) => Promise<void>) | undefined {
  for (const {
    words,
    args: [least, most],
    run,
  } of verbs) {
    const length = words.split(' ').length;
    const rest = args.slice(length);
    if (args.slice(0, length).join(' ') !== words || rest.length < least || rest.length > most) continue;
    return (options) => run(options, rest);
  }
  return undefined;
}

interface Listed {
  readonly login: string;
  readonly uuid: string;
  readonly isOperator: boolean;
  readonly isApproved: boolean;
  readonly keys: number;
  readonly users: number;
}

const columns: readonly Column<Listed>[] = [
  { header: 'LOGIN', width: 20, align: 'left', value: ({ login }) => login },
  { header: 'UUID', width: 36, align: 'left', value: ({ uuid }) => uuid },
  { header: 'KEYS', width: 4, align: 'right', value: ({ keys }) => String(keys) },
  { header: 'USERS', width: 5, align: 'right', value: ({ users }) => String(users) },
  { header: 'IS', width: 8, align: 'left', value: isWhat },
];

function isWhat({ isOperator, isApproved }: Listed): string {
  return isApproved ? (isOperator ? 'operator' : '-') : 'blocked';
}

async function list({ file, isJson, print }: AccountOptions): Promise<void> {
  const row = tablePrinter(columns, print);
  for (const account of readAccountFile(file).accounts) {
    const listed = listedOf(account);
    if (isJson) print(JSON.stringify(listed));
    else row(listed);
  }
}

function listedOf({ login, uuid, groups, keys, users, approved_for_provisioning }: AccountEntry): Listed {
  return {
    login,
    uuid,
    isOperator: groups?.includes('operators') ?? false,
    isApproved: approved_for_provisioning ?? true,
    keys: keys?.length ?? 0,
    users: users?.length ?? 0,
  };
}

async function add(options: AccountOptions, [login = '', keyFile]: readonly string[]): Promise<void> {
  const { isOperator, uuid, print } = options;
  assertLogin(login);
  const keys = keyFile === undefined ? [] : [readKey(keyFile)];
  const content = await changeAccounts(options, (before) => addAccount(before, { login, uuid, isOperator, keys }));
  print(`account "${login}" added: ${accountOf(content, login).uuid}`);
  if (keyFile === undefined) print(`it cannot sign requests before "marlin account key add ${login} FILE.pub"`);
}

async function remove(options: AccountOptions, [login = '']: readonly string[]): Promise<void> {
  const { file, print } = options;
  const { uuid } = accountOf(readAccountFile(file), login);
  await changeAccounts(options, (before) => removeAccount(before, login));
  print(`account "${login}" removed; its objects stay, and are its own again after "add ${login} --uuid ${uuid}"`);
}

async function listKeys({ file, isJson, print }: AccountOptions, [holder = '']: readonly string[]): Promise<void> {
  for (const [fingerprint, key] of keysByFingerprint(holderOf(readAccountFile(file), holder))) {
    const [type, , ...comment] = key.split(/\s+/);
    if (isJson) print(JSON.stringify({ fingerprint, type, comment: comment.join(' '), key }));
    else print(`${fingerprint} ${type} ${comment.join(' ')}`.trimEnd());
  }
}

async function giveKey(options: AccountOptions, [holder = '', keyFile = '']: readonly string[]): Promise<void> {
  const key = readKey(keyFile);
  await changeAccounts(options, (before) => addKey(before, holder, key));
}

async function takeKey(options: AccountOptions, [holder = '', fingerprint = '']: readonly string[]): Promise<void> {
  await changeAccounts(options, (before) => removeKey(before, holder, fingerprint));
}
