import fc from 'fast-check';
import t from 'tap';
import type { Stored } from '../../../../src/bus/types.js';
import type { JobRecord } from '../../../../src/records/job.js';
import { type Job, newJob } from '../../../../src/supervisor/jobs/job.js';
import { AgentLoad } from '../../../../src/supervisor/pipeline/load.js';
import { PipelineShares } from '../../../../src/supervisor/pipeline/share.js';

function job(jobId: string): Job {
  const value = {
    jobId,
    phases: [{ type: 'map', exec: 'true' }],
    state: 'running',
    worker: 'd',
  } as unknown as JobRecord;
  const stored: Stored<JobRecord> = { bucket: 'job', key: jobId, value, id: 1, etag: 'e', mtimeMs: 0 };
  return newJob(stored, 'running', 0);
}

t.test('a large job takes half of the pipeline, and whoever comes later finds a place', async (t) => {
  let woken = 0;
  const shares = new PipelineShares(100, () => woken++);
  const large = job('large');
  const small = job('small');
  const places: (() => void)[] = [];
  for (let leave = shares.enter(large); leave !== null; leave = shares.enter(large)) places.push(leave);
  t.equal(places.length, 50);
  t.ok(large.overflows, 'it is left out of further pages');
  const leave = shares.enter(small);
  t.ok(leave);
  t.notOk(small.overflows);
  leave?.();
  leave?.();
  t.equal(shares.inHand, 50, 'a place is given up once');
  while (large.overflows) places.pop()?.();
  t.ok(large.inPipeline > 20, 'it comes back before it has nothing left to do');
  t.equal(woken, 1);
});

t.test('whatever happens, a job that has no place gets one as long as any is free', async () => {
  const step = fc.record({ which: fc.integer({ min: 0, max: 4 }), leaves: fc.boolean() });
  const property = fc.property(fc.array(step, { maxLength: 300 }), fc.integer({ min: 1, max: 20 }), (steps, limit) => {
    const shares = new PipelineShares(limit, () => {});
    const jobs = [0, 1, 2, 3, 4].map((n) => ({ job: job(`${n}`), places: [] as (() => void)[] }));
    for (const { which, leaves } of steps) {
      const one = jobs[which];
      if (one === undefined) continue;
      const mustGet = one.places.length === 0 && shares.inHand < limit;
      const place = leaves ? one.places.pop() : shares.enter(one.job);
      if (leaves) place?.();
      else if (place) one.places.push(place);
      else if (mustGet) return false;
      const held = jobs.reduce((sum, { places }) => sum + places.length, 0);
      if (held !== shares.inHand || held > limit || one.job.inPipeline !== one.places.length) return false;
    }
    for (const { places } of jobs) for (const leave of places) leave();
    return shares.inHand === 0 && jobs.every((one) => !one.job.overflows);
  });
  fc.assert(property);
});

t.test('the load of an agent is the sum over jobs, and never below zero', async (t) => {
  const load = new AgentLoad();
  const [one, two] = [job('one'), job('two')];
  load.adjust(one, 'map', 'cn1', 2);
  load.adjust(two, 'map', 'cn1', 1);
  load.adjust(two, 'map', 'cn1', -5);
  t.equal(load.of('cn1'), 2);
  load.replaceMaps(one, new Map([['cn2', 7]]));
  t.same([load.of('cn1'), load.of('cn2')], [0, 7]);
  load.leave(one);
  t.equal(load.of('cn2'), 0);
});
