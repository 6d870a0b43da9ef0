/**
 * Prints "N passed, N failed" for the output of tap and exits with 1 when something failed. Assertions count, skipped
 * ones do not. What holds others (a test, a file) counts only when it failed though nothing in it did: it crashed, ended
 * too early or took too long. A status that is not 0 is a failure even when the output shows none.
 *
 * usage: node count-tests.cjs OUTPUT STATUS
 */
const fs = require('node:fs');

const [output, status] = process.argv.slice(2);
let passed = 0;
let failed = 0;
/** The tests that are open where we read: how far they are indented, and how many failures came before them. */
const open = [];
for (const line of fs.readFileSync(output, 'utf8').split('\n')) {
  const begin = /^( *)# Subtest: /.exec(line);
  if (begin !== null) {
    open.push({ indent: begin[1].length, failedBefore: failed });
    continue;
  }
  const point = /^( *)(not )?ok\b(.*)$/.exec(line);
  if (point === null) continue;
  const indent = point[1].length;
  while (open.length > 0 && open.at(-1).indent > indent) open.pop();
  const holder = open.at(-1)?.indent === indent ? open.pop() : undefined;
  const isFailure = point[2] !== undefined;
  if (/ # (SKIP|TODO)\b/i.test(point[3])) continue;
  if (holder !== undefined) failed += isFailure && failed === holder.failedBefore ? 1 : 0;
  else if (isFailure) failed++;
  else passed++;
}
if (status !== '0' && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
