/** What runs the tests must not pass over a failure, whatever form it has. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const tools = fileURLToPath(new URL('../../../tools/build', import.meta.url));
const count = path.resolve(tools, '../../../tools/build/count-tests.cjs');

// biome-ignore format: table
const files = {
  'passes.js':  "console.log('TAP version 14\\nok 1 - a\\nok 2 - b\\n1..2')",
  'fails.js':   "console.log('TAP version 14\\nok 1 - a\\nnot ok 2 - b\\n1..2'); process.exitCode = 1",
  'crashes.js': "console.log('TAP version 14\\nok 1 - a'); process.kill(process.pid, 'SIGKILL')",
  'silent.js':  "import { spawn } from 'node:child_process'; spawn('sleep', ['9'], { stdio: 'inherit' }).unref(); console.log('ok 1')",
};

t.test('a file is a subtest, and its end decides', async (t) => {
  const directory = t.testdir(files);
  const run = (...names: (keyof typeof files)[]) => {
    const args = [path.join(tools, 'run-tests.js'), ...names.map((name) => path.join(directory, name))];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    const log = path.join(directory, 'log');
    const counted = spawnSync('bash', ['-c', `cat >"$0"; node "$1" "$0" ${status}`, log, count], { input: stdout });
    return { status, stdout, counted: counted.stdout.toString().trim(), countStatus: counted.status };
  };
  const passed = run('passes.js');
  t.match(
    passed.stdout,
    /^# Subtest: .*passes\.js\n {4}ok 1 - a\n {4}ok 2 - b\n {4}1\.\.2\n\nok 1 - .*passes\.js # time/m,
  );
  t.match(passed, { status: 0, counted: '2 passed, 0 failed', countStatus: 0 });
  t.match(run('passes.js', 'fails.js'), { status: 1, counted: '3 passed, 1 failed', countStatus: 1 });
  const crashed = run('crashes.js', 'passes.js');
  t.match(crashed, { status: 1, counted: '3 passed, 1 failed', countStatus: 1 });
  t.match(crashed.stdout, /problem: ended with SIGKILL/);
  t.match(run('silent.js'), { status: 0, counted: '1 passed, 0 failed' }, 'what it leaves running holds up nothing');
  t.match(run(), { status: 1 }, 'no file at all is no success');
});
