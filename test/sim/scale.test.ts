/** What an input costs the store does not depend on how many there are: rows are counted, not time. */
import t from 'tap';
import { largeJob, type Measured, newJobs, smallJobs } from './scale-runs.js';

t.setTimeout(300_000); // milliseconds of a machine that may be busy

t.test('an input of a large job costs no more than one of a small job', async (t) => {
  // A small pipeline, so that much of a job of this size waits in the store, as of a much larger one otherwise. Of a page
  // of 1,000 records it takes few, which costs a little more when there are that many; what grows, grows with the number.
  const options = { weighs: false, tunables: { maxPendingDispatches: 200 } };
  const [few, many] = [await largeJob(1_000, options), await largeJob(4_000, options)];
  const [among, amongMore] = [few.rowsLookedAt / few.count, many.rowsLookedAt / many.count];
  t.ok(amongMore < 1.6 * among, `${among.toFixed(0)} rows, ${amongMore.toFixed(0)} among four times as many`);
  t.ok(many.supervisorBatches / many.count <= few.supervisorBatches / few.count, 'writes are not more either');
});

const rowsEach = ({ rowsLookedAt, count }: Measured) => rowsLookedAt / count;

t.test('a job costs no more among many that live at once than among few', async (t) => {
  const options = { weighs: false };
  const [few, many] = [await smallJobs(100, options), await smallJobs(400, options)];
  const text = `${rowsEach(few).toFixed(0)} rows, ${rowsEach(many).toFixed(0)} among four times as many`;
  t.ok(rowsEach(many) < 1.2 * rowsEach(few), text);
  t.ok(many.supervisorBatches / many.count <= few.supervisorBatches / few.count, 'writes are not more either');
});

t.test('each supervisor looks at a new job once, and one of them tries for it, however many there are', async (t) => {
  for (const count of [200, 1_600]) {
    const jobs = await newJobs(count);
    t.ok(rowsEach(jobs) < 12, `${count}: ${rowsEach(jobs).toFixed(1)} rows each, with eight supervisors`);
    t.equal(jobs.supervisorRefusals, 0, 'nobody writes in vain');
  }
});
