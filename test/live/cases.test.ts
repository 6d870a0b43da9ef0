/**
 * The table of cases against a whole system, through its front door, several side by side. After each job everything is
 * compared that a user or an operator can see: record, inputs, outputs, contents, errors, counters, and what it left.
 */
import assert from 'node:assert/strict';
import t from 'tap';
import { type FinishedJob, readJob, submit, waitDone } from '../support/jobs.js';
import { type OneBox, startOneBox } from '../support/one-box.js';
import { type ExpectedError, type JobCase, jobCases } from './cases.js';

const sideBySide = 5;

t.test('jobs do what the table says', { timeout: 600_000 }, async (t) => {
  const box = await startOneBox(t);
  const isolated = (await driverOf(box)) !== 'process';
  const chosen = jobCases.filter(({ name }) => name.startsWith(process.env['MARLIN_TEST_CASE'] ?? ''));
  t.ok(chosen.length > 0, 'some case is chosen');
  await prepareAll(box, chosen);
  const limitMs = 1000 * chosen.reduce((sum, { limitSeconds }) => sum + limitSeconds, 0);
  const queue = chosen.values();
  const worker = async () => {
    for (const jobCase of queue) {
      const root = jobCase.needs !== 'accounting' || process.getuid?.() === 0;
      if (jobCase.needs !== undefined && !(isolated && root)) {
        t.pass(jobCase.name, { skip: 'needs an isolated zone, or root' });
        continue;
      }
      try {
        verify(box, jobCase, await run(box, jobCase, limitMs));
        t.pass(jobCase.name);
      } catch (error) {
        t.fail(jobCase.name, { problem: (error as Error).message });
      }
    }
  };
  await Promise.all(Array.from({ length: sideBySide }, worker));
});

async function driverOf(box: OneBox): Promise<string> {
  const snapshot = (await (await fetch(`${box.ready().agent.url}/kang/snapshot`)).json()) as {
    agent?: Record<string, { driver?: string }>;
  };
  return Object.values(snapshot.agent ?? {})[0]?.driver ?? 'unknown';
}

const fill = (box: OneBox, text: string, job = '') => text.replaceAll('%user%', box.login).replaceAll('%job%', job);

async function prepareAll(box: OneBox, cases: readonly JobCase[]): Promise<void> {
  for (const { objects } of cases)
    for (const [name, content] of Object.entries(objects ?? {})) await box.put(fill(box, name), content);
  const names = new Set(
    cases.flatMap(({ inputs }) => inputs ?? []).map((name) => fill(box, name).replaceAll(/\/+/g, '/')),
  );
  for (const name of [...names].sort()) await prepareInput(box, name);
}

/** What a name is made into: a directory, an empty object, or an object whose content tells its name. */
async function prepareInput(box: OneBox, name: string): Promise<void> {
  if (name.endsWith('dir')) await box.manta.mkdirp(name);
  else if (name.endsWith('0bytes')) await box.put(name, '');
  else await box.put(name, `auto-generated content for key /someuser${name.slice(box.login.length + 1)}`);
}

async function run(box: OneBox, jobCase: JobCase, limitMs: number): Promise<FinishedJob> {
  const phases = jobCase.phases.map((phase) => JSON.parse(fill(box, JSON.stringify(phase))));
  const inputs = [...(jobCase.inputs ?? []), ...(jobCase.extraInputs ?? [])].map((name) => fill(box, name));
  const id = await submit(box, phases, inputs);
  if (jobCase.cancelWhenRunning === true) {
    await dispatched(box, id, inputs.length);
    const { status, stderr } = await box.run(`mjob cancel ${id}`);
    assert.equal(status, 0, stderr);
  }
  await waitDone(box, id, limitMs);
  return readJob(box, id);
}

async function dispatched(box: OneBox, id: string, tasks: number): Promise<void> {
  for (
    let status = await box.manta.status(id);
    (status.stats.tasks ?? 0) < tasks;
    status = await box.manta.status(id)
  ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function verify(box: OneBox, jobCase: JobCase, job: FinishedJob): void {
  const submitted = [...(jobCase.inputs ?? []), ...(jobCase.extraInputs ?? [])].map((name) => fill(box, name));
  assert.deepEqual([...job.inputs].sort(), submitted.sort(), 'inputs read back');
  compareTexts(box, job, job.outputs, jobCase.outputs ?? [], 'outputs');
  if (jobCase.contents !== undefined) compareTexts(box, job, job.contents, jobCase.contents, 'contents');
  verifyErrors(box, job, jobCase.errors ?? []);
  verifyRecord(job);
  if (jobCase.cancelWhenRunning !== true) verifyLeftovers(job, jobCase.mayStay);
}

function compareTexts(
  box: OneBox,
  job: FinishedJob,
  actual: readonly string[],
  expected: readonly (string | RegExp)[],
  what: string,
): void {
  const printed = (item: string | RegExp) => fill(box, typeof item === 'string' ? item : item.source, job.id);
  const sorted = [...expected].sort((a, b) => (printed(a) < printed(b) ? -1 : 1));
  const found = [...actual].sort();
  const matches =
    found.length === sorted.length && sorted.every((item, index) => fits(item, printed(item), found[index] ?? ''));
  assert.ok(
    matches,
    `${what} are ${JSON.stringify(found)}, expected ${JSON.stringify(sorted.map(printed))}; errors: ${JSON.stringify(job.errors)}`,
  );
}

const fits = (item: string | RegExp, text: string, actual: string) =>
  typeof item === 'string' ? actual === text : new RegExp(text).test(actual);

function verifyErrors(box: OneBox, job: FinishedJob, expected: readonly ExpectedError[]): void {
  assert.equal(job.errors.length, expected.length, `errors: ${JSON.stringify(job.errors)}`);
  for (const error of expected) {
    const found = job.errors.some((actual) =>
      (Object.entries({ phase: '0', ...error }) as [keyof ExpectedError, string | RegExp][]).every(
        ([field, wanted]) => {
          const value = String(actual[field]);
          return typeof wanted === 'string' ? value === fill(box, wanted, job.id) : wanted.test(value);
        },
      ),
    );
    assert.ok(found, `no error fits ${JSON.stringify(error)} among ${JSON.stringify(job.errors)}`);
  }
}

function verifyRecord({ record, stats, inputs, outputs, errors }: FinishedJob): void {
  assert.equal(record['state'], 'done');
  assert.equal(typeof record['worker'], 'string', 'a domain is recorded');
  if (record['timeCancelled'] === undefined)
    assert.ok(String(record['timeInputDone']) >= String(record['timeCreated']));
  assert.ok(String(record['timeDone']) >= String(record['timeCreated']));
  assert.equal(stats['nErrors'], errors.length, 'counted errors');
  if (record['timeCancelled'] === undefined) assert.equal(stats['nInputsRead'], inputs.length, 'counted inputs');
  assert.equal(stats['nJobOutputs'], outputs.length, 'counted outputs');
  assert.equal(
    stats['nTasksDispatched'],
    (stats['nTasksCommittedOk'] ?? 0) + (stats['nTasksCommittedFail'] ?? 0),
    'every task is committed',
  );
  assert.equal(stats['nAssigns'], 1, 'assigned once');
  assert.equal(stats['nRetries'], 0, 'nothing ran twice');
}

function verifyLeftovers(job: FinishedJob, mayStay: RegExp | undefined): void {
  const last = (job.record['phases'] as unknown[]).length - 1;
  const known = new Set([...job.outputs, ...job.errors.flatMap(({ stderr, core }) => [stderr, core])]);
  const ofLastPhase = new RegExp(`\\.${last}\\.[0-9a-z-]{36}$`);
  const left = job.stored.filter(
    (name) => !known.has(name) && !ofLastPhase.test(name) && !(mayStay?.test(name) ?? false),
  );
  assert.deepEqual(left, [], 'intermediate objects are removed when the job is done');
}
