/**
 * `marlin account`: who may use a Marlin. It changes the account file, which the front door looks at for every request:
 * no service is told or started again. Changes made at the same time wait for one another, so that none is lost.
 */
import fs from 'node:fs';
import VError from 'verror';
import {
  accountOf,
  addAccount,
  addKey,
  keysByFingerprint,
  publicKeyLine,
  removeAccount,
  removeKey,
} from '../../accounts/edit.js';
import {
  type AccountEntry,
  type AccountFile,
  assertLogin,
  readAccountFile,
  writeAccountFile,
} from '../../accounts/file.js';
import { type Column, tablePrinter } from '../../cli/table.js';
import { sleep, systemClock } from '../../common/clock.js';
import { tryLock } from '../lock.js';

export interface AccountOptions {
  /** The account file. */
  readonly file: string;
  /** Whether the first account makes the file. */
  readonly mayMakeFile: boolean;
  readonly isOperator: boolean;
  readonly uuid: string | undefined;
  readonly isJson: boolean;
  readonly print: (line: string) => void;
}

interface Verb {
  readonly words: string;
  /** How many arguments there must be, and may be. */
  readonly args: readonly [least: number, most: number];
  readonly run: (options: AccountOptions, args: readonly string[]) => Promise<void>;
}

const waitMs = 10_000;
const pollMs = 20;

// biome-ignore format: table
const verbs: readonly Verb[] = [
  { words: 'list',       args: [0, 0], run: list },
  { words: 'add',        args: [1, 2], run: add },
  { words: 'remove',     args: [1, 1], run: remove },
  { words: 'key list',   args: [1, 1], run: listKeys },
  { words: 'key add',    args: [2, 2], run: giveKey },
  { words: 'key remove', args: [2, 2], run: takeKey },
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
  const content = await change(options, (before) => addAccount(before, { login, uuid, isOperator, keys }));
  print(`account "${login}" added: ${accountOf(content, login).uuid}`);
  if (keyFile === undefined) print(`it cannot sign requests before "marlin account key add ${login} FILE.pub"`);
}

async function remove(options: AccountOptions, [login = '']: readonly string[]): Promise<void> {
  const { file, print } = options;
  const { uuid } = accountOf(readAccountFile(file), login);
  await change(options, (before) => removeAccount(before, login));
  print(`account "${login}" removed; its objects stay, and are its own again after "add ${login} --uuid ${uuid}"`);
}

async function listKeys({ file, isJson, print }: AccountOptions, [login = '']: readonly string[]): Promise<void> {
  for (const [fingerprint, key] of keysByFingerprint(accountOf(readAccountFile(file), login))) {
    const [type, , ...comment] = key.split(/\s+/);
    if (isJson) print(JSON.stringify({ fingerprint, type, comment: comment.join(' '), key }));
    else print(`${fingerprint} ${type} ${comment.join(' ')}`.trimEnd());
  }
}

async function giveKey(options: AccountOptions, [login = '', keyFile = '']: readonly string[]): Promise<void> {
  const key = readKey(keyFile);
  await change(options, (before) => addKey(before, login, key));
}

async function takeKey(options: AccountOptions, [login = '', fingerprint = '']: readonly string[]): Promise<void> {
  await change(options, (before) => removeKey(before, login, fingerprint));
}

/** @param keyFile `-` is standard input. */
function readKey(keyFile: string): string {
  let text: string;
  try {
    text = fs.readFileSync(keyFile === '-' ? 0 : keyFile, 'utf8');
  } catch (cause) {
    throw new VError({ name: 'AccountEditError', cause: cause as Error }, 'cannot read key file "%s"', keyFile);
  }
  return publicKeyLine(text, keyFile);
}

type Edit = (before: AccountFile) => AccountFile;

async function change({ file: link, mayMakeFile }: AccountOptions, edit: Edit): Promise<AccountFile> {
  if (!mayMakeFile) readAccountFile(link); // says what is wrong with it, also that it is not there
  const file = fs.existsSync(link) ? fs.realpathSync(link) : link; // a rename onto a link would replace the link alone
  const release = await lock(`${file}.lock`);
  try {
    const before = mayMakeFile && !fs.existsSync(file) ? { accounts: [] } : readAccountFile(file);
    const after = edit(before);
    if (after !== before) writeAccountFile(file, after);
    return after;
  } finally {
    release();
  }
}

async function lock(file: string): Promise<() => void> {
  const endMs = systemClock.nowMs() + waitMs;
  for (;;) {
    const taken = tryLock(file);
    if (typeof taken === 'function') return taken;
    if (systemClock.nowMs() > endMs) {
      const text = 'process %d has held "%s" for %d s';
      throw new VError({ name: 'AccountEditError' }, text, taken, file, waitMs / 1000);
    }
    await sleep(systemClock, pollMs);
  }
}
