import t from 'tap';
import type { JobRecord } from '../../../../src/records/job.js';
import type { TaskRecord } from '../../../../src/records/task.js';
import { newJob, type Reducer } from '../../../../src/supervisor/jobs/job.js';
import { followRetry } from '../../../../src/supervisor/tasks/reduce-retry.js';

const phases: JobRecord['phases'] = [{ type: 'reduce', exec: 'wc', count: 2 }];
const stored = { bucket: 'job', key: 'job', id: 1, etag: 'e', mtimeMs: 0, value: { jobId: 'job', phases } } as never;
const next = { taskId: 'second', agent: 'b', generation: '2' };
const failed = { jobId: 'job', taskId: 'first', phaseNum: 0, rIdx: 1 } as TaskRecord;
const attempt = (taskId: string): Reducer => ({ taskId, agent: 'a', generation: '1', finished: false });

function jobWith(reducer: Reducer | undefined) {
  const job = newJob(stored, 'running', 0);
  const [phase] = job.phases;
  if (phase === undefined) throw new Error('the job has a phase');
  phase.reducers[1] = reducer;
  phase.told = true;
  return { job, phase };
}

t.test('inputs go to the new attempt, which does not know yet how many they are', async (t) => {
  const { job, phase } = jobWith(attempt('first'));
  followRetry(failed, next, job);
  t.same(phase.reducers, [undefined, { ...next, finished: false }]);
  t.equal(phase.told, false);
});

t.test('a new attempt that was told with the failed one needs not be told again', async (t) => {
  const { job, phase } = jobWith(attempt('first'));
  followRetry({ ...failed, timeInputDone: '2026-01-01T00:00:00.000Z' }, next, job);
  t.equal(phase.told, true);
});

t.test('news of a retry that come late change nothing', async (t) => {
  for (const known of [attempt('third'), undefined]) {
    const { job, phase } = jobWith(known);
    followRetry(failed, next, job);
    t.same(phase.reducers[1], known);
  }
});
