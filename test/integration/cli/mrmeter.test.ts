/** What mrmeter prints for a fixed log, compared as a whole. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { commandWith } from '../../support/mrjob.js';

const metrics = (seconds: number, nanoseconds: number, reads: number, rss: number) => ({
  hrtimestamp: [seconds, nanoseconds],
  vfs: { snaptime: 1, data: { nread: reads, reads } },
  memory: { snaptime: 1, data: { rss } },
});
const record = (event: string, time: string, more: object = {}) =>
  JSON.stringify({ name: 'agent', computeAudit: true, event, time: `2026-03-01T${time}.000Z`, ...more });
const task = (jobId: string, phase: number) => ({ jobId, owner: 'o', phase, taskId: `${jobId}-${phase}` });
const log = [
  'not JSON at all',
  record('AgentStart', '10:00:00'),
  record('TaskStart', '10:00:01', task('b', 0)),
  record('TaskCheckpoint', '10:00:02', {
    ...task('b', 0),
    metricsCumul: { ...metrics(1, 600_000_000, 10, 100), config_disk: 8 },
  }),
  record('TaskDone', '10:01:03', {
    ...task('b', 0),
    metricsCumul: { ...metrics(3, 200_000_000, 15, 300), config_disk: 8 },
    metricsDelta: metrics(1, 600_000_000, 5, 300),
  }),
  record('TaskDone', '11:00:00', {
    ...task('a', 1),
    metricsCumul: { ...metrics(0, 4_213_999, 1, 50), config_disk: 8 },
  }),
  record('TaskDone', '11:00:01', task('a', 2)),
  '{"computeAudit":',
  JSON.stringify({ name: 'agent', msg: 'something else' }),
].join('\n');
const run = (...args: readonly string[]) => commandWith('mrmeter', {}, log)(...args);
const warnings = (stderr: string) => stderr.split('\n').slice(0, -1);

t.test('tables', async (t) => {
  const plain = await run();
  t.equal(plain.status, 0);
  t.equal(
    plain.stdout,
    `JOBID                                     TIME
a                                            4
b                                         3200
`,
  );
  t.match(warnings(plain.stderr), [
    'mrmeter: warning: no metrics in the record at line 7',
    /^mrmeter: malformed record at line 8: ./,
  ]);
  t.equal((await run('-C')).stdout, plain.stdout, 'a task without checkpoints, or as a whole: the same');
  t.equal(
    (await run('-k', 'jobid,phase', '-r', 'vfs memory', '-r', 'nrecords')).stdout,
    `JOBID                                PHASE MEMORY.RSS NRECORDS VFS.NREAD VFS.READS
a                                    1             50        1         1         1
b                                    0            300        2        15        15
`,
    'counters are added, levels keep the last value',
  );
  t.equal(
    (await run('-k', 'minute', '-r', 'vfs.reads,config_disk', '-C')).stdout,
    `MINUTE           CONFIG_DISK VFS.READS
2026-03-01T10:01           8        15
2026-03-01T11:00           8         1
`,
  );
  t.equal((await run('-k', 'hour+owner', '-s', '2026-03-01T11:00:00Z')).stdout.split('\n').length, 3);
  const early = await run('-e', String(Date.parse('2026-03-01T10:00:02.000Z')));
  t.match(early.stdout, /\nb {41}1600\n$/, 'bounds are part of the span');
  t.equal((await run('-s', '2027-01-01')).stdout, '', 'no header without rows');
});

t.test('JSON and figures of what was read', async (t) => {
  t.same(JSON.parse((await run('-j', '-k', 'owner,jobid', '-r', 'time,vfs')).stdout), {
    o: {
      b: { time: [3, 200_000_000], vfs: { nread: 15, reads: 15 } },
      a: { time: [0, 4_213_999], vfs: { nread: 1, reads: 1 } },
    },
  });
  t.same(warnings((await run('-d')).stderr).slice(2), [
    'log records:        8',
    'non-JSON records:   1',
    'malformed records:  1',
    'metering records:   6',
    'agent (re)starts:   1',
  ]);
});

t.test('files, and what is refused', async (t) => {
  const file = path.join(t.testdir(), 'agent.log');
  fs.writeFileSync(file, log);
  t.equal((await run(file)).stdout, (await run()).stdout);
  t.match(await run('/nowhere/log'), { status: 1, stderr: /^mrmeter: open "\/nowhere\/log": .*ENOENT/ });
  t.match(await run('-k', 'jobid,color'), { status: 2, stderr: /^mrmeter: invalid argument for -k: "color"\nusage: / });
  for (const name of ['bogus', 'time.reads', 'bogus.reads'])
    t.match(await run('-r', `time,${name}`), { status: 2, stderr: `mrmeter: invalid argument for -r: "${name}"\n` });
  t.match(await run('-e', 'later'), { status: 2, stderr: /^mrmeter: invalid time for -e: "later"\n/ });
  t.match(await run('-h'), { status: 2, stderr: /^usage: mrmeter / });
});
