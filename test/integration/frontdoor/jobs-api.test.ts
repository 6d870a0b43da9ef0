/** The jobs API by raw HTTP: refusals, states, and the lists that a job leaves. */
import crypto from 'node:crypto';
import t, { type Test } from 'tap';
import { startTestFrontdoor } from '../../support/frontdoor.js';
import { mrjobWith } from '../../support/mrjob.js';

const { ask, moray, url } = await startTestFrontdoor(t);

const buckets = { job: 'marlin_jobs_v2', error: 'marlin_errors_v2', taskoutput: 'marlin_taskoutputs_v2' };
const json = { 'content-type': 'application/json' };

async function createJob(phase: object = { exec: 'wc' }): Promise<string> {
  const body = JSON.stringify({ phases: [phase] });
  const { headers } = await ask('POST', '/wilma/jobs', { headers: json, body });
  return String(headers.location).split('/').at(-1) ?? '';
}

t.test('job definitions', async (t) => {
  const create = (body: string, headers: object = {}) =>
    ask('POST', '/wilma/jobs', { headers: { ...json, ...headers }, body });
  const good = await create('{"phases":[{"exec":"wc"}]}');
  t.equal(good.status, 201);
  t.match(good.headers.location, /^\/wilma\/jobs\/[0-9a-f-]{36}$/);

  // biome-ignore format: table
  const bad: readonly [body: string, status: number, code: string, message: string | RegExp][] = [
    ['{', 400, 'InvalidContent', /^Invalid JSON: /],
    ['', 400, 'InvalidJob', 'property "phases": is missing and it is required'],
    ['[]', 400, 'InvalidJob', /phases/],
    ['null', 400, 'InvalidJob', 'job must not be null'],
    ['{"phases":[]}', 400, 'InvalidJob', 'property "phases": there must be a minimum of 1 in the array'],
    ['{"phases":[{}]}', 400, 'InvalidJob', 'property "phases[0].exec": is missing and it is required'],
    ['{"phases":[{"exec":"x"}],"options":{}}', 400, 'InvalidJob', 'property "options": unsupported property'],
    [`{"phases":[{"exec":"${'x'.repeat(100_000)}"}]}`, 413, 'RequestEntityTooLargeError', 'Request body size exceeds 100000'],
  ];
  for (const [body, status, code, message] of bad) {
    const answer = await create(body);
    t.equal(answer.status, status, `${body.slice(0, 40)}: ${status}`);
    t.match(JSON.parse(answer.body), { code, message });
    const digest = crypto.createHash('md5').update(answer.bytes).digest('base64');
    t.equal(answer.headers['content-md5'], digest, 'the digest of the answer is right');
  }
  const wrong = await create('{"phases":[{"exec":"wc"}]}', { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' });
  t.match(JSON.parse(wrong.body), { code: 'BadDigest' });
});

t.test('inputs, and when they are refused', async (t) => {
  const id = await createJob();
  const live = `/wilma/jobs/${id}/live`;
  const many = Array.from({ length: 2500 }, (_, index) => `/wilma/stor/${index}`).join('\r\n');
  t.equal((await ask('POST', `${live}/in`, { body: many })).status, 204);
  const inputs = (await ask('GET', `${live}/in`)).body.trim().split('\n');
  t.equal(inputs.length, 100, 'of a running job, the most recent hundred are shown');
  t.equal(inputs.at(-1), '/wilma/stor/2499');
  t.equal(inputs[0], '/wilma/stor/2400', 'oldest first');
  const withNul = await ask('POST', `${live}/in`, { body: '/wilma/stor/a\0b' });
  t.equal(withNul.status, 400, 'the store cannot index NUL');
  t.match(JSON.parse(withNul.body), { code: 'InvalidArgumentError', message: 'names of inputs cannot contain NUL' });
  const tooLong = await ask('POST', `${live}/in`, { body: `/wilma/stor/${'y'.repeat(1_000_000)}` });
  t.equal(tooLong.status, 400, 'a name that no object can have would only burden whoever reads the record');
  t.match(JSON.parse(tooLong.body), { code: 'InvalidArgumentError', message: /longer than 16384 characters/ });
  t.equal((await ask('POST', `${live}/in?end=true`, { body: 'last' })).status, 204);
  t.match(JSON.parse((await ask('GET', `${live}/status`)).body), { inputDone: true });
  const late = await ask('POST', `${live}/in`, { body: 'late' });
  t.equal(late.status, 409);
  t.match(JSON.parse(late.body), { code: 'InvalidJobState', message: `job ${id} is in state 'inputDone'` });
  t.equal((await ask('POST', `${live}/in/end`)).status, 202, 'ending twice changes nothing');

  const { value } = await moray.client.getObject(buckets.job, id);
  await moray.client.putObject(buckets.job, id, { ...value, state: 'done', timeDone: new Date().toISOString() });
  t.equal((await ask('GET', `${live}/in`)).body.trim().split('\n').length, 2501, 'of a finished job, everything');
  t.match(JSON.parse((await ask('POST', `${live}/cancel`)).body), { message: `job ${id} is in state 'done'` });
});

t.test('results', async (t) => {
  const id = await createJob();
  const timeCommitted = new Date().toISOString();
  for (const output of ['/wilma/stor/out 1', '/wilma/stor/out 2']) {
    const value = {
      jobId: id,
      domain: 'd',
      taskId: 't',
      phaseNum: 0,
      output,
      valid: 'true',
      timeCommitted,
      timeCreated: timeCommitted,
    };
    await moray.client.putObject(buckets.taskoutput, crypto.randomUUID(), value);
  }
  const errorId = crypto.randomUUID();
  await moray.client.putObject(buckets.error, errorId, {
    errorId,
    jobId: id,
    domain: 'd',
    phaseNum: 0,
    errorCode: 'UserTaskError',
    errorMessage: 'user command exited with code 1',
    input: '/wilma/stor/x',
    p0input: '/wilma/stor/x',
    stderr: '/wilma/stor/what it said',
    retried: false,
    timeCommitted,
  });
  t.equal((await ask('GET', `/wilma/jobs/${id}/live/out`)).body, '/wilma/stor/out 1\n/wilma/stor/out 2\n');
  t.same(JSON.parse((await ask('GET', `/wilma/jobs/${id}/live/err`)).body), {
    phase: '0',
    what: 'phase 0: input "/wilma/stor/x"',
    code: 'UserTaskError',
    message: 'user command exited with code 1',
    command: 'wc',
    input: '/wilma/stor/x',
    p0input: '/wilma/stor/x',
    stderr: '/wilma/stor/what it said',
  });
  await operatorSeesStderr(t, id);
  const failed = await ask('GET', `/wilma/jobs/${id}/live/fail`, { headers: { accept: 'application/x-json-stream' } });
  t.equal(failed.body, '/wilma/stor/x\n', 'whatever the client says it accepts');
  t.equal(failed.headers['content-type'], 'text/plain');
});

/** `mrjob errors --stderr`, which reads the object with the job's token. */
async function operatorSeesStderr(t: Test, id: string): Promise<void> {
  const env = { MORAY_URL: moray.url, MANTA_URL: url };
  const errors = async (...args: readonly string[]) => (await mrjobWith(env)('errors', ...args, id)).stdout;
  const head = [
    'phase 0: input "/wilma/stor/x": user command exited with code 1',
    '    code: UserTaskError',
    '    command: wc',
    '    (see /wilma/stor/what it said)',
  ];
  t.equal(await errors('--stderr'), printed(...head, '    | [cannot be read: 404 ResourceNotFound]'));
  await ask('PUT', '/wilma/stor/what%20it%20said', { body: 'wc: \x1b[2Jno such thing\nand\tso on\n' });
  t.equal(await errors('--stderr'), printed(...head, '    | wc: ?[2Jno such thing', '    | and\tso on'));
  t.match(JSON.parse(await errors('--stderr', '--json')), { command: 'wc', stderrText: /^wc: .*\nand\tso on\n$/ });
  await ask('PUT', '/wilma/stor/what%20it%20said', { body: '' });
  t.equal(await errors('--stderr'), printed(...head), 'it said nothing');
  await ask('PUT', '/wilma/stor/what%20it%20said', { body: `${'x'.repeat(20_000)}the end` });
  t.match(await errors('--stderr'), /\n {4}\| \[the first 3623 bytes are left out\]\n {4}\| x+the end\n$/);
  const { status, stderr } = await mrjobWith({ MORAY_URL: moray.url })('errors', '--stderr', id);
  t.equal(status, 1);
  t.match(stderr, /failed to list errors: MANTA_URL must be set/);
}

t.test('what could not be initialised did not run its command', async (t) => {
  const id = await createJob({ exec: 'wc', init: 'exit 1' });
  const messages = [
    'user command exited with code 1',
    'failed to dispatch task: first of 1 error: error retrieving asset "/wilma/stor/a" (status code 404)',
    'task aborted because a previous task failed to initialize (see other errors for details)',
  ];
  for (const [index, errorMessage] of messages.entries()) {
    const errorId = crypto.randomUUID();
    await moray.client.putObject(buckets.error, errorId, {
      ...{ errorId, jobId: id, domain: 'd', phaseNum: 0, input: `/wilma/stor/${index}`, retried: false },
      ...{ errorCode: 'TaskInitError', errorMessage, timeCommitted: new Date().toISOString() },
    });
  }
  const lines = (await ask('GET', `/wilma/jobs/${id}/live/err`)).body.trim().split('\n');
  const listed = lines.map((line) => JSON.parse(line) as { command?: string; message: string });
  t.same(
    listed.map(({ message, command }) => [message, command]),
    messages.map((message, index) => [message, index === 0 ? 'exit 1' : undefined]),
  );
  const { stdout } = await mrjobWith({ MORAY_URL: moray.url, MANTA_URL: url })('errors', '--stderr', id);
  const expected = messages.flatMap((message, index) => [
    `phase 0: input "/wilma/stor/${index}": ${message}`,
    '    code: TaskInitError',
    ...(index === 0 ? ['    init: exit 1'] : []),
  ]);
  t.equal(stdout, printed(...expected));
});

const printed = (...lines: readonly string[]) => `${lines.join('\n')}\n`;

t.test('other people and other jobs', async (t) => {
  const id = await createJob();
  const status = `/wilma/jobs/${id}/live/status`;
  t.equal((await ask('GET', status, { as: 'fred' })).status, 403, 'strangers may not look');
  t.equal((await ask('POST', `/wilma/jobs/${id}/live/cancel`, { as: 'fred' })).status, 403, 'nor cancel');
  t.equal((await ask('GET', status, { as: 'poseidon' })).status, 200, 'operators may');
  t.equal((await ask('GET', `/fred/jobs/${id}/live/status`, { as: 'fred' })).status, 404, 'a job has one owner');
  const nowhere = await ask('GET', `/wilma/jobs/${crypto.randomUUID()}/live/status`);
  t.match(JSON.parse(nowhere.body), { code: 'ResourceNotFound', message: /does not exist$/ });
  t.match((await ask('GET', '/wilma/jobs/live')).body, id);
  t.match((await ask('GET', '/wilma/jobs?state=running')).body, /^$/);
  t.match(JSON.parse((await ask('GET', '/wilma/jobs?state=odd')).body), { message: '"odd" is invalid for "state"' });
});

t.test('tokens stand in for signatures', async (t) => {
  const { status, body } = await ask('POST', '/wilma/tokens');
  t.equal(status, 201);
  const { token } = JSON.parse(body) as { token: string };
  const bearer = { authorization: `Token ${token}` };
  t.equal((await ask('PUT', '/wilma/stor/x', { as: null, headers: bearer, body: 'x' })).status, 204);
  t.equal((await ask('GET', '/fred/stor', { as: null, headers: bearer })).status, 403, 'only for their owner');
  const mangled = { authorization: `Token ${token.slice(0, -4)}AAAA` };
  t.match(JSON.parse((await ask('GET', '/wilma/stor', { as: null, headers: mangled })).body), {
    code: 'InvalidAuthenticationToken',
  });
  t.equal((await ask('POST', '/wilma/tokens', { as: 'fred' })).status, 403, 'nobody makes tokens for others');
});
