/** The published `mjob` against the jobs API. No supervisor runs: tests play its part where a job must make progress. */
import t from 'tap';
import { startTestFrontdoor } from '../../support/frontdoor.js';

const jobBucket = 'marlin_jobs_v2';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

t.setTimeout(180_000); // each command is a process of its own

t.test('mjob creates, feeds, shows and cancels jobs', async (t) => {
  const frontdoor = await startTestFrontdoor(t);
  const { run, moray, accounts } = frontdoor;
  const names = ['/wilma/stor/a', '/wilma/stor/sp ace', '/wilma/stor/ü'];
  const created = await run('mjob', ['create', '-m', 'wc', '-r', 'cat'], { stdin: `${names.join('\n')}\n` });
  const id = created.stdout.trim();
  t.match(id, uuid, 'the id is printed');
  t.match(created.stderr, `added 3 inputs to ${id}`);

  const { value } = await moray.client.getObject<Record<string, unknown>>(jobBucket, id);
  const phases = [
    { exec: 'wc', type: 'map' },
    { exec: 'cat', type: 'reduce' },
  ];
  t.match(value, { jobId: id, owner: accounts.wilma.uuid, state: 'queued', phases, options: {}, transient: false });
  t.match(value['auth'], {
    login: 'wilma',
    principal: { account: { login: 'wilma' } },
    conditions: { fromjob: false },
  });
  t.type(value['timeInputDone'], 'string', 'the end of the input is recorded');
  const status = JSON.parse((await run('mjob', ['get', id])).stdout) as object;
  t.match(status, { id, state: 'queued', inputDone: true, cancelled: false, stats: {} });
  t.equal((await run('mjob', ['inputs', id])).stdout, `${names.join('\n')}\n`, 'inputs are as they were given');
  t.equal((await run('mjob', ['outputs', id])).stdout, '');
  t.equal((await run('mjob', ['errors', id])).stdout, '');
  t.match((await run('mjob', ['list'])).stdout, id);
  t.match((await run('mjob', ['list', '-s', 'running'])).stdout, /^$/, 'it does not run yet');
  t.equal((await run('mls', [`~~/jobs/${id}`])).stdout, 'live/\nstor/\n', 'a job has its directories');

  t.equal((await run('mjob', ['cancel', id])).status, 0);
  t.match(JSON.parse((await run('mjob', ['get', id])).stdout), { cancelled: true });
  t.match((await run('mjob', ['cancel', id])).stderr, `job ${id} is in state 'cancelled'`);
  t.match((await run('mjob', ['create', '--memory', '77', '-m', 'wc'], { stdin: '' })).stderr, 'enumeration 128, 256');
  t.not((await run('mjob', ['get', '5f1c2d90-8a3b-4c77-9d10-aa54c0e8b1f2'])).status, 0, 'there is no such job');
});
