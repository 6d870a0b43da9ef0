/**
 * Runs a case of a table (test/live/*-case*.ts) and compares everything that a user or an operator can see afterwards:
 * record, inputs, outputs, contents, errors, counters, and what it left.
 */
import assert from 'node:assert/strict';
import type { ExpectedError, JobCase } from '../live/job-case.js';
import type { DeployedBox } from './deployed-box.js';
import { type FinishedJob, type JobPhase, readJob, submit, submitBelow, waitDone } from './jobs.js';

export async function driverOf(box: DeployedBox): Promise<string> {
  const snapshot = (await (await fetch(`${box.ready().agent.url}/kang/snapshot`)).json()) as {
    agent?: Record<string, { driver?: string }>;
  };
  return Object.values(snapshot.agent ?? {})[0]?.driver ?? 'unknown';
}

const fill = (box: DeployedBox, text: string, job = '') =>
  text.replaceAll('%user%', box.login).replaceAll('%job%', job);

export async function prepareCases(box: DeployedBox, cases: readonly JobCase[]): Promise<void> {
  for (const { objects } of cases)
    for (const [name, content] of Object.entries(objects ?? {})) await box.put(fill(box, name), content);
  const names = new Set(
    cases.flatMap(({ inputs }) => inputs ?? []).map((name) => fill(box, name).replaceAll(/\/+/g, '/')),
  );
  for (const name of [...names].sort()) await prepareInput(box, name);
}

/** What a name is made into: a directory, an empty object, or an object whose content tells its name. */
async function prepareInput(box: DeployedBox, name: string): Promise<void> {
  if (name.endsWith('dir')) await box.manta.mkdirp(name);
  else if (name.endsWith('0bytes')) await box.put(name, '');
  else await box.put(name, `auto-generated content for key /someuser${name.slice(box.login.length + 1)}`);
}

const phasesOf = (box: DeployedBox, { phases }: JobCase) =>
  phases.map((phase): JobPhase => JSON.parse(fill(box, JSON.stringify(phase))));
const inputsOf = (box: DeployedBox, { inputs = [], extraInputs = [] }: JobCase) =>
  [...inputs, ...extraInputs].map((name) => fill(box, name));

export async function runCase(box: DeployedBox, jobCase: JobCase, limitMs: number): Promise<FinishedJob> {
  const phases = phasesOf(box, jobCase);
  const inputs = inputsOf(box, jobCase);
  const id = await (jobCase.belowFrontDoor === true
    ? submitBelow(box, phases, inputs, jobCase.options)
    : submit(box, phases, inputs));
  if (jobCase.cancelWhenRunning === true) {
    await dispatched(box, id, inputs.length);
    const { status, stderr } = await box.run(`mjob cancel ${id}`);
    assert.equal(status, 0, stderr);
  }
  await waitDone(box, id, limitMs);
  return readJob(box, id);
}

async function dispatched(box: DeployedBox, id: string, tasks: number): Promise<void> {
  for (
    let status = await box.manta.status(id);
    (status.stats.tasks ?? 0) < tasks;
    status = await box.manta.status(id)
  ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** @param strict nothing was killed meanwhile: everything ran once, and nothing is left that should not be. */
export function verifyCase(
  box: DeployedBox,
  jobCase: JobCase,
  job: FinishedJob,
  { strict }: { readonly strict: boolean },
): void {
  assert.deepEqual([...job.inputs].sort(), inputsOf(box, jobCase).sort(), 'inputs read back');
  const phases = phasesOf(box, jobCase).map((phase) => ({ type: 'map', ...phase }));
  assert.deepEqual(job.record['phases'], phases, 'phases read back');
  if (jobCase.errorCount === undefined) compareTexts(box, job, job.outputs, jobCase.outputs ?? [], 'outputs');
  if (jobCase.contents !== undefined) compareTexts(box, job, job.contents, jobCase.contents, 'contents');
  const expected = jobCase.errors ?? [];
  verifyErrors(box, job, expected, jobCase.errorCount ?? [expected.length, expected.length]);
  verifyRecord(job, strict);
  if (strict && jobCase.cancelWhenRunning !== true) verifyLeftovers(job, jobCase.mayStay);
}

function compareTexts(
  box: DeployedBox,
  job: FinishedJob,
  actual: readonly string[],
  expected: readonly (string | RegExp)[],
  what: string,
): void {
  const printed = (item: string | RegExp) => fill(box, typeof item === 'string' ? item : item.source, job.id);
  const unescaped = (item: string | RegExp) => printed(item).replaceAll('\\', ''); // in the order of what they match
  const sorted = [...expected].sort((a, b) => (unescaped(a) < unescaped(b) ? -1 : 1));
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

function verifyErrors(
  box: DeployedBox,
  job: FinishedJob,
  expected: readonly ExpectedError[],
  [least, most]: readonly [number, number],
): void {
  const { length: count } = job.errors;
  assert.ok(
    count >= least && count <= most,
    `${count} errors, expected ${least} to ${most}: ${JSON.stringify(job.errors)}`,
  );
  for (const error of expected) {
    const found = job.errors.find((actual) =>
      (Object.entries({ phase: '0', ...error }) as [keyof ExpectedError, string | RegExp][]).every(
        ([field, wanted]) => {
          const text = fill(box, typeof wanted === 'string' ? wanted : wanted.source, job.id);
          return fits(wanted, text, String(actual[field]));
        },
      ),
    );
    assert.ok(found, `no error fits ${JSON.stringify(error)} among ${JSON.stringify(job.errors)}`);
    if (found.phase === '0') verifyOrigin(job, found);
  }
}

/** An error of the first phase is about an input as it was submitted, unless it is about what a reducer did. */
function verifyOrigin({ inputs, record }: FinishedJob, { what, input, p0input }: FinishedJob['errors'][number]): void {
  const [first] = record['phases'] as readonly JobPhase[];
  if (first?.type === 'reduce' && input === undefined) {
    assert.equal(what, 'phase 0: reduce');
    return;
  }
  assert.ok(inputs.includes(input ?? ''), `${input} is an input`);
  assert.equal(p0input, input);
  assert.equal(what, `phase 0: input "${input}"`);
}

function verifyRecord({ record, stats, inputs, outputs, errors }: FinishedJob, strict: boolean): void {
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
  const { nTasksCommittedFail = 0, nRetries = 0, nErrors = 0 } = stats;
  assert.ok(nTasksCommittedFail <= nRetries + nErrors, 'each failure was tried again, or is an error');
  if (!strict) return;
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
