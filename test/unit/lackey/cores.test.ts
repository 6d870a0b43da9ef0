/** Accounting records and ELF cores, as the kernel of this machine writes them. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { findCoreIn, readCore } from '../../../src/lackey/core-files.js';
import { type AccountingRecord, isShielded, parseAccounting } from '../../../src/lackey/cores.js';

/** Written by Linux 6.18 when node, with a core limit of 0, aborted, and when perl was killed. */
const aborted = `1803 0000 0600 0000 0000 0000 0000 0000 0400 0000 0100 0000 2b93 066b 0000 e841
  0a00 0400 8e65 7248 0000 8208 0200 0000 6e6f 6465 0000 0000 0000 0000 0000 0000`;
const killed = `1003 0000 0900 0000 0000 0000 0000 0000 0b00 0000 0100 0000 2b93 066b 0000 0040
  0000 0000 c81e e625 0000 e600 0100 0000 7065 726c 0000 0000 0000 0000 0000 0000`;
const bytesOf = (hex: string) => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');

t.test('a record tells who ended, below whom, and whether with a core', async (t) => {
  const bytes = Buffer.concat([bytesOf(aborted), bytesOf(killed), Buffer.alloc(10)]);
  t.same(parseAccounting(bytes), [
    { pid: 4, parent: 1, command: 'node', dumpedCore: true },
    { pid: 11, parent: 1, command: 'perl', dumpedCore: false },
  ]);
  t.doesNotThrow(() =>
    fc.assert(fc.property(fc.uint8Array(), (any) => Array.isArray(parseAccounting(Buffer.from(any))))),
  );
});

t.test('ctrun shields what is below it, whether its parents live or not', async (t) => {
  const dump: AccountingRecord = { pid: 9, parent: 8, command: 'node', dumpedCore: true };
  const ended = (pid: number, parent: number, command: string) =>
    [pid, { pid, parent, command, dumpedCore: false }] as const;
  const living = (pid: number) => ({ 8: { command: 'bash', parent: 7 }, 7: { command: 'ctrun', parent: 2 } })[pid];
  const nobody = () => undefined;
  t.ok(isShielded(dump, living, new Map()));
  t.ok(isShielded(dump, nobody, new Map([ended(8, 7, 'bash'), ended(7, 2, 'ctrun')])));
  t.notOk(isShielded(dump, nobody, new Map([ended(8, 7, 'bash'), ended(7, 2, 'bash')])));
  t.notOk(isShielded({ ...dump, parent: 1 }, living, new Map()), 'an orphan has left');
  t.notOk(isShielded(dump, nobody, new Map([ended(8, 8, 'bash')])), 'a circle of reused ids ends');
});

const pattern = fs.readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
const noCores = /^[|/]/.test(pattern) ? `cores of this machine go to ${pattern.trim()}` : false;

t.test('a core tells its process and its program, not its title', { skip: noCores }, async (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-core-'));
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }));
  const program = path.join(directory, 'pr.og');
  fs.copyFileSync(execFileSync('perl', ['-e', 'print $^X'], { encoding: 'utf8' }), program);
  const deep = path.join(directory, 'a/b');
  fs.mkdirSync(deep, { recursive: true });
  fs.symlinkSync('/', path.join(directory, 'a/link'));
  const sinceMs = fs.statSync(deep).birthtimeMs;
  const script = `ulimit -c unlimited; cd ${deep} && exec ${program} -e '$0 = "title"; print $$; $| = 1; print ""; kill ABRT => $$'`;
  const { stdout, signal } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  t.equal(signal, 'SIGABRT');
  const pid = Number(stdout);
  const core = findCoreIn([directory], { pid, command: 'title' }, sinceMs);
  t.match(core, { program: 'pr.og' });
  t.equal(path.dirname(core?.file ?? ''), deep);
  t.match(readCore(core?.file ?? ''), { pid, program });
  t.equal(findCoreIn([directory], { pid, command: 'x' }, Date.now() + 60_000), undefined, 'an older one is not it');
  fs.truncateSync(core?.file ?? '', 8192);
  t.match(findCoreIn([directory], { pid, command: 'title' }, sinceMs)?.program, /^(title|pr\.og)$/, 'one cut short');
  t.equal(readCore(program), undefined, 'a program is no core');
  t.equal(readCore('/dev/null'), undefined);
});
