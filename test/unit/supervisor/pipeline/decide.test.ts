import t from 'tap';
import type { Stored } from '../../../../src/bus/types.js';
import { taskErrors } from '../../../../src/records/error-codes.js';
import type { JobInputRecord } from '../../../../src/records/job-input.js';
import { type DispatchWorld, decideDispatch, jobInputOrigin } from '../../../../src/supervisor/pipeline/decide.js';

const record: Stored<JobInputRecord> = {
  bucket: 'jobinput',
  key: 'i',
  value: { jobId: 'j', input: '/wilma//stor/a', timeCreated: 'x', domain: 'd' },
  id: 1,
  etag: 'e',
  mtimeMs: 0,
};
const origin = jobInputOrigin(record);
const copies = [
  { agent: 'cn1', zonename: 'z1' },
  { agent: 'cn2', zonename: 'z2' },
];
const found = { account: 'u', creator: 'c', objectId: 'o', isEmpty: false, copies };
const world: DispatchWorld = {
  nowMs: 0,
  random: () => 0,
  jobId: 'j',
  domain: 'd',
  cancelled: false,
  living: new Map([['cn2', 'g2']]),
  mayReturn: () => false,
  hasRoom: () => true,
  loadOf: () => 0,
  reducers: undefined,
  reducersMayCome: true,
};
const reducer = { taskId: 'r', agent: 'cn2', generation: 'g2', finished: false };

t.test('a map input becomes a task where a copy is and somebody lives', async (t) => {
  const dispatch = decideDispatch(origin, found, world);
  t.match(dispatch, { to: 'task', agent: 'cn2', generation: 'g2' });
  if (dispatch.to !== 'task') return;
  t.match(dispatch.operations[0], {
    etag: null,
    value: { input: '/wilma/stor/a', p0input: '/wilma/stor/a', zonename: 'z2', nattempts: 1, prevRecordId: 'i' },
  });
  t.match(dispatch.operations[1], { etag: 'e', value: { nextRecordType: 'task', timePropagated: String } });
});

t.test('nobody near is an error, unless somebody may return; a full agent makes it wait', async (t) => {
  const alone = { ...world, living: new Map<string, string>() };
  t.match(decideDispatch(origin, found, alone), {
    to: 'error',
    operations: [{ value: { errorCode: 'ServiceUnavailableError', errorMessage: 'no servers available to run task' } }],
  });
  t.match(decideDispatch(origin, found, { ...alone, mayReturn: () => true }), { to: 'wait', blockedBy: null });
  t.match(decideDispatch(origin, found, { ...world, hasRoom: () => false }), { to: 'wait', blockedBy: 'cn2' });
});

t.test('an error of finding is the error of the input', async (t) => {
  t.match(decideDispatch(origin, taskErrors.noSuchObject('/wilma/stor/a'), world), {
    to: 'error',
    operations: [{ value: { errorMessage: 'no such object: "/wilma/stor/a"', retried: 'false' } }, { etag: 'e' }],
  });
  t.match(decideDispatch(origin, found, { ...world, cancelled: true }), {
    operations: [{ value: { errorCode: 'JobCancelledError', errorMessage: 'job was cancelled' } }],
  });
});

t.test('a reduce input goes to a reducer, or nowhere when that has ended in the first phase', async (t) => {
  t.match(decideDispatch(origin, found, { ...world, reducers: [reducer] }), { to: 'taskinput', taskId: 'r' });
  const ended = { ...world, reducers: [{ ...reducer, finished: true }] };
  t.match(decideDispatch(origin, found, ended), { to: 'nothing', operations: [{ value: { nextRecordType: 'none' } }] });
  const later = { ...origin, phase: 1 };
  t.match(decideDispatch(later, found, ended), {
    operations: [{ value: { wantInputRemoved: 'true', timeRead: String } }],
  });
});

t.test('a reducer that does not exist is refused', async (t) => {
  const wanted = { ...origin, wantedReducer: 1 };
  t.match(decideDispatch(wanted, found, { ...world, reducers: [reducer] }), {
    operations: [{ value: { errorMessage: 'reducer "1" specified, but only 1 reducers exist' } }],
  });
});
