/**
 * Archivers beside a real front door and Moray. The supervisor's part is played; users look with the published commands
 * and through the API.
 */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { configSchema } from '../../../src/archiver/config.js';
import { startService } from '../../../src/archiver/service.js';
import { loadConfig } from '../../../src/common/config.js';
import { createLogger } from '../../../src/common/logging.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { finishJob, type JobResults } from '../../support/finished-job.js';
import { startTestFrontdoor } from '../../support/frontdoor.js';

const frontdoor = await startTestFrontdoor(t);
const { ask, moray, run } = frontdoor;
const log = createLogger({ name: 'archiver', level: process.env['LOG_LEVEL'] ?? 'fatal', stream: process.stderr });

interface Job {
  readonly wrasse?: string;
  readonly timeArchiveStarted?: string;
  readonly timeArchiveDone?: string;
  readonly timeCreated: string;
}

const jobRecord = async (id: string) => (await moray.client.getObject<Job>(defaultBuckets.job, id)).value;
const get = async (name: string) => (await ask('GET', name)).body;

/** @returns the id of a job that is done. */
async function finished(inputs: readonly string[], results: JobResults): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ phases: [{ exec: 'wc' }], name: 'tidy' });
  const id = String((await ask('POST', '/wilma/jobs', { headers, body })).headers.location).slice(-36);
  if (inputs.length > 0) await ask('POST', `/wilma/jobs/${id}/live/in`, { body: inputs.join('\n') });
  await finishJob(moray.client, id, results);
  return id;
}

/** Started and stopped by the test that needs it. */
async function archiver(change: object = {}) {
  const file = path.join(t.testdir(), 'archiver.json');
  const config = {
    instance: 'a1',
    port: 0,
    manta: { url: frontdoor.url },
    moray: { url: moray.url },
    auth: { url: frontdoor.mahiUrl },
    tokenKeyFile: frontdoor.tokenKeyFile,
    pollInterval: 0.1,
    ...change,
  };
  fs.writeFileSync(file, JSON.stringify(config));
  const checked = loadConfig(file, configSchema);
  return startService(checked, log);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50));
}

const isArchived = async (id: string) => (await jobRecord(id)).timeArchiveDone !== undefined;
const isGone = async (id: string) => (await ask('GET', `/wilma/jobs/${id}/live/status`)).status === 404;

t.setTimeout(120_000);

t.test('a finished job becomes objects, which outlive its records', async (t) => {
  const inputs = ['/wilma/stor/a', '/wilma/stor/sp ace', '/wilma/stor/ü'];
  const outputs = ['/wilma/stor/out 1', '/wilma/stor/out ü'];
  const id = await finished(inputs, { outputs, failures: ['/wilma/stor/sp ace'] });
  const job = `/wilma/jobs/${id}`;
  const live = (await run('mjob', ['errors', id])).stdout;

  const first = await archiver();
  await until(() => isArchived(id));
  await until(async () => JSON.parse(await get(`${job}/job.json`)).timeArchiveDone !== undefined);
  t.equal((await run('mls', [job])).stdout, 'err.txt\nfail.txt\nin.txt\njob.json\nout.txt\nstor/\n');
  t.equal(await get(`${job}/in.txt`), `${inputs.join('\n')}\n`);
  t.equal(await get(`${job}/out.txt`), `${outputs.join('\n')}\n`);
  t.equal(await get(`${job}/fail.txt`), '/wilma/stor/sp ace\n');
  const status = JSON.parse(await get(`${job}/job.json`));
  t.same(status, JSON.parse(await get(`${job}/live/status`)), 'the status is that of the API');
  t.match(status, { id, name: 'tidy', state: 'done', stats: { errors: 1, outputs: 2 }, timeArchiveStarted: /^2/ });
  t.match(JSON.parse(await get(`${job}/err.txt`)), { phaseNum: '0', code: 'UserTaskError', p0input: inputs[1] });
  const types = await Promise.all(
    ['job.json', 'out.txt', 'err.txt', 'in.txt', 'fail.txt'].map(async (name) => {
      const { headers } = await ask('HEAD', `${job}/${name}`);
      t.equal(headers['access-control-allow-origin'], '*');
      return headers['content-type'];
    }),
  );
  const text = 'text/plain';
  t.same(types, ['application/json', text, 'application/x-json-stream; type=job-error', text, text]);
  const record = await jobRecord(id);
  t.equal(record.wrasse, 'a1');
  const [year, month, day, hour] = record.timeCreated.split(/[-T:]/);
  const copy = `/poseidon/stor/job_archives/${year}/${month}/${day}/${hour}/${id}/job.json`;
  await until(async () => (await ask('GET', copy, { as: 'poseidon' })).status === 200);
  t.same(JSON.parse((await ask('GET', copy, { as: 'poseidon' })).body), record, 'the operator has the whole record');
  t.equal((await ask('GET', copy)).status, 403, 'and nobody else');
  const ping = await fetch(`http://127.0.0.1:${first.port}/ping`);
  t.equal(await ping.text(), 'Ok.');
  t.match(await (await fetch(`http://127.0.0.1:${first.port}/metrics`)).text(), /jobs\{what="archived"\} 1\n/);
  await first.stop();

  // Another archiver, of the same name, that does not keep anything for long.
  const second = await archiver({ lingerTime: 0 });
  await until(() => isGone(id));
  await second.stop();
  for (const bucket of ['jobinput', 'taskoutput', 'error'] as const) {
    const left: string[] = [];
    for await (const { key } of moray.client.findObjects(defaultBuckets[bucket], `(jobId=${id})`)) left.push(key);
    t.same(left, [], `no ${bucket} is left`);
  }
  t.equal((await run('mjob', ['inputs', id])).stdout, `${inputs.join('\n')}\n`, 'the commands read the archive');
  t.equal((await run('mjob', ['outputs', id])).stdout, `${outputs.join('\n')}\n`);
  t.equal((await run('mjob', ['failures', id])).stdout, '/wilma/stor/sp ace\n');
  const { phase: _live, ...same } = JSON.parse(live);
  t.match(JSON.parse((await run('mjob', ['errors', id])).stdout), same, 'with all that was in the live form');
  t.match(JSON.parse((await run('mjob', ['get', id])).stdout), { id, state: 'done' });
});

t.test('long lists, removed directories and worthless tokens', async (t) => {
  const outputs = Array.from({ length: 15_000 }, (_, n) => `/wilma/stor/${'long'.repeat(20)}/${n}`);
  const long = await finished([], { outputs });
  const removed = await finished(['/wilma/stor/a'], {});
  for (const name of ['live', 'stor', '']) await ask('DELETE', `/wilma/jobs/${removed}/${name}`);
  const distrusted = await finished([], { change: { auth: { login: 'wilma', token: 'worthless' } } });
  const orphan = await finished([], { change: { owner: '00000000-0000-4000-8000-000000000000' } });
  const { stop } = await archiver();
  for (const id of [long, removed, distrusted, orphan]) await until(() => isArchived(id));
  t.equal(await get(`/wilma/jobs/${long}/out.txt`), `${outputs.join('\n')}\n`, 'every output is there');
  t.equal((await ask('HEAD', `/wilma/jobs/${removed}`)).status, 404, 'what the user removed stays away');
  t.match(JSON.parse(await get(`/wilma/jobs/${distrusted}/job.json`)), { state: 'done' });
  t.equal((await ask('HEAD', `/wilma/jobs/${orphan}/job.json`)).status, 404, 'nobody reads that of a closed account');
  await stop();
});

t.test('several archivers share the work, and take over that of a dead one', async (t) => {
  const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => finished([`/wilma/stor/${n}`], {})));
  const [abandoned = '', claimed = ''] = ids;
  const timeArchiveStarted = '2026-01-01T00:00:00.000Z';
  for (const id of [abandoned, claimed]) {
    const value = { ...(await jobRecord(id)), wrasse: id === claimed ? 'a2' : 'dead', timeArchiveStarted };
    await moray.client.putObject(defaultBuckets.job, id, value);
  }
  const instances = ['a2', 'a3'];
  const archivers = await Promise.all(instances.map((instance) => archiver({ instance, takeoverTime: 1 })));
  for (const id of ids) await until(() => isArchived(id));
  const owners = await Promise.all(ids.map(async (id) => (await jobRecord(id)).wrasse));
  t.ok(owners.every((owner) => instances.includes(owner ?? '')));
  const counts = await Promise.all(
    archivers.map(async ({ port }) => {
      const snapshot = (await fetch(`http://127.0.0.1:${port}/kang/snapshot`)).json();
      return (await snapshot) as { readonly takenOver: number };
    }),
  );
  t.ok(
    counts.some(({ takenOver }) => takenOver > 0),
    'the claim of the dead one was undone',
  );
  await Promise.all(archivers.map(({ stop }) => stop()));
});

t.test('what fails is tried again, and the records stay until it is archived', async (t) => {
  const id = await finished(['/wilma/stor/a'], {});
  const unreachable = await archiver({ manta: { url: 'http://127.0.0.1:1' }, lingerTime: 0 });
  const failing = async () => {
    const answer = await fetch(`http://127.0.0.1:${unreachable.port}/kang/snapshot`);
    return ((await answer.json()) as { readonly failing: readonly string[] }).failing;
  };
  await until(async () => (await failing()).includes(id));
  t.notOk(await isGone(id));
  await unreachable.stop();
  const { stop } = await archiver();
  await until(() => isArchived(id));
  t.match(await get(`/wilma/jobs/${id}/in.txt`), '/wilma/stor/a\n');
  await stop();
});
