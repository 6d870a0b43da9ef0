/** The tables of cases against a whole system, through its front door, several side by side. */
import t, { type Test } from 'tap';
import { type DeployedBox, deployedBox } from '../support/deployed-box.js';
import { type RunCase, verifyMetering } from '../support/metering.js';
import { startOneBox } from '../support/one-box.js';
import { driverOf, prepareCases, runCase, verifyCase } from '../support/run-case.js';
import { jobCases } from './cases.js';
import type { JobCase } from './job-case.js';
import { nameCases } from './name-cases.js';
import { zoneCases } from './zone-cases.js';

const sideBySide = 5;

t.test('jobs do what the tables say', { timeout: 800_000 }, async (t) => {
  const box: DeployedBox = deployedBox(t) ?? (await startOneBox(t));
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
  const strict = process.env['MARLIN_TESTS_STRICT'] !== 'false';
  const [together, alone] = [false, true].map((wanted) => possible.filter((one) => (one.alone === true) === wanted));
  const finished = [
    ...(await runAll(t, box, together ?? [], { strict, atOnce: sideBySide })),
    ...(await runAll(t, box, alone ?? [], { strict, atOnce: 1 })),
  ];
  if (strict && box.agentLog !== undefined) await verifyMetering(t, box, box.agentLog, finished);
});

/** The limit of each is the sum of all, because they share the machine. */
async function runAll(
  t: Test,
  box: DeployedBox,
  cases: readonly JobCase[],
  { strict, atOnce }: { readonly strict: boolean; readonly atOnce: number },
): Promise<readonly RunCase[]> {
  const finished: RunCase[] = [];
  const limitMs = 1000 * cases.reduce((sum, { limitSeconds }) => sum + limitSeconds, 0);
  const queue = cases.values();
  const worker = async () => {
    for (const jobCase of queue) {
      try {
        const job = await runCase(box, jobCase, limitMs);
        finished.push({ jobCase, job });
        verifyCase(box, jobCase, job, { strict });
        t.pass(jobCase.name);
      } catch (error) {
        t.fail(jobCase.name, { problem: (error as Error).message });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return finished;
}
