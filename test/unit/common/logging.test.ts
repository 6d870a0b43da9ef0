/** What a service logs must never end it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const logging = fileURLToPath(new URL('../../../src/common/logging.js', import.meta.url));
const program = `
  import { createLogger } from ${JSON.stringify(`file://${logging}`)};
  const log = createLogger({ name: 'full', file: '/dev/full' });
  log.info('one');
  setImmediate(() => {
    log.info('two');
    setImmediate(() => process.stdout.write('goes on'));
  });
`;

function run(standardError: 'pipe' | number): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', standardError],
  });
}

t.test('with the disk full, lines are lost, and standard error says so', async (t) => {
  const { status, stdout, stderr } = run('pipe');
  t.equal(status, 0);
  t.equal(stdout, 'goes on');
  t.match(stderr, /^cannot write to \/dev\/full: ENOSPC.*\ncannot write to \/dev\/full: ENOSPC.*\n$/);
});

t.test('with standard error on the same full disk, the service goes on all the same', async (t) => {
  const full = fs.openSync('/dev/full', 'w');
  t.teardown(() => fs.closeSync(full));
  const { status, stdout } = run(full);
  t.equal(status, 0);
  t.equal(stdout, 'goes on');
});
