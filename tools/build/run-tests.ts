/**
 * Runs test files, each a process of its own that writes TAP, and writes what all of them wrote as one TAP stream, in
 * which each file is a subtest.
 *
 * Tap's own runner is not used, since it loads hooks into every test and into every Node program that a test starts,
 * which costs each of them two seconds of processor time: more than most tests take.
 *
 * usage: node build/tools/build/run-tests.js [--jobs N] [--limit SECONDS] FILE...
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values, positionals: files } = parseArgs({
  options: { jobs: { type: 'string', default: '2' }, limit: { type: 'string', default: '300' } },
  allowPositionals: true,
});
const limitSeconds = Number(values.limit);
/** A test that has not even ended itself this long after its limit is killed. */
const graceSeconds = 30;

interface Outcome {
  readonly output: string;
  /** Undefined when it passed. */
  readonly problem: string | undefined;
  readonly durationMs: number;
}

const running = new Set<ChildProcess>();

/** Output goes to a file, not a pipe: what a test leaves running must not keep us from seeing its end. */
async function runFile(file: string, outputFile: string): Promise<Outcome> {
  const started = performance.now();
  const descriptor = fs.openSync(outputFile, 'w');
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    stdio: ['ignore', descriptor, descriptor],
    env: { ...process.env, TAP: '1', TAP_TIMEOUT: String(limitSeconds) },
    detached: true, // a process group, so that it can be killed with all that it started
  });
  fs.closeSync(descriptor);
  running.add(child);
  const timers = [
    setTimeout(() => child.kill('SIGTERM'), (limitSeconds + graceSeconds) * 1000),
    setTimeout(() => killGroup(child), (limitSeconds + 2 * graceSeconds) * 1000),
  ];
  const problem = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (status, signal) => resolve(status === 0 ? undefined : `ended with ${signal ?? status}`));
  });
  for (const timer of timers) clearTimeout(timer);
  running.delete(child);
  const output = fs.readFileSync(outputFile, 'utf8');
  fs.rmSync(outputFile);
  return { output, problem, durationMs: performance.now() - started };
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const indented = (text: string) => text.replaceAll(/^(?=.)/gm, '    ');
const write = (text: string) => process.stdout.write(text);

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-tests-'));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const child of running) killGroup(child);
    fs.rmSync(directory, { recursive: true, force: true });
    process.exit(1);
  });
}

let ended = 0;
let failed = 0;
write('TAP version 14\n');
const queue = files.entries();
const worker = async () => {
  for (const [index, file] of queue) {
    const { output, problem, durationMs } = await runFile(file, path.join(directory, String(index)));
    if (problem !== undefined) failed++;
    write(`# Subtest: ${file}\n${indented(output.replace(/^TAP version \d+\n/, ''))}\n`);
    write(`${problem === undefined ? 'ok' : 'not ok'} ${++ended} - ${file} # time=${Math.round(durationMs)}ms\n`);
    if (problem !== undefined) write(`  ---\n  problem: ${problem}\n  ...\n`);
  }
};
await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
write(`1..${ended}\n# ${ended - failed} of ${ended} files passed\n`);
fs.rmSync(directory, { recursive: true, force: true });
process.exitCode = failed === 0 && ended > 0 ? 0 : 1;
