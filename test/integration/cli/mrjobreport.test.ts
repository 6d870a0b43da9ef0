/** What mrjobreport prints, and its page in a browser. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { ensureBuckets } from '../../../src/bus/ensure-buckets.js';
import { systemClock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { chromium, startBrowser } from '../../support/browser.js';
import { jobs, putJobRecords, tasks } from '../../support/job-records.js';
import { startTestMoray } from '../../support/moray.js';
import { commandWith } from '../../support/mrjob.js';
import { putTimedTasks } from '../../support/timed-tasks.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const moray = await startTestMoray(t);
await ensureBuckets({ moray: moray.client, buckets: defaultBuckets, clock: systemClock, log });
await putJobRecords(moray.client);
const directory = t.testdir();
const run = commandWith('mrjobreport', { MORAY_URL: moray.url, TMPDIR: directory });

const header = '           value  ------------- Distribution ------------- count';
const row = (value: number, share: number, count: number) =>
  `${String(value).padStart(16)} |${'@'.repeat(share).padEnd(40)} ${count}`;

t.test('distributions', async (t) => {
  const lines = [
    `${jobs.done}: 4 tasks dispatched`,
    '    only 0 tasks accepted',
    '    only 1 tasks started',
    '    only 1 tasks done',
    '    only 3 tasks committed',
    '',
    'Task dispatch time (milliseconds, dispatched to accepted)',
    header,
    '',
    'Task queue time (milliseconds, accepted to started)',
    header,
    '',
    'Task execution time (milliseconds, start to finish)',
    header,
    row(256, 0, 0),
    row(512, 40, 1),
    row(1024, 0, 0),
    '',
    'Task commit time (milliseconds, done to commit)',
    header,
    row(32, 0, 0),
    row(64, 40, 1),
    row(128, 0, 0),
    '',
    '10 slowest tasks (by execution time)',
    '        TASKID                               SERVER         EXECUTION TIME',
    `        ${tasks.b} 7.cn.example.com         850 ms`,
    '',
  ].join('\n');
  const progress = (text: string) => `${text} for job ${jobs.done} ... done.\n`;
  const processed = `${progress('Processing task times')}${lines}`;
  t.same(await run(jobs.done), { status: 0, stdout: `${progress('Fetching tasks')}${processed}`, stderr: '' });
  t.equal((await run(jobs.done)).stdout, processed, 'again, from what was kept');
  t.equal((await run('-f', jobs.done)).stdout, `${progress('Fetching tasks')}${processed}`);
  t.match(JSON.parse((await run('--json', jobs.done)).stdout), { dispatched: 4, slowest: [{ taskId: tasks.b }] });
  t.same(await run('missing'), { status: 1, stdout: '', stderr: 'mrjobreport: job "missing" not found\n' });
  t.match(await run(), { status: 2, stderr: /^usage: mrjobreport / });
  t.match(await run('../x'), { status: 2, stderr: /^mrjobreport: "..\/x" is no job id\n/ });
  t.match(await run('--html', '/nowhere/x', jobs.done), { status: 1, stderr: /^mrjobreport: .*ENOENT/ });
});

t.test('nothing is kept of a job that is not done', async (t) => {
  t.match((await run(jobs.running)).stdout, /^Fetching .*\n.*\n\S+: 0 tasks dispatched\n/);
  const { value: task } = await moray.client.getObject(defaultBuckets.task, tasks.b);
  const taskId = 'b0000000-0000-4000-8000-000000000009';
  await moray.client.putObject(defaultBuckets.task, taskId, { ...task, jobId: jobs.running, taskId });
  t.match((await run(jobs.running)).stdout, /^Fetching .*\n.*\n\S+: 1 tasks dispatched\n/);
});

t.test('the page', { skip: chromium() === undefined && 'there is no Chromium' }, async (t) => {
  const { jobId, longest } = await putTimedTasks(moray.client, { count: 3000, name: 'words </script> & <b>' });
  const file = path.join(directory, 'report.html');
  t.equal((await run('--html', file, jobId)).status, 0);
  const browser = await startBrowser(t, chromium() ?? '');
  await browser.open(`file://${file}`);
  const text = async (selector: string) =>
    String(await browser.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`));
  t.equal(await text('h1'), 'words </script> & <b>', 'what users write stays text');
  t.match(await text('#summary'), /3000 tasks · 30 failed/);
  t.match(await text('#errors'), /30\s+final\s+UserTaskError\s+user command exited with code 1/);
  t.match(await text('#phases'), /0 map\s+3000/);
  t.match(await text('#list'), longest, 'the longest task comes first');
  t.ok(Number(await browser.evaluate(`document.querySelectorAll('#list li').length`)) < 60, 'only rows in sight exist');
  await browser.evaluate(`document.getElementById('rows').scrollTop = 1e9; new Promise(requestAnimationFrame)`);
  await browser.evaluate(`document.getElementById('timeline').focus()`);
  const whole = await text('#under');
  await browser.press('+');
  const closer = await text('#under');
  t.not(closer, whole, 'the keyboard zooms');
  await browser.press('ArrowRight');
  t.not(await text('#under'), closer, 'and moves');
  await browser.press('0');
  t.equal(await text('#under'), whole);
  for (const scheme of ['light', 'dark'] as const) {
    await browser.prefer(scheme);
    const picture = await browser.screenshot();
    t.ok(picture.length > 10_000, `${scheme}: something is drawn`);
    const keep = process.env['MARLIN_TEST_SCREENSHOTS'];
    if (keep !== undefined) fs.writeFileSync(path.join(keep, `report-${scheme}.png`), picture);
  }
  t.same(browser.complaints, []);
});
