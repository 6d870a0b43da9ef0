/** Programs of the zone drivers: real ones, run by the real helper process. */
import tap from 'tap';
import { holdCommand, runCommand } from '../../../src/agent/zones/drivers/commands.js';

tap.test('gives what the command printed', async (t) => {
  t.equal(await runCommand('bash', ['-c', 'echo "$1"; echo other >&2', 'name', 'an  argument']), 'an  argument\n');
});

tap.test('a command that fails is named, with its status and its error output', async (t) => {
  const failing = runCommand('bash', ['-c', 'echo out; echo broken >&2; exit 7']);
  await t.rejects(failing, { name: 'CommandError', message: /^command "bash -c .*" failed .*broken: exit status 7$/ });
  await t.rejects(runCommand('bash', ['-c', 'kill -KILL $$']), { message: /SIGKILL$/ });
  await t.rejects(runCommand('/no/such/program', ['x']), { name: 'CommandError', message: /ENOENT/ });
});

tap.test('many run at once', async (t) => {
  const outputs = await Promise.all(Array.from({ length: 50 }, (_, index) => runCommand('echo', [String(index)])));
  t.strictSame(
    outputs,
    Array.from({ length: 50 }, (_, index) => `${index}\n`),
  );
});

tap.test('what a command leaves with the socket keeps it open, and ends when we let go', async (t) => {
  const held = await holdCommand('bash', ['-c', '(read -r _ <&3; :) & exit 5']);
  t.equal(held.status, 5);
  let gone = false;
  held.gone.then(() => {
    gone = true;
  });
  await runCommand('true', []); // a round trip later
  t.equal(gone, false);
  held.release();
  t.equal(await held.gone, 'gone');
});

tap.test('when what a command left ends on its own, that is known', async (t) => {
  const held = await holdCommand('bash', ['-c', '(sleep 0.01) & exit 0']);
  t.equal(held.status, 0);
  await held.gone;
});

tap.test('a program that is not there cannot be held', async (t) => {
  const { status } = await holdCommand('/no/such/program', []);
  t.match(String(status), /ENOENT/);
});

tap.test('a killed helper ends what it holds and fails what it runs; the next command has another', async (t) => {
  const helper = Number(await runCommand('bash', ['-c', 'echo $PPID']));
  const held = await holdCommand('bash', ['-c', '(read -r _ <&3; :) & exit 0']);
  const running = runCommand('cat', []); // its input ends with the helper
  const failed = t.rejects(running, { message: /was killed$/ });
  process.kill(helper, 'SIGKILL');
  await failed;
  t.equal(await held.gone, 'helper lost');
  const next = Number(await runCommand('bash', ['-c', 'echo $PPID']));
  t.not(next, helper);
});

tap.test('signals for the whole group do not end it', async (t) => {
  const helper = Number(await runCommand('bash', ['-c', 'echo $PPID']));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(helper, signal);
  t.equal(Number(await runCommand('bash', ['-c', 'echo $PPID'])), helper);
});
