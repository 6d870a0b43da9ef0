import t from 'tap';
import type { Stored } from '../../../../src/bus/types.js';
import type { JobRecord } from '../../../../src/records/job.js';
import type { Tunables } from '../../../../src/supervisor/config.js';
import { newJob } from '../../../../src/supervisor/jobs/job.js';
import { AgentLoad } from '../../../../src/supervisor/pipeline/load.js';
import { hasRoom, unblock } from '../../../../src/supervisor/pipeline/window.js';

const limit = 4;

function newJobWithLoad() {
  const phases = [{ type: 'map' }, { type: 'reduce', count: 100 }];
  const value = { jobId: 'job', phases, state: 'running', worker: 'd' } as unknown as JobRecord;
  const stored: Stored<JobRecord> = { bucket: 'job', key: 'job', value, id: 1, etag: 'e', mtimeMs: 0 };
  return { job: newJob(stored, 'running', 0), load: new AgentLoad() };
}

t.test('map tasks fill a window, and a quarter of it must be free before a blocked job goes on', async (t) => {
  const { job, load } = newJobWithLoad();
  const woken: string[] = [];
  const context = {
    tunables: { maxTasksPerAgent: limit } as Tunables,
    wake: (...queries: readonly string[]) => void woken.push(...queries),
  };
  load.adjust(job, 'map', 'cn1', limit);
  t.notOk(hasRoom(job, 'cn1', limit));
  t.ok(hasRoom(job, 'cn2', limit));
  job.blockedBy = 'cn1';
  unblock(job, context);
  t.equal(job.blockedBy, 'cn1');
  load.adjust(job, 'map', 'cn1', -1);
  unblock(job, context);
  t.equal(job.blockedBy, null);
  t.same(woken, ['jobInputs', 'taskOutputs', 'retryTasks']);
});

t.test('reducers weigh, but leave room for what they wait for', async (t) => {
  const { job, load } = newJobWithLoad();
  load.adjust(job, 'reduce', 'cn1', 100);
  t.equal(load.of('cn1'), 100);
  t.ok(hasRoom(job, 'cn1', limit));
});
