import path from 'node:path';
import t from 'tap';
import { toolsDirectory } from '../../support/lackey.js';
import { execute } from '../../support/one-box.js';

const ctrun = (args: readonly string[]) => execute(path.join(toolsDirectory, 'ctrun'), args, {});
const shell = (script: string) => ctrun(['-i', 'core', '-l', 'child', '/bin/bash', '-c', script]);

t.test('runs a command as its parent, and ends as that does', async (t) => {
  t.same(await shell('cat /proc/$PPID/comm; exit 7'), { status: 7, stdout: 'ctrun\n', stderr: '' });
  t.equal((await shell('kill -TERM $$')).status, 128 + 15);
});

t.test('keys that interrupt or quit are the command’s affair', async (t) => {
  const { status, stdout } = await shell('kill -INT $PPID; kill -QUIT $PPID; sleep 0.2; echo on');
  t.same([status, stdout], [0, 'on\n']);
  t.equal(
    (await shell('ulimit -c 0; exec perl -e "kill QUIT => \\$\\$"')).status,
    128 + 3,
    'the command itself does not ignore them',
  );
});

t.test('what is not understood exits 2 with the usage', async (t) => {
  for (const args of [[], ['-i', 'core'], ['-q', 'true'], ['-l']]) {
    const { status, stderr } = await ctrun(args);
    t.equal(status, 2, args.join(' '));
    t.match(stderr, /^usage: ctrun \[-i EVENT,\.\.\.\] .* COMMAND \[ARGUMENT\.\.\.\]$/m);
  }
});
