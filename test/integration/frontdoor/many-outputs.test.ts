/**
 * A job of 66,607 outputs has a list of 66,607, whoever asks: the API, the published `mjob outputs`, and the same when
 * the archiver has made an object of it and the records are gone. Front door and archiver get less memory than the list
 * takes, so that one that gathers it dies.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import t from 'tap';
import { finishJob } from '../../support/finished-job.js';
import { startTestFrontdoor } from '../../support/frontdoor.js';
import { startServiceProcess } from '../../support/service-process.js';

t.setTimeout(180_000);

const outputCount = 66_607;
/** A service by itself takes about half of it; the names alone would take the rest. */
const maxHeapMb = 56;

const { moray, run, ask, accountsFile, mahiUrl, tokenKeyFile } = await startTestFrontdoor(t);
const connections = { moray: { url: moray.url }, tokenKeyFile };
const frontdoor = await startServiceProcess(t, 'frontdoor', {
  config: { port: 0, accountsFile, mahi: { port: 0 }, ...connections },
  maxHeapMb,
});

const body = '{"phases":[{"exec":"wc"}]}';
const created = await ask('POST', '/wilma/jobs', { headers: { 'content-type': 'application/json' }, body });
const id = String(created.headers.location).slice(-36);
const long = 'long'.repeat(150);
const outputs = Array.from({ length: outputCount }, (_, index) => `/wilma/jobs/${id}/stor/${index} ${long}`);
await finishJob(moray.client, id, { outputs });

const digest = (text: string) => crypto.createHash('sha1').update(text).digest('hex');
const whole = digest(`${outputs.join('\n')}\n`);
const count = (text: string) => text.split('\n').length - 1;
const url = `http://127.0.0.1:${frontdoor.port}`;
const peakMb = (pid: number) =>
  Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

t.test('of a job that is done', async (t) => {
  const live = await ask('GET', `/wilma/jobs/${id}/live/out`, { port: frontdoor.port });
  t.equal(count(live.body), outputCount);
  t.equal(digest(live.body), whole, 'each once, in order');
  const printed = await run('mjob', ['outputs', id], { url });
  t.equal(count(printed.stdout), outputCount);
  t.equal(digest(printed.stdout), whole, 'the published command prints all of them');
});

t.test('of a job that is archived and gone', async (t) => {
  const archiver = await startServiceProcess(t, 'archiver', {
    config: { port: 0, manta: { url }, auth: { url: mahiUrl }, pollInterval: 0.1, lingerTime: 0, ...connections },
    maxHeapMb,
  });
  while ((await ask('GET', `/wilma/jobs/${id}/live/status`)).status !== 404) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const printed = await run('mjob', ['outputs', id], { url });
  t.equal(count(printed.stdout), outputCount);
  t.equal(digest(printed.stdout), whole, 'the published command prints the same as before');
  t.comment(`peak: front door ${peakMb(frontdoor.pid)} MB, archiver ${peakMb(archiver.pid)} MB`);
  t.equal(await archiver.stop(), '0');
  t.equal(await frontdoor.stop(), '0', 'none of them died');
});
