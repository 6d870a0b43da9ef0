/**
 * `make soak`: hours of trouble in minutes. A whole Marlin runs 2,000 tasks of four users while its agent and its lackeys
 * are killed; a second round kills lackeys only, so that the memory of one agent can be watched. Prints figures, and
 * ends with status 1 if an output is wrong, or anything is left, or memory grows.
 *
 * Settings, in the environment: SOAK_JOBS (of each of four users), SOAK_INPUTS (of each job), SOAK_ZONES, SOAK_EVERY_MS,
 * SOAK_ROUNDS (`agent,lackey` and `lackey` by default, separated by a blank).
 */
import { startOneBox, type TestContext } from '../../test/support/one-box.js';
import { runSoak, type SoakReport } from '../../test/support/soak.js';

const setting = (name: string, fallback: number) => Number(process.env[`SOAK_${name}`] ?? fallback);
const rounds = (process.env['SOAK_ROUNDS'] ?? 'agent,lackey lackey').split(' ');
const maxGrowth = 0.1;

const say = (line: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

async function soak(victims: readonly ('agent' | 'lackey')[]): Promise<SoakReport> {
  const endings: (() => void | Promise<void>)[] = [];
  const context: TestContext = { teardown: (action) => void endings.unshift(action) };
  try {
    const box = await startOneBox(context, { zones: setting('ZONES', 4) });
    return await runSoak(box, {
      users: 4,
      jobsPerUser: setting('JOBS', 5),
      inputsPerJob: setting('INPUTS', 100),
      jobsAtOnce: 2,
      killEveryMs: setting('EVERY_MS', 5_000),
      victims,
      limitMs: 1_800_000,
      say,
    });
  } finally {
    for (const end of endings) await end();
  }
}

/** Of the last quarter over the first; null when there are too few samples. */
function growthOf(samples: readonly number[]): number | null {
  const quarter = Math.floor(samples.length / 4);
  if (quarter < 5) return null;
  return average(samples.slice(-quarter)) / average(samples.slice(0, quarter)) - 1;
}

let failed = false;
for (const round of rounds) {
  const victims = round.split(',') as ('agent' | 'lackey')[];
  const { memoryMb, ...report } = await soak(victims);
  const growth = victims.includes('agent') ? null : growthOf(memoryMb);
  const memory = {
    firstMb: memoryMb[0],
    lastMb: memoryMb.at(-1),
    growthPercent: growth === null ? null : growth * 100,
  };
  process.stdout.write(`${JSON.stringify({ victims, ...report, memory })}\n`);
  failed ||= report.wrong.length > 0 || report.left.length > 0 || (growth ?? 0) > maxGrowth;
}
process.exitCode = failed ? 1 : 0;
