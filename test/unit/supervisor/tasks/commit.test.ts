import fc from 'fast-check';
import t from 'tap';
import type { Stored } from '../../../../src/bus/types.js';
import type { TaskRecord } from '../../../../src/records/task.js';
import { commitTask, isRetried } from '../../../../src/supervisor/tasks/commit.js';

const base: TaskRecord = {
  taskId: 't',
  jobId: 'j',
  domain: 'd',
  phaseNum: 0,
  mantaComputeId: 'cn',
  agentGeneration: 'g',
  state: 'done',
  result: 'ok',
  timeDispatched: 'x',
  timeDispatchDone: 'x',
  timeAccepted: 'x',
  input: '/wilma/stor/a',
  nattempts: 1,
  nOutputs: 1,
};
const world = {
  nowMs: 0,
  random: () => 0.5,
  lastPhase: 1,
  jobCancelled: false,
  maxTaskRetries: 2,
  updateLimit: 500,
  inputsArriving: false,
};
const stored = (change: Partial<TaskRecord>): Stored<TaskRecord> => {
  return { bucket: 'task', key: 't', value: { ...base, ...change }, id: 1, etag: 'e', mtimeMs: 0 };
};
const lost = { result: 'fail', timeAbandoned: 'x' } as const;
const killed = { result: 'fail', errorCode: 'TaskKilledError' } as const;

const retries: readonly [title: string, change: Partial<TaskRecord>, cancelled: boolean, expected: boolean][] = [
  ['what went well is not retried', {}, false, false],
  ['a lost agent costs the user nothing', lost, false, true],
  ['a second retry is allowed', { ...killed, nattempts: 2 }, false, true],
  ['a third is not', { ...killed, nattempts: 3 }, false, false],
  ['what was never accepted is no attempt', { result: 'fail', timeAbandoned: 'x', nattempts: 3 }, false, false],
  ['what the user did is shown at once', { result: 'fail', errorCode: 'UserTaskError' }, false, false],
  ['not even our own internal error is retried', { result: 'fail', errorCode: 'InternalError' }, false, false],
  ['a cancelled job retries nothing', lost, true, false],
];
for (const [title, change, cancelled, expected] of retries)
  t.equal(isRetried({ ...base, ...change }, cancelled, 2), expected, title);
const { timeAccepted: _accepted, ...neverBegun } = base;
t.ok(isRetried({ ...neverBegun, ...lost, nattempts: 3 }, false, 2), 'what was never begun is always retried');

t.test('a small good task is committed and marked in one batch', async (t) => {
  const commit = commitTask(stored({}), world);
  t.equal(commit.complete, true);
  t.equal(commit.outcome, 'ok');
  t.match(commit.operations, [
    { op: 'update', bucket: 'taskoutput', fields: { timeCommitted: String } },
    { op: 'put', etag: 'e', value: { timeCommitted: String, timeOutputsMarkDone: String } },
  ]);
});

t.test('outputs of the last phase are valid, and the input of a later map phase is removed', async (t) => {
  const commit = commitTask(stored({ phaseNum: 1 }), world);
  t.match(commit.operations[0], { fields: { valid: 'true', timePropagated: String } });
  t.match(commit.operations[1], { value: { wantInputRemoved: 'true' } });
  t.equal(commit.removesInput, true);
});

t.test('a task with many outputs, or of a lost agent, is marked later', async (t) => {
  for (const change of [{ nOutputs: 500 }, lost]) {
    const commit = commitTask(stored(change), world);
    t.equal(commit.complete, false);
    t.match(commit.operations.at(-1), { value: { timeOutputsMarkStart: String, timeOutputsMarkDone: undefined } });
  }
});

t.test('an abandoned task gets an error record, visible only if it is final', async (t) => {
  t.match(commitTask(stored(lost), world).operations[0], {
    bucket: 'error',
    value: { errorCode: 'InternalError', errorMessageInternal: 'agent timed out', retried: 'true' },
  });
  t.match(commitTask(stored({ ...lost, nattempts: 3 }), world).operations[0], { value: { retried: 'false' } });
});

t.test('every commit is conditional, and outputs of failures are never valid', async () => {
  const change = fc.record({
    phaseNum: fc.nat(1),
    result: fc.constantFrom('ok', 'fail'),
    nOutputs: fc.nat(1000),
    nattempts: fc.nat(4),
    errorCode: fc.constantFrom('TaskKilledError', 'UserTaskError'),
  });
  const property = fc.property(change, fc.boolean(), (fields, jobCancelled) => {
    const { operations } = commitTask(stored(fields as Partial<TaskRecord>), { ...world, jobCancelled });
    const last = operations.at(-1);
    const valid = operations.some((operation) => operation.op === 'update' && operation.fields['valid'] === 'true');
    return last?.op === 'put' && last.etag === 'e' && (!valid || fields.result === 'ok');
  });
  fc.assert(property);
});
