/** What a service logs must never end it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
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

t.test('a line that was cut does not swallow the next one', async (t) => {
  const file = path.join(t.testdir(), 'log');
  const logger = `
    import { createLogger } from ${JSON.stringify(`file://${logging}`)};
    const log = createLogger({ name: 'cut', file: ${JSON.stringify(file)} });`;
  // For as long as there is room for one KiB, at the end of which a write is short as on a full disk.
  const filling = `${logger}
    import { spawnSync } from 'node:child_process';
    for (let count = 0; count < 20; count++) log.info('filling');
    spawnSync('prlimit', ['--fsize=100000:', '--pid', String(process.pid)]);
    log.info('room again');`;
  const script = `trap '' XFSZ; ulimit -S -f 1; exec "$0" --input-type=module -e "$1"`;
  const { status, stderr } = spawnSync('bash', ['-c', script, process.execPath, filling], { encoding: 'utf8' });
  t.equal(status, 0, stderr);
  t.match(stderr, /: a line was cut\n/);
  const messages = () =>
    fs
      .readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => {
        try {
          return (JSON.parse(line) as { readonly msg: string }).msg;
        } catch {
          return 'cut';
        }
      });
  t.same(messages().slice(-3), ['filling', 'cut', 'room again']);
  fs.appendFileSync(file, '{"name":');
  spawnSync(process.execPath, ['--input-type=module', '-e', `${logger} log.info('started again');`]);
  t.same(messages().slice(-3), ['room again', 'cut', 'started again']);
});
