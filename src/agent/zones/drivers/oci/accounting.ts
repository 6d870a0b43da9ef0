/**
 * Process accounting of a zone: the kernel appends a record to a file whenever a process of the zone's pid namespace
 * ends, with a flag if it dumped core, which no parent, session or limit of the process can keep back. The lackey reads
 * the file (lackey/cores.ts), which it sees read-only. The machine's own accounting is another one, and untouched.
 *
 * Turning it on takes one system call by a process inside the namespace with the machine's own privileges. There is no
 * program for it on every machine (`accton` is in the package acct), but perl. The end of the namespace turns it off.
 */
import { statSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import VError from 'verror';
import { runCommand } from '../commands.js';

/** Name below the zone's socket directory. */
export const accountingFile = 'acct';
/** acct(2). */
const systemCalls: Readonly<Record<string, number>> = { x64: 163, arm64: 89 };
const script = 'syscall(shift, shift) == 0 or die "acct: $!\\n"';
/** 64 bytes for each process that ended: a million of them. */
const maxBytes = 64 * 1024 * 1024;

/** A file of its own for the next life of a zone, before anything runs in it. */
export async function newAccountingFile(directory: string): Promise<void> {
  const file = path.join(directory, accountingFile);
  await fs.rm(file, { force: true });
  await (await fs.open(file, 'wx', 0o644)).close();
  await fs.chmod(file, 0o644); // the zone's ids read it, whatever our umask
}

/** @param pid process 1 of the zone, as we see it. @throws VError when the kernel does not account. */
export async function startAccounting(pid: number, directory: string): Promise<void> {
  const number = systemCalls[process.arch];
  if (number === undefined) throw new VError('acct(2) is not known on "%s"', process.arch);
  const perl = ['perl', '-e', script, '--', String(number), path.join(directory, accountingFile)];
  await runCommand('nsenter', [`--pid=/proc/${pid}/ns/pid`, '--', ...perl]);
}

/** Empties the file when it has grown long. The kernel appends wherever its end is, and readers begin again. */
export async function boundAccounting(directory: string): Promise<void> {
  const file = path.join(directory, accountingFile);
  const { size } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0 }; // from memory: each task pays for it
  if (size > maxBytes) await fs.truncate(file);
}
