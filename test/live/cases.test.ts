/** The tables of cases against a whole system, through its front door, several side by side. */
import t, { type Test } from 'tap';
import { type DeployedBox, deployedBox } from '../support/deployed-box.js';
import { startOneBox } from '../support/one-box.js';
import { driverOf, prepareCases, runCase, verifyCase } from '../support/run-case.js';
import { jobCases } from './cases.js';
import type { JobCase } from './job-case.js';
import { nameCases } from './name-cases.js';
import { zoneCases } from './zone-cases.js';

const sideBySide = 5;

t.test('jobs do what the tables say', { timeout: 800_000 }, async (t) => {
  const box = deployedBox(t) ?? (await startOneBox(t));
  const isolated = (await driverOf(box)) !== 'process';
  const wanted = process.env['MARLIN_TEST_CASE'] ?? '';
  const chosen = [...jobCases, ...nameCases, ...zoneCases].filter(({ name }) => name.startsWith(wanted));
  t.ok(chosen.length > 0, 'some case is chosen');
  const possible: JobCase[] = [];
  for (const jobCase of chosen) {
    const root = jobCase.needs !== 'accounting' || process.getuid?.() === 0;
    if (jobCase.needs === undefined || (isolated && root)) possible.push(jobCase);
    else t.pass(jobCase.name, { skip: 'needs an isolated zone, or root' });
  }
  await prepareCases(box, possible);
  await runAll(
    t,
    box,
    possible.filter(({ alone }) => alone !== true),
    sideBySide,
  );
  await runAll(
    t,
    box,
    possible.filter(({ alone }) => alone === true),
    1,
  );
});

/** The limit of each is the sum of all, because they share the machine. */
async function runAll(t: Test, box: DeployedBox, cases: readonly JobCase[], atOnce: number): Promise<void> {
  const limitMs = 1000 * cases.reduce((sum, { limitSeconds }) => sum + limitSeconds, 0);
  const queue = cases.values();
  const worker = async () => {
    for (const jobCase of queue) {
      try {
        verifyCase(box, jobCase, await runCase(box, jobCase, limitMs), {
          strict: process.env['MARLIN_TESTS_STRICT'] !== 'false',
        });
        t.pass(jobCase.name);
      } catch (error) {
        t.fail(jobCase.name, { problem: (error as Error).message });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
