/** What one account, or one client without credentials, may have of a front door: the rest is told to come again. */
import { once } from 'node:events';
import http from 'node:http';
import t from 'tap';
import { type AskOptions, startTestFrontdoor, type TestAnswer, type TestFrontdoor } from '../../support/frontdoor.js';

const jobBucket = 'marlin_jobs_v2';
const json = { 'content-type': 'application/json' };

/** Asks the same until it is refused for asking too often; faster than any limit here, so it soon is. */
async function untilThrottled({ ask }: TestFrontdoor, path: string, options: AskOptions = {}): Promise<TestAnswer> {
  for (let left = 1_000; left > 0; left--) {
    const answer = await ask('GET', path, options);
    if (answer.status === 503) return answer;
  }
  throw new Error(`${path} was never refused`);
}

async function throttled({ monitorUrl }: TestFrontdoor, limit: string): Promise<number> {
  const text = await (await fetch(`${monitorUrl}/metrics`)).text();
  return Number(
    new RegExp(`^marlin_frontdoor_throttled_total\\{limit="${limit}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0,
  );
}

const repeated = async (count: number, ask: () => Promise<TestAnswer>): Promise<readonly number[]> => {
  const statuses: number[] = [];
  for (let left = count; left > 0; left--) statuses.push((await ask()).status);
  return [...new Set(statuses)];
};

t.test('requests per second', async (t) => {
  const limits = { requestsPerSecond: 1, anonymousRequestsPerSecond: 1, burstS: 5 };
  const frontdoor = await startTestFrontdoor(t, { limits });
  const { ask, accounts, moray, url } = frontdoor;
  const created = await ask('POST', '/wilma/jobs', { headers: json, body: '{"phases":[{"exec":"wc"}]}' });
  t.equal(created.status, 201);

  const refused = await untilThrottled(frontdoor, '/wilma/stor');
  const message = 'manta throttled this request: wilma may send 1 requests per second';
  t.same(JSON.parse(refused.body), { code: 'ThrottledError', message });
  t.equal(refused.headers['retry-after'], '1');
  t.ok((await throttled(frontdoor, 'requestsPerSecond')) >= 1);
  const listed = await frontdoor.run('mls', ['~~/stor']);
  t.match(listed.stderr, /throttled this request/, 'a published command says so');

  t.equal((await ask('GET', '/fred/stor', { as: 'fred' })).status, 200, 'others are not held back');
  t.same(await repeated(20, () => ask('GET', '/wilma/stor', { as: 'poseidon' })), [200], 'operators have no limit');
  const { value } = await moray.client.getObject<{ authToken: string }>(
    jobBucket,
    String(created.headers.location).slice(-36),
  );
  const authorization = `Token ${value.authToken}`;
  const asTask = () => ask('PUT', '/wilma/stor/output', { as: null, headers: { authorization }, body: 'x' });
  t.same(await repeated(20, asTask), [204], 'nor have jobs');

  t.equal(
    (await ask('GET', '/wilma/public', { as: null })).status,
    200,
    'without credentials it is the address that counts',
  );
  const stranger = await untilThrottled(frontdoor, '/wilma/public', { as: null });
  t.match(JSON.parse(stranger.body), { message: /: 127\.0\.0\.1 may send 1 requests per second$/ });
  t.ok((await throttled(frontdoor, 'anonymousRequestsPerSecond')) >= 1);
  const signature = `Signature keyId="/wilma/keys/${accounts.wilma.key.md5}",algorithm="rsa-sha256",signature="AAAA"`;
  const forged = { as: null, headers: { authorization: signature, date: new Date().toUTCString() } };
  t.match(JSON.parse((await untilThrottled(frontdoor, '/wilma/stor', forged)).body), { message: /: 127\.0\.0\.1 may/ });
  t.same(
    await repeated(20, () => ask('GET', '/ping', { as: null })),
    [200],
    'whoever looks whether it is there is answered',
  );
  t.equal((await fetch(`${url}/ping`)).status, 200);
});

t.test('requests under way', async (t) => {
  const limits = { requestsAtOnce: 1, anonymousRequestsAtOnce: 1 };
  const frontdoor = await startTestFrontdoor(t, { limits });
  const { ask, port, signed, monitorUrl } = frontdoor;
  const headers = { ...signed('wilma'), expect: '100-continue', 'content-length': 4 };
  const upload = http.request({ port, method: 'PUT', path: '/wilma/public/slow', headers, agent: false });
  upload.flushHeaders();
  await once(upload, 'continue');
  const snapshot = await (await fetch(`${monitorUrl}/kang/snapshot`)).json();
  t.match(snapshot, { requestsUnderWay: { wilma: 1 }, connections: { idle: 0, byAddress: { '127.0.0.1': Number } } });

  const refused = await ask('GET', '/wilma/stor');
  const message = 'manta throttled this request: wilma may have 1 requests under way';
  t.same(JSON.parse(refused.body), { code: 'ThrottledError', message });
  t.equal(refused.headers['retry-after'], '1');
  t.equal(await throttled(frontdoor, 'requestsAtOnce'), 1);
  t.equal((await ask('GET', '/fred/stor', { as: 'fred' })).status, 200);
  t.equal((await ask('GET', '/wilma/public', { as: null })).status, 200, 'nor is who reads what is public');

  upload.end('late');
  const [answer] = (await once(upload, 'response')) as [http.IncomingMessage];
  t.equal(answer.statusCode, 204, 'what is under way goes on');
  answer.resume();
  t.equal((await ask('GET', '/wilma/stor')).status, 200, 'and when it is over there is room again');

  const abandoned = http.request({
    port,
    method: 'PUT',
    path: '/wilma/public/slow',
    headers: { ...headers, ...signed('wilma') },
    agent: false,
  });
  abandoned.on('error', () => {});
  abandoned.flushHeaders();
  await once(abandoned, 'continue');
  abandoned.destroy();
  let last: TestAnswer;
  do last = await ask('GET', '/wilma/stor');
  while (last.status === 503);
  t.equal(last.status, 200, 'also after one that was abandoned');
});

t.test('jobs that are not done', async (t) => {
  const frontdoor = await startTestFrontdoor(t, { limits: { liveJobs: 2 } });
  const { ask, moray, run } = frontdoor;
  const create = (as = 'wilma') =>
    ask('POST', '/wilma/jobs', { as, headers: json, body: '{"phases":[{"exec":"wc"}]}' });
  const ids = [await create(), await create()].map(({ headers }) => String(headers.location).slice(-36));
  const refused = await create();
  t.equal(refused.status, 503);
  const message = 'manta throttled this request: wilma has 2 jobs that are not done, the most there may be';
  t.same(JSON.parse(refused.body), { code: 'ThrottledError', message });
  t.equal(refused.headers['retry-after'], '60');
  t.equal(await throttled(frontdoor, 'liveJobs'), 1);
  const told = await run('mjob', ['create', '-m', 'wc'], { stdin: '' });
  t.equal(told.status, 1);
  t.match(told.stderr, message);
  t.equal(
    (await ask('POST', '/fred/jobs', { as: 'fred', headers: json, body: '{"phases":[{"exec":"wc"}]}' })).status,
    201,
  );
  t.equal((await ask('GET', '/wilma/jobs')).body.trim().split('\n').length, 2, 'a refused job leaves no directory');

  const { value } = await moray.client.getObject(jobBucket, ids[0] ?? '');
  await moray.client.putObject(jobBucket, ids[0] ?? '', { ...value, state: 'done' });
  t.equal((await create()).status, 201, 'one that is done makes room');
  t.equal((await create()).status, 503);
  t.equal((await create('poseidon')).status, 201, 'operators may');
});
