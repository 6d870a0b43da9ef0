/** The operator's commands of an agent: their output for a fixed answer, and what they do to a real agent. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { startTestAgent } from '../../support/agent.js';
import { commandWith } from '../../support/mrjob.js';

const zones = [
  { zonename: 'z1', state: 'ready', nwaiters: 1 },
  { zonename: 'z2', state: 'busy', nwaiters: 0 },
  { zonename: 'z3', state: 'disabled', disableTime: '2026-03-01T10:00:00.000Z', disableErrorMessage: 'bad\n  disk' },
  { zonename: 'z4', state: 'ready' },
];
const [first, second] = ['5f1c2d90-8a3b-4c77-9d10-aa54c0e8b1f2', 'b7a6958c-4d3e-4f2a-9b1c-0d9e8f7a6b5c'];
const snapshot = {
  taskgroup: {
    [`${second}/1`]: { groupid: 'g', jobid: second, phasei: 1, ntasks: 0, nrunning: 1, share: 'n/a', mapKeys: false },
    [`${first}/0`]: { jobid: first, phasei: 0, ntasks: 120, nrunning: 3, share: 4, login: 'wilma', token: 'secret' },
  },
  taskstream: {
    s2: { id: 's2', jobid: second, phasei: 1, machine: 'z3', pendingUpdate: false },
    s1: { id: 's1', jobid: first, phasei: 0, machine: 'z2', taskStart: '2026-03-01T10:00:01.000Z' },
  },
};

const server = http.createServer((request, response) => {
  const body = request.url === '/zones' ? zones : request.url === '/kang/snapshot' ? snapshot : undefined;
  response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body ?? { code: 'ResourceNotFound' }));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
t.teardown(() => server.close());
const env = { AGENT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, PATH: '/nonexistent' };
const printed = (stdout: string) => ({ status: 0, stdout, stderr: '' });

t.test('mrzones', async (t) => {
  const mrzones = commandWith('mrzones', env);
  t.same(await mrzones(), printed('      1 busy\n      1 disabled\n      2 ready\n'));
  t.same(await mrzones('-l'), printed('z1\nz2\nz3\nz4\n'));
  t.same(await mrzones('-l', '-b'), printed('z2\n'));
  t.same(await mrzones('-ld'), printed('z3\n'));
  t.same(await mrzones('-lr'), printed('z1\nz4\n'));
  t.same(await mrzones('-z', 'z2'), printed('busy\n'));
  t.same(await mrzones('-x'), printed('z3 (since 2026-03-01T10:00:00.000Z)\n    bad disk\n'));
  t.match(await mrzones('-z', 'z9'), { status: 1, stderr: 'mrzones: no such zone: z9\n' });
  // biome-ignore format: table
  const wrong: readonly (readonly [args: readonly string[], complaint: string])[] = [
    [['-b'],             '-l is required for any combination of -b, -d, and -r'],
    [['-l', '-b', '-d'], 'only one of -b, -d, and -r are allowed'],
    [['-l', '-z', 'z1'], '-l cannot be used with -z'],
    [['-l', '-x'],       '-l cannot be used with -x'],
    [['z1'],             'unexpected argument: z1'],
  ];
  for (const [args, complaint] of wrong) {
    const { status, stderr } = await mrzones(...args);
    t.equal(status, 2, complaint);
    t.match(stderr, `mrzones: ${complaint}\nusage: mrzones `);
  }
  const nobody = await commandWith('mrzones', { AGENT_URL: 'http://127.0.0.1:1/' })();
  t.match(nobody, { status: 1, stderr: /^mrzones: failed to hit "http:\/\/127\.0\.0\.1:1\/zones": / });
});

t.test('mrgroups', async (t) => {
  const mrgroups = commandWith('mrgroups', env);
  t.same(
    await mrgroups(),
    printed(`                               JOBID PH NTASKS RUN  SHARE LOGIN
${first}  0    120   3      4 wilma
${second}  1      0   1    n/a -    
`),
  );
  const streams = `JOBID       PH ZONE                                 LAST START              
5f1c2d90... 0  z2                                   2026-03-01T10:00:01.000Z
b7a6958c... 1  z3                                   -                       
`;
  t.same(await mrgroups('-s'), printed(streams));
  t.equal((await mrgroups('-s', '-v')).status, 0);
  const json = await mrgroups('-j');
  t.notMatch(json.stdout, /secret|mapKeys|groupid/);
  t.match(JSON.parse(json.stdout), [{ jobid: first, ntasks: 120 }, { jobid: second }]);
  t.notMatch((await mrgroups('-j', '-s')).stdout, /"id"|pendingUpdate/);
  t.match(await mrgroups('-v'), { status: 2, stderr: /^mrgroups: -v can only be used with -s\n/ });
  t.match(await mrgroups('-jsv'), { status: 2, stderr: /^mrgroups: -j cannot be used with -v\n/ });
  t.match(await mrgroups('x'), { status: 2, stderr: /^mrgroups: unexpected argument: x\n/ });
});

t.test('a service that does not answer is given up', async (t) => {
  // What is asked for time passes as soon as the request is there.
  let giveUp = () => {};
  const silent = http.createServer(() => giveUp());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  // biome-ignore format: table
  const asking: readonly (readonly [name: string, service: string, args: readonly string[]])[] = [
    ['mrgroups',      'agent',      []],
    ['mrzones',       'agent',      ['-x']],
    ['mrzone',        'agent',      ['z1']],
    ['mrzonedisable', 'agent',      ['z1']],
    ['mrzoneremove',  'agent',      ['z1']],
    ['mrsup',         'supervisor', ['-h', '127.0.0.1', '-p', String(port), 'get']],
  ];
  for (const [name, service, args] of asking) {
    const delays: number[] = [];
    const after = (delayMs: number, action: () => void) => {
      delays.push(delayMs);
      giveUp = action;
      return () => {};
    };
    const ran = await commandWith(name, { AGENT_URL: `${url}/`, PATH: '/nonexistent' }, '', after)(...args);
    t.match(ran, { status: 1, stderr: `${name}: the ${service} at ${url} does not answer\n` });
    t.same(delays, [10_000]);
  }
});

t.test('the removal of a zone may take longer', async (t) => {
  let giveUp = () => {};
  const slow = http.createServer(({ method }, response) => {
    if (method === 'DELETE') giveUp();
    else response.end(method === 'GET' ? JSON.stringify([{ zonename: 'z1', state: 'disabled' }]) : '');
  });
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  t.teardown(() => slow.close());
  const url = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
  const delays: number[] = [];
  const after = (delayMs: number, action: () => void) => {
    delays.push(delayMs);
    giveUp = action;
    return () => {};
  };
  const ran = await commandWith('mrzoneremove', { AGENT_URL: url, PATH: '/nonexistent' }, '', after)('z1');
  t.match(ran, { status: 1, stderr: `mrzoneremove: the agent at ${url} does not answer\n` });
  t.same(delays, [10_000, 10_000, 10_000, 240_000]);
});

t.test('mragentsnoop', async (t) => {
  const at = (second: string, more: object) =>
    JSON.stringify({ name: 'MarlinAgent', time: `2026-03-01T10:00:${second}Z`, ...more });
  const metered = (event: string) => ({
    computeAudit: true,
    event,
    mantaComputeId: '1.cn',
    jobId: first,
    taskId: 't1',
  });
  const lines = [
    at('00.000', metered('AgentStart')),
    'a warning of the runtime',
    at('00.500', { msg: 'something else' }),
    at('01.234', { msg: 'created stream', zone: 'z1', job: first, phase: 0 }),
    at('01.300', metered('TaskStart')),
    at('02.000', metered('TaskDone')),
    at('02.100', { msg: 'zone', event: 'released', zone: 'z1' }),
    at('02.200', { msg: 'zone could not be reset', zone: 'z1' }),
    at('02.300', { msg: 'zone', event: 'prepared', zone: 'z1' }),
  ];
  const snoop = commandWith('mragentsnoop', {}, lines.join('\n'));
  t.same(
    await snoop(),
    printed(`Snooping.
    0.000  agent-started          1.cn
    1.234  sched-stream-created   5f1c2d90 z1 (phase  0)
    1.300  task-dispatched        5f1c2d90 t1
    2.000  task-done              5f1c2d90 t1
    2.100  zone-reset-start       z1
    2.200  zone-reset-done        z1 (ERROR)
    2.300  zone-reset-done        z1 (ok)
`),
  );
  t.equal((await snoop('-DJSON')).stdout.split('\n')[2], lines[0]);
  t.match(await snoop('-DXML'), { status: 2, stderr: /^mragentsnoop: unknown detail: XML\n/ });
});

t.test('zones out of service and back, of a real agent', async (t) => {
  const agent = await startTestAgent(t);
  const real = { AGENT_URL: agent.operatorUrl, PATH: '/nonexistent' };
  const [zone = ''] = (await commandWith('mrzones', real)('-lr')).stdout.split('\n');
  const state = async () => (await commandWith('mrzones', real)('-z', zone)).stdout;
  t.same(await commandWith('mrzonedisable', real)(zone), printed(''));
  t.equal(await state(), 'disabled\n');
  t.match(await commandWith('mrzone', real)(zone), { status: 0, stdout: /^HTTP\/1\.1 204\n/ });
  while ((await state()) !== 'ready\n') await new Promise((resolve) => setTimeout(resolve, 20));
  const polls: number[] = [];
  const after = (delayMs: number, action: () => void) => {
    if (delayMs !== 1000) return () => {};
    polls.push(delayMs);
    setImmediate(action);
    return () => {};
  };
  t.match(await commandWith('mrzone', real, '', after)('z9'), { status: 1, stderr: 'mrzone: no such zone: z9\n' });
  t.equal(polls.length, 5, 'which the agent may still have found');
  t.match(await commandWith('mrzonedisable', real)('z9'), {
    status: 1,
    stderr: /zones\/z9\/disable" failed \(code 404\)/,
  });
  t.same(
    await commandWith('mrzoneremove', real)(zone),
    printed(
      ['Checking for', 'Disabling', 'Waiting for', 'Removing']
        .map((verb) => `${verb} zone "${zone}"${verb === 'Waiting for' ? ' to quiesce' : ''} ... done.\n`)
        .join(''),
    ),
  );
  t.match(await commandWith('mrzone', real, '', after)(zone), { status: 0 }, 'a removed one is found again');
  t.equal((await commandWith('mrzoneremove', real)(zone)).status, 0);
  t.match((await commandWith('mrzoneremove', real)(zone)).stdout, /\nzone already gone\.\n$/);
  for (const name of ['mrzone', 'mrzonedisable', 'mrzoneremove', 'mrdeploycompute']) {
    t.match(await commandWith(name, real)(), { status: 2, stderr: `usage: ${name} zonename\n` });
  }
});

/** Commands of SmartOS that write down how they were called, and do what a test wants. */
function fakeCommands(t: Pick<Test, 'teardown'>, scripts: Readonly<Record<string, string>>) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-fake-'));
  t.teardown(() => fs.rmSync(directory, { recursive: true }));
  const log = path.join(directory, 'log');
  for (const [name, script] of Object.entries(scripts)) {
    const text = `#!/bin/bash\necho "${name} $*" >>${log}\n[ "$1" = update ] && cat >>${log}\n${script}\n`;
    fs.writeFileSync(path.join(directory, name), text, { mode: 0o755 });
  }
  return { PATH: `${directory}:/usr/bin:/bin`, calls: () => fs.readFileSync(log, 'utf8') };
}

t.test('on SmartOS the platform is told', async (t) => {
  const agent = await startTestAgent(t);
  const fake = fakeCommands(t, { vmadm: 'exit 0', zfs: 'exit 0' });
  const real = { AGENT_URL: agent.operatorUrl, PATH: fake.PATH };
  const [zone = ''] = (await commandWith('mrzones', real)('-lr')).stdout.split('\n');
  t.match(await commandWith('mrdeploycompute', real)(zone), {
    status: 0,
    stderr: `+ vmadm get ${zone}\n+ zfs snapshot zones/${zone}@marlin_init\n`,
  });
  t.equal((await commandWith('mrzoneremove', real)(zone)).status, 0);
  t.equal(
    fake.calls(),
    [
      `vmadm get ${zone}\nzfs snapshot zones/${zone}@marlin_init\nvmadm update ${zone}`,
      `{"set_tags":{"manta_compute":""}}vmadm update ${zone}`,
      '{"set_tags":{"manta_compute":"removed"}}',
    ].join('\n'),
  );
  const failing = fakeCommands(t, { vmadm: 'exit 1' });
  const refused = { ...real, PATH: failing.PATH };
  t.match(await commandWith('mrzone', refused)(zone), {
    status: 1,
    stderr: 'mrzone: failed to mark zone non-removed\n',
  });
  t.match(await commandWith('mrdeploycompute', refused)('z'), {
    status: 1,
    stderr: /mrdeploycompute: no such zone: z\n$/,
  });
});

t.test('mragentconf sets up a storage node, and again; mragentdestroy removes it', async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-root-'));
  t.teardown(() => fs.rmSync(root, { recursive: true, force: true }));
  const cron = path.join(root, 'cron');
  fs.mkdirSync(path.join(root, 'zones/mako/root/root/.ssh'), { recursive: true });
  for (const name of ['id_rsa', 'id_rsa.pub'])
    fs.writeFileSync(path.join(root, 'zones/mako/root/root/.ssh', name), name);
  const listed = [
    { uuid: 'c1', tags: { manta_role: 'compute' } },
    { uuid: 'c2', tags: { manta_role: 'marlincompute', manta_compute: 'removed' } },
    { uuid: 'm1', tags: { manta_role: 'moray' } },
  ];
  const fake = fakeCommands(t, {
    sysinfo: `echo '{"UUID":"server"}'`,
    svcadm: 'exit 0',
    svccfg: 'echo "<manifest/>"',
    vmadm: `if [ "$2" = -j ]; then echo '${JSON.stringify(listed)}'; else echo mako; fi`,
    crontab: `if [ "$1" = -l ]; then cat ${cron} 2>/dev/null; else cat >${cron}; fi`,
  });
  const real = { PATH: fake.PATH, MARLIN_ROOT: root };
  const configure = () => commandWith('mragentconf', real)('1.cn', 'manta.x', 'moray.x', '10.0.0.1', '10.0.0.2');
  t.same(
    await configure(),
    printed(
      'updated marlin agent configuration\ncopied private keys from zone mako\nwrote logpush.json\nupdated crontab\n',
    ),
  );
  const etc = path.join(root, 'opt/smartdc/marlin/etc');
  const read = (name: string): unknown => JSON.parse(fs.readFileSync(path.join(etc, name), 'utf8'));
  t.match(read('agentconfig.json'), {
    ...{ instanceUuid: 'server', mantaComputeId: '1.cn', zones: ['c1'], driver: 'smartos' },
    ...{ moray: { url: 'tcp://moray.x:2020' }, manta: { url: 'http://manta.x:80/' } },
  });
  t.match(read('logpush.json'), {
    nameservers: ['10.0.0.1', '10.0.0.2'],
    manta: { host: 'manta.x', user: 'poseidon' },
  });
  t.equal(fs.readFileSync(path.join(etc, 'id_rsa'), 'utf8'), 'id_rsa');
  t.same(
    await configure(),
    printed(
      'skipping agent reconfiguration (file already present)\nskipping private key copy (keys already present)\n' +
        'wrote logpush.json\nskipping crontab update (already done)\n',
    ),
  );
  t.match(await commandWith('mragentconf', real)('1.cn', 'm', 'm'), { status: 2, stderr: /^usage: mragentconf / });
  fs.appendFileSync(cron, '0 1 * * * other\n');
  t.match(await commandWith('mragentdestroy', real)(), { status: 2, stderr: 'usage: mragentdestroy [-f]\n' });
  t.equal((await commandWith('mragentdestroy', real)('-f')).status, 0);
  t.equal(fs.readFileSync(cron, 'utf8'), '0 1 * * * other\n');
  t.notOk(fs.existsSync(etc));
});

t.test('logpush.sh uploads signed requests by the hour they are about, and keeps what failed', async (t) => {
  const work = t.testdir({ upload: {} });
  const name = 'marlin-agent_f2a1b0c9-44de_2026-03-02T00:00:00.log';
  fs.writeFileSync(path.join(work, 'upload', name), 'a line');
  fs.writeFileSync(path.join(work, 'upload', 'other'), 'not ours');
  spawnSync('ssh-keygen', ['-q', '-t', 'rsa', '-m', 'PEM', '-N', '', '-f', path.join(work, 'key')]);
  const requests: string[] = [];
  let answer = 500;
  const manta = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    requests.push(`${request.method} ${request.url} ${body}`.trim());
    t.match(
      request.headers.authorization,
      /^Signature keyId="\/poseidon\/keys\/([0-9a-f]{2}:?){16}",algorithm="rsa-sha256"/,
    );
    response.writeHead(answer);
    response.end();
  });
  await new Promise<void>((resolve) => manta.listen(0, '127.0.0.1', resolve));
  t.teardown(() => manta.close());
  const config = path.join(work, 'logpush.json');
  const { port } = manta.address() as AddressInfo;
  const key = {
    user: 'poseidon',
    host: `127.0.0.1:${port}`,
    keypath: path.join(work, 'key'),
    logroot: '/poseidon/stor/logs',
  };
  fs.writeFileSync(config, JSON.stringify({ logroot: path.join(work, 'upload'), manta: key }));
  const script = fileURLToPath(new URL('../../../../tools/deploy/smartos/logpush.sh', import.meta.url));
  const bin = fileURLToPath(new URL('../../../bin', import.meta.url));
  const push = (...args: readonly string[]) =>
    new Promise<{ status: number | null; stdout: string }>((resolve) => {
      const child = spawn('bash', [script, ...args], {
        env: { PATH: `${bin}:${process.env['PATH']}`, MARLIN_LOGPUSH_LOCK: path.join(work, 'lock') },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let stdout = '';
      child.stdout.on('data', (chunk) => (stdout += String(chunk)));
      child.on('close', (status) => resolve({ status, stdout }));
    });
  t.match((await push('-n', config)).stdout, /^(dry-run: curl \.\.\. http:\S+\n){6}Processed all files\.\n$/);
  t.equal((await push(config)).stdout, 'Processed all files.\n');
  t.ok(fs.existsSync(path.join(work, 'upload', name)), 'what did not arrive is kept');
  answer = 204;
  requests.length = 0;
  await push(config);
  const at = '/poseidon/stor/logs/marlin-agent';
  t.same(requests, [
    ...[at, `${at}/2026`, `${at}/2026/03`, `${at}/2026/03/01`, `${at}/2026/03/01/23`].map((path) => `PUT ${path}`),
    `PUT ${at}/2026/03/01/23/f2a1b0c9.log a line`,
  ]);
  t.same(fs.readdirSync(path.join(work, 'upload')), ['other']);
  fs.writeFileSync(config, '{"logroot":"/x"}');
  t.equal((await push(config)).status, 1);
});
