import t from 'tap';
import { createFileStore } from '../../../src/accounts/file-store.js';
import { startMahiServer } from '../../../src/accounts/mahi-server.js';
import { ensureBuckets } from '../../../src/bus/ensure-buckets.js';
import { systemClock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { isJobRecord } from '../../../src/records/job.js';
import { generateKey, writeTestAccounts } from '../../support/accounts.js';
import { startTestMoray } from '../../support/moray.js';
import { mrjobWith, now } from '../../support/mrjob.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const moray = await startTestMoray(t);
await ensureBuckets({ moray: moray.client, buckets: defaultBuckets, clock: systemClock, log, names: ['job'] });
const keys = [generateKey().publicKey];
const file = writeTestAccounts(t, [
  { login: 'wilma', uuid: 'uuid-wilma', keys },
  { login: 'poseidon', uuid: 'uuid-poseidon', groups: ['operators'], keys },
]);
const mahi = await startMahiServer(createFileStore(file, log), { host: '127.0.0.1', port: 0, log });
t.teardown(() => mahi.stop());
const env = { MORAY_URL: moray.url, MAHI_URL: `http://127.0.0.1:${mahi.port}`, MANTA_USER: 'wilma' };
const submit = (...args: readonly string[]) => mrjobWith(env)('submit', '-t', 'token', ...args);

async function submitted({ status, stdout, stderr }: Awaited<ReturnType<typeof submit>>) {
  if (status !== 0) throw new Error(stderr);
  const { value } = await moray.client.getObject(defaultBuckets.job, stdout.trim());
  return value;
}

t.test('a job as small as can be', async (t) => {
  const ran = await submit();
  t.match(ran, {
    status: 0,
    stderr: '',
    stdout: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$/,
  });
  const job = await submitted(ran);
  t.ok(isJobRecord(job));
  t.match(job, {
    jobId: ran.stdout.trim(),
    name: 'mrsubmit job',
    owner: 'uuid-wilma',
    state: 'queued',
    timeCreated: now,
    timeInputDone: undefined,
    transient: false,
    options: {},
    auth: {
      login: 'wilma',
      uuid: 'uuid-wilma',
      token: 'token',
      groups: [],
      principal: { account: { login: 'wilma', uuid: 'uuid-wilma' } },
    },
  });
  t.same(job['phases'], [{ type: 'map', exec: 'echo' }]);
  t.same((job['auth'] as { readonly conditions: unknown }).conditions, {
    fromjob: false,
    activeRoles: [],
    method: 'POST',
    date: now,
    day: now,
    time: now,
    sourceip: '::1',
    'user-agent': 'mrjob',
    owner: 'uuid-wilma',
  });
});

t.test('options of a phase stand before it', async (t) => {
  const phaseOptions = [
    '-a',
    '/wilma/stor/a',
    '-a',
    '/wilma/stor/b',
    '-d',
    '256',
    '-s',
    '8',
    '-i',
    '>=13',
    '-z',
    'init',
  ];
  const job = await submitted(
    await submit(
      '-n',
      'mine',
      '-T',
      ...phaseOptions,
      '-m',
      'grep x',
      '-c',
      '3',
      '-r',
      'wc',
      '-c',
      '1',
      '-r',
      'cat',
      '-d',
      '128',
    ),
  );
  t.match(job, { name: 'mine', transient: true });
  t.same(job['phases'], [
    {
      type: 'map',
      exec: 'grep x',
      assets: ['/wilma/stor/a', '/wilma/stor/b'],
      memory: 256,
      disk: 8,
      image: '>=13',
      init: 'init',
    },
    { type: 'reduce', exec: 'wc', count: 3 },
    { type: 'reduce', exec: 'cat' },
  ]);
  const long = await submitted(await submit('--transient', '--legacy-auth', '-m', 'wc', 'surplus'));
  t.equal(long['transient'], true);
  t.same(long['auth'], { login: 'wilma', token: 'token', uuid: 'uuid-wilma', groups: [] });
});

t.test('options of the job are for operators', async (t) => {
  const options = ['-x', 'keepIntermediate=true', '-x', 'frequentCheckpoint=false', '-x', 'color=a=b'];
  const refused = await submit(...options);
  t.same(refused, {
    status: 1,
    stdout: '',
    stderr: 'mrjob: failed to create job: only operators can specify job options\n',
  });
  const asOperator = mrjobWith({ ...env, MANTA_USER: 'poseidon' });
  const job = await submitted(await asOperator('submit', '-t', 'token', ...options));
  t.same(job['options'], { keepIntermediate: true, frequentCheckpoint: false, color: 'a=b' });
  t.match(job['auth'], { groups: ['operators'] });
  const ran = await submit('-x', 'keepIntermediate');
  t.equal(ran.stderr, 'mrjob: invalid value for -x: keepIntermediate\n');
  t.same((await submitted(ran))['options'], {}, 'and goes on');
  const bad = await submit('-x', 'keepIntermediate=maybe');
  t.equal(bad.status, 2);
  t.match(bad.stderr, /^mrjob: invalid value for -x: keepIntermediate=maybe\nusage: mrjob submit /);
});

t.test('what is refused', async (t) => {
  // biome-ignore format: table
  const usage: readonly (readonly [args: readonly string[], complaint: string])[] = [
    [['-c', '0', '-r', 'wc'],    'invalid count'],
    [['-c', '1024', '-r', 'wc'], 'invalid count'],
    [['-c', 'x', '-r', 'wc'],    'invalid count'],
    [['-c', '0x5', '-r', 'wc'],  'invalid count'],
    [['-c', '2', '-m', 'wc'],    '-c invalid for map phases'],
    [['-d', '127', '-m', 'wc'],  'invalid size'],
    [['-s', '1', '-m', 'wc'],    'invalid size'],
    [['-m'],                     'option requires an argument -- m'],
  ];
  for (const [args, complaint] of usage) {
    const { status, stderr } = await submit(...args);
    t.equal(status, 2, args.join(' '));
    t.match(stderr, new RegExp(`^mrjob: ${complaint}\nusage: mrjob submit `));
  }
  const without = (name: keyof typeof env) => mrjobWith({ ...env, [name]: undefined });
  const failed = (message: string) => ({ status: 1, stdout: '', stderr: `mrjob: ${message}\n` });
  t.same(await without('MAHI_URL')('submit', '-d', '1'), failed('MAHI_URL must be specified in the environment.'));
  t.same(await mrjobWith(env)('submit', '-m', 'wc'), failed('auth token (-t) is required'));
  t.same(
    await without('MANTA_USER')('submit', '-t', 'token'),
    failed('MANTA_USER must be specified in the environment.'),
  );
  const { status, stderr } = await mrjobWith({ ...env, MANTA_USER: 'barney' })('submit', '-t', 'token');
  t.equal(status, 1);
  t.match(stderr, /^mrjob: failed to create auth block: .*barney.*\n$/);
});
