/** Reading and changing the account file for a command: changes made at the same time wait for one another. */
import fs from 'node:fs';
import VError from 'verror';
import { publicKeyLine } from '../../accounts/edit.js';
import { type AccountFile, readAccountFile, writeAccountFile } from '../../accounts/file.js';
import { sleep, systemClock } from '../../common/clock.js';
import { tryLock } from '../lock.js';

export interface AccountOptions {
  /** The account file. */
  readonly file: string;
  /** Whether the first account makes the file. */
  readonly mayMakeFile: boolean;
  readonly isOperator: boolean;
  readonly uuid: string | undefined;
  /** `role grant`: only for requests that name the role. */
  readonly onRequest: boolean;
  readonly isJson: boolean;
  readonly print: (line: string) => void;
}

export interface Verb {
  readonly words: string;
  /** How many arguments there must be, and may be. */
  readonly args: readonly [least: number, most: number];
  readonly run: (options: AccountOptions, args: readonly string[]) => Promise<void>;
}

const waitMs = 10_000;
const pollMs = 20;

/** @param keyFile `-` is standard input. */
export function readKey(keyFile: string): string {
  let text: string;
  try {
    text = fs.readFileSync(keyFile === '-' ? 0 : keyFile, 'utf8');
  } catch (cause) {
    throw new VError({ name: 'AccountEditError', cause: cause as Error }, 'cannot read key file "%s"', keyFile);
  }
  return publicKeyLine(text, keyFile);
}

type Edit = (before: AccountFile) => AccountFile;

export async function changeAccounts({ file: link, mayMakeFile }: AccountOptions, edit: Edit): Promise<AccountFile> {
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
