/** The scripts of developers and packagers, with commands of the platform that only write down how they were called. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { commandWith } from '../../support/mrjob.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

interface World {
  readonly directory: string;
  readonly calls: () => string;
  readonly run: (script: string, args?: readonly string[], env?: NodeJS.ProcessEnv) => Ran;
}
interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param commands scripts by name. */
function worldOf(directory: string, commands: Readonly<Record<string, string>>): World {
  const log = path.join(directory, 'calls');
  const bin = path.join(directory, 'bin');
  fs.mkdirSync(bin);
  fs.writeFileSync(log, '');
  for (const [name, script] of Object.entries(commands)) {
    fs.writeFileSync(path.join(bin, name), `#!/bin/bash\necho "${name} $*" >>${log}\n${script}\n`, { mode: 0o755 });
  }
  return {
    directory,
    calls: () => fs.readFileSync(log, 'utf8'),
    run(script, args = [], env = {}) {
      const options = { env: { PATH: `${bin}:${process.env['PATH']}`, ...env }, encoding: 'utf8' } as const;
      const { status, stdout, stderr } = spawnSync('bash', [path.join(root, script), ...args], options);
      return { status, stdout, stderr };
    },
  };
}

t.test('mru points the systemd service at a workspace, and back', async (t) => {
  const world = worldOf(t.testdir(), { systemctl: '' });
  const env = { MARLIN_SYSTEMD_ETC: world.directory };
  const drop = path.join(world.directory, 'marlin-agent.service.d', 'workspace.conf');
  const there = world.run('dev/tools/mru', [], env);
  t.match(there, { status: 0, stdout: /^Marlin Upgrade from .*\nsystemctl restart marlin-agent\n$/ });
  t.match(fs.readFileSync(drop, 'utf8'), /\nExecStart=\/.*\/build\/bin\/marlin agent \/etc\/marlin\/agent\.json\n/);
  t.equal(world.run('dev/tools/mru', ['-r'], env).status, 0);
  t.notOk(fs.existsSync(path.dirname(drop)));
  t.equal(world.calls(), 'systemctl daemon-reload\n'.repeat(2));
  t.match(world.run('dev/tools/mru', ['/nowhere'], env), {
    status: 2,
    stderr: /^mru: not a directory: \/nowhere\nusage: /,
  });
  t.match(world.run('dev/tools/mru', [world.directory], env), { status: 1, stderr: /build\/bin\/marlin not found/ });
});

t.test('mru points the SMF service at a workspace', async (t) => {
  const imported = path.join(t.testdirName, 'imported');
  const world = worldOf(t.testdir(), { svcs: '', svcadm: '', svccfg: `[ "$1" != import ] || cp "$2" ${imported}` });
  const { status, stdout } = world.run('dev/tools/mru');
  t.equal(status, 0);
  t.match(stdout, /\nsvcadm enable marlin-agent\n$/);
  t.match(
    world.calls(),
    /^svcs marlin-agent\nsvcadm disable -s marlin-agent\nsvccfg delete marlin-agent\nsvccfg import /,
  );
  const manifest = fs.readFileSync(imported, 'utf8');
  t.notMatch(manifest, /@@/);
  t.match(manifest, `exec="${path.resolve(root)}/build/node/bin/node`);
});

t.test('the agent package remembers over an upgrade that its service was on', async (t) => {
  const world = worldOf(t.testdir({ smf: {} }), { svcs: 'echo online', svcadm: '', svccfg: 'echo "<exported/>"' });
  const at = (name: string) => path.join(world.directory, name);
  const env = { npm_config_smfdir: at('smf'), npm_package_version: '0.1.0', MARLIN_ETC: at('etc') };
  t.match(world.run('tools/deploy/npm/postinstall.sh'), { status: 0, stdout: /^Skipping Marlin postinstall/ });
  t.equal(world.run('tools/deploy/npm/postinstall.sh', [], env).status, 0);
  t.match(fs.readFileSync(at('smf/marlin-agent.xml'), 'utf8'), /Marlin agent 0\.1\.0/);
  t.notMatch(world.calls(), /svcadm enable/);
  t.equal(world.run('tools/deploy/npm/preuninstall.sh', [], env).status, 0);
  t.notOk(fs.existsSync(at('smf/marlin-agent.xml')));
  t.ok(fs.existsSync(at('etc/enabled')));
  t.equal(world.run('tools/deploy/npm/postinstall.sh', [], env).status, 0);
  t.match(world.calls(), /svcadm enable marlin-agent\nsvccfg export marlin-agent\n$/);
  t.notOk(fs.existsSync(at('etc/enabled')));
});

t.test('log expiry removes what is older than 14 days', async (t) => {
  const world = worldOf(t.testdir({ logs: { old: '', new: '' } }), {});
  const logs = path.join(world.directory, 'logs');
  const then = new Date(Date.now() - 16 * 86_400_000);
  fs.utimesSync(path.join(logs, 'old'), then, then);
  t.equal(world.run('tools/deploy/smartos/mrlogexpire.sh', [], { MARLIN_ZONE_LOGS: logs }).status, 0);
  t.same(fs.readdirSync(logs), ['new']);
});

t.test('logadm entries stand before the one for all SMF logs', async (t) => {
  const world = worldOf(t.testdir(), {
    logadm: 'while [ $# -gt 1 ]; do [ "$1" = -w ] && echo "$2 ..." >>"$conf"; [ "$1" = -f ] && conf=$2; shift; done',
  });
  const conf = path.join(world.directory, 'logadm.conf');
  fs.writeFileSync(conf, 'cron ...\nsmf_logs ...\n');
  const env = { MARLIN_LOGADM_CONF: conf, MARLIN_UPLOAD: path.join(world.directory, 'upload') };
  t.match(world.run('tools/deploy/smartos/mrlogadmconf.sh', [], env), { status: 0, stdout: 'updated logadm.conf\n' });
  t.equal(fs.readFileSync(conf, 'utf8'), 'cron ...\nmarlin-agent ...\nmbackup ...\nsmf_logs ...\n');
});

t.test('catest', async (t) => {
  const world = worldOf(
    t.testdir({
      'tst.good.sh': 'echo out',
      'tst.good.sh.out': 'out\n',
      'tst.bad.js': 'process.exit(3)',
      'tst.differs.sh': 'echo other',
      'tst.differs.sh.out': 'out\n',
      'tst.strange.py': '',
      output: {},
    }),
    {},
  );
  const at = (name: string) => path.join(world.directory, name);
  const names = ['tst.good.sh', 'tst.bad.js', 'tst.differs.sh', 'tst.strange.py'];
  const ran = world.run('dev/tools/catest', ['-o', at('output'), '-t', at('tap'), ...names.map(at)]);
  t.equal(ran.status, 3, 'the number of failures');
  t.match(ran.stdout, /Executing test .*tst\.good\.sh \.\.\. success\.\n/);
  t.match(ran.stdout, /\n {4}Tests passed: 1\/4\n {4}Tests failed: 3\/4\n$/);
  t.match(
    fs.readFileSync(at('tap'), 'utf8'),
    /^1\.\.4\nok 1 .*tst\.good\.sh\nnot ok 2 .*\nnot ok 3 .*\nnot ok 4 .*tst\.strange\.py\n$/,
  );
  const [kept = ''] = fs.readdirSync(at('output'));
  const reasons = [1, 2, 3].map((n) => fs.readFileSync(at(`output/${kept}/failure.${n}/README`), 'utf8'));
  t.match(reasons, [/test returned 3\n/, /output differs/, /unknown file extension/]);
  t.match(world.run('dev/tools/catest'), { status: 2, stderr: /^catest: must specify "-a" or list of tests\nusage: / });
  t.match(world.run('dev/tools/catest', ['/nowhere']), { status: 1, stderr: 'catest: cannot find test /nowhere\n' });
  const bare = world.run('dev/tools/catest', ['-a'], { MANTA_URL: '' });
  t.match(bare, { status: 1, stderr: /^ERROR: required environment variables not set: MANTA_URL/ });
});

t.test('mrextractjob finds the dumps, runs a job over them, and its phase keeps the lines of one job', async (t) => {
  const dump = '/poseidon/stor/dumps/marlin_jobs_v2-2026.gz';
  const world = worldOf(t.testdir({ out: {} }), {
    mfind: `printf '%s\\n' ${dump} /poseidon/stor/dumps/manta_1`,
    mjob: `printf '%s' "\${@: -1}" >"$WORLD/phase"; cat >"$WORLD/inputs"`,
    mls: 'echo "a listing"',
    mpipe: 'cat >"$WORLD$1"',
    node: 'cat',
  });
  const PATH = `${world.directory}/bin:${process.env['PATH']}`;
  const env = { PATH, WORLD: world.directory };
  const run = commandWith('mrextractjob', env);
  t.same(await run('/poseidon/stor/dumps', '/out', 'job-1'), {
    status: 0,
    stdout: 'mls -l "/out":\na listing\n',
    stderr: '',
  });
  const file = (name: string) => fs.readFileSync(path.join(world.directory, name), 'utf8');
  t.equal(file('inputs'), `${dump}\n`);
  t.match(world.calls(), /mjob create -w -s \S+mola\.tar\.gz --init cd .* --memory 4096 -m /);
  const line = (jobId: string) => JSON.stringify({ entry: [JSON.stringify({ jobId })] });
  const rows = ['{"keys":["_value"]}', line('job-1'), line('job-2'), line('job-10')].join('\n');
  const phase = spawnSync('bash', ['-c', file('phase')], {
    env: { ...env, MANTA_INPUT_OBJECT: dump },
    input: gzipSync(`${rows}\n`),
  });
  t.equal(phase.status, 0, String(phase.stderr));
  t.equal(file('out/jobs.json'), `{"keys":["_value"]}\n${line('job-1')}\n`);
  t.match(await run('/a', '/b'), { status: 2, stderr: 'usage: mrextractjob dump_path out_path jobid\n' });
  t.match(await run('/a', '/b', 'x y'), { status: 2, stderr: /^mrextractjob: "x y" is no job id\n/ });
});
