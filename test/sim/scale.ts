/**
 * `make sim-scale`: many inputs and many jobs in virtual time, without faults: whether what a supervisor remembers, and
 * what an input costs, stay what they are when there are more.
 *
 * What the supervisors remember is told apart from the simulated store, which is in the same process: the heap is measured
 * after a collection of garbage, then all supervisors die at once, time passes until nothing is planned for them any
 * more, and it is measured again. The difference is theirs, of all eight. Then they come back and go on, so that a
 * restart in the middle of everything is part of the run.
 *
 * Settings, in the environment: INPUTS, the sizes of the large job (10000,40000); JOBS, the numbers of small
 * ones (500,2000).
 */
import { largeJob, type Measured, smallJobs } from './scale-runs.js';

const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`;

function report(what: string, measures: Measured): void {
  const { count, held, cpuUs, supervisorBatches, supervisorRefusals, rowsLookedAt, virtualMs } = measures;
  const perOne = (value: number) => (value / count).toFixed(value / count < 10 ? 2 : 0);
  process.stdout.write(
    `${what}: supervisors hold at most ${mb(Math.max(...held))} (${held.map(mb).join(', ')}); ` +
      `each costs ${perOne(cpuUs)} us, ` +
      `${perOne(supervisorBatches)} batches (and ${supervisorRefusals} in all were refused), ${perOne(rowsLookedAt)} rows looked at; ` +
      `${(virtualMs / 1_000).toFixed(0)} s of virtual time, ${(cpuUs / 1e6).toFixed(0)} s of CPU\n`,
  );
}

const sizes = (name: string, otherwise: string) =>
  (process.env[name] ?? otherwise)
    .split(',')
    .map(Number)
    .filter((size) => size > 0);
for (const count of sizes('INPUTS', '10000,40000'))
  report(`one job of three phases, ${count} inputs`, await largeJob(count, { weighs: true }));
for (const count of sizes('JOBS', '500,2000')) report(`${count} small jobs`, await smallJobs(count, { weighs: true }));
