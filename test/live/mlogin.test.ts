/** Interactive sessions with the published `mlogin`, on a terminal, in a zone without a network. */
import t from 'tap';
import { startOneBox } from '../support/one-box.js';

t.test('mlogin: a shell beside the object', { timeout: 180_000 }, async (t) => {
  const box = await startOneBox(t);
  await box.put('~~/stor/poem', 'to be or not\n');

  const session = box.onTerminal('mlogin ~~/stor/poem');
  await session.until(/created interactive job -- (\S+)/);
  const jobId = /job -- ([0-9a-f-]{36})/.exec(session.shown())?.[1] ?? '';
  await session.until(/established/);
  await session.until(/marlin_test@manta # /);
  session.type('echo "$(cat $MANTA_INPUT_FILE) = $MANTA_INPUT_OBJECT"\r');
  await session.until(/\nto be or not = \/marlin_test\/stor\/poem\n/);

  session.type('stty size\r');
  await session.until(/\n24 80\n/);
  session.resize(101, 33);
  // What is typed may overtake the new size.
  session.type('until [ "$(stty size)" = "33 101" ]; do sleep 0.1; done; stty size; echo $TERM\r');
  await session.until(/\n33 101\nxterm\n/);

  session.type('(echo $((600+66)); exec sleep 1000)\r');
  await session.until(/\n666\n/);
  session.type('\x03');
  await session.until(/\^C.*manta # /s);
  session.type('echo status=$?\r');
  await session.until(/\nstatus=130\n/);
  session.type('head -c 3000000 /dev/zero | tr "\\0" x | fold -w 100; echo; echo all\r');
  await session.until(/\nall\n/);
  t.ok(session.shown().length > 3_000_000, 'much output arrives whole');
  session.type('mls ~~/stor\r');
  await session.until(/\npoem\n/);
  t.notMatch(session.shown(), 'medusa-config', 'the agent has removed its configuration');

  session.type('exit\r');
  await session.until(/remote process exited/);
  t.equal(await session.ended, 0);
  const done = await box.run(`mjob watch ${jobId} | json state cancelled stats.errors stats.outputs`);
  t.same(done.stdout.trim().split('\n'), ['done', 'false', '0', '1'], done.stdout);

  const command = box.onTerminal('mlogin -q -c "echo in the zone: $((6*7)); tty"');
  t.equal(await command.ended, 0, command.shown());
  t.match(command.shown(), /in the zone: 42\n\/dev\/pts\/\d+\n/);

  const missing = box.onTerminal('mlogin ~~/stor/none');
  t.equal(await missing.ended, 1);
  const piped = await box.run('mlogin ~~/stor/poem');
  t.match(piped.stdout + piped.stderr, 'stdin is not a TTY');
});
