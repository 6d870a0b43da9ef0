import t from 'tap';
import type { JobRecord } from '../../../../src/records/job.js';
import { mergeJob } from '../../../../src/supervisor/jobs/save.js';

const job: JobRecord = {
  jobId: 'job',
  owner: 'owner',
  name: '',
  phases: [{ type: 'map', exec: 'true' }],
  state: 'running',
  worker: 'domain',
  timeCreated: 'x',
};

const cases: readonly [title: string, mine: Partial<JobRecord>, stored: Partial<JobRecord>, merged: object | null][] = [
  ['a cancellation stays', {}, { timeCancelled: 'c' }, { timeCancelled: 'c' }],
  ['ours is added', { timeInputDoneRead: 'm' }, { timeInputDone: 's' }, { timeInputDone: 's', timeInputDoneRead: 'm' }],
  ['the end of input is read once', { timeInputDoneRead: 'm' }, { timeInputDoneRead: 's' }, { timeInputDoneRead: 's' }],
  ['input ends once', { timeInputDone: 'm' }, { timeInputDone: 's' }, { timeInputDone: 's' }],
  ['a job of another domain is not ours', {}, { worker: 'other' }, null],
  ['what is done is done', { state: 'done' }, { state: 'done' }, null],
];
for (const [title, mine, stored, merged] of cases) {
  const result = mergeJob({ ...job, ...mine }, { ...job, ...stored });
  if (merged === null) t.equal(result, null, title);
  else t.match(result, { ...job, ...merged }, title);
}
