/** `marlin up` and its neighbours, as an operator uses them. */
import fs from 'node:fs';
import t from 'tap';
import { runJob } from '../support/jobs.js';
import { execute, marlinCommand, startOneBox } from '../support/one-box.js';

t.test('a one-box: its command line, its environment, mistakes', { timeout: 180_000 }, async (t) => {
  const box = await startOneBox(t);

  const second = await execute(marlinCommand, ['up', '--data', box.data, '--port-base', '0'], {});
  t.equal(second.status, 1);
  t.match(second.stderr, /is in use by process \d+ \(another "marlin up"\): stop that one first/);

  const env = await execute(marlinCommand, ['env', '--data', box.data], {});
  t.equal(env.status, 0);
  for (const name of ['MORAY_URL', 'MAHI_URL', 'MANTA_URL', 'MANTA_USER', 'MANTA_KEY_ID', 'MANTA_KEY'])
    t.match(env.stdout, new RegExp(`^export ${name}=`, 'm'));
  const nothing = await execute(marlinCommand, ['env', '--data', `${box.data}/none`], {});
  t.equal(nothing.status, 1);
  t.match(nothing.stderr, /no Marlin is up in/);
  // biome-ignore format: table
  const misused: readonly [args: readonly string[], message: RegExp][] = [
    [['up'], /--data DIR is required/],
    [['up', '--data', `${box.data}/none`, 'extra'], /unexpected argument: extra/],
    [['up', '--data', `${box.data}/none`, '--port-base', '65530'], /--port-base: must be 0 to 65526, is 65530/],
  ];
  for (const [args, message] of misused) {
    const answer = await execute(marlinCommand, args, {});
    t.equal(answer.status, 2, 'a usage error');
    t.match(answer.stderr, message);
  }
  t.notOk(fs.existsSync(`${box.data}/none`), 'which leaves nothing behind');
  const stranger = await execute(marlinCommand, ['up', '--data', `${box.data}/none`, '--account', '../x'], {});
  t.match(stranger.stderr, /"..\/x" cannot be the login of an account: it takes a letter/);
  const nowhere = await execute(marlinCommand, ['up', '--data', '/proc/marlin'], {});
  t.same(nowhere, {
    status: 1,
    stdout: '',
    stderr: "marlin: ENOENT: no such file or directory, mkdir '/proc/marlin'\n",
  });
  for (const [images, message] of [
    [`${box.data}/nowhere`, /^marlin: images: ENOENT: no such file or directory, scandir '.+\/nowhere'\n$/],
    [`${box.data}/etc`, /^marlin: no directory in ".+\/etc" is called like an image, such as base-17\.4\.0\n$/],
  ] as const) {
    const other = `${box.data}/other`;
    const { status, stderr } = await execute(marlinCommand, ['up', '--data', other, '--images', images], {});
    t.equal(status, 1);
    t.match(stderr, message);
  }
  const again = await execute(marlinCommand, ['frontdoor', `${box.data}/etc/frontdoor.json`], {});
  t.equal(again.status, 1);
  t.match(
    again.stderr,
    /^marlin: listen EADDRINUSE: address already in use [0-9.:]+\n$/m,
    'a sentence, no stack trace',
  );

  await box.put('~~/stor/obj1', 'one two three');
  const wc = await box.run('echo ~~/stor/obj1 | mjob create -o -m "wc -w"');
  t.equal(wc.stdout.trim(), '3', wc.stderr);

  const token = await box.run('marlin token');
  t.match(token.stdout.trim(), /^\S{40,}$/, token.stderr);
  const submitted = await box.run(`mrjob submit -t "$(marlin token)" -m "wc -c" -n direct`);
  t.equal(submitted.status, 0, submitted.stderr);
  const id = submitted.stdout.trim();
  const steps = await box.run(
    `mrjob addkeys ${id} /${box.login}/stor/obj1 /${box.login}/stor/none && mrjob endinput ${id} && mjob watch ${id} > /dev/null && mrjob outputs ${id} && mrjob errors ${id} && mrjob inputs ${id} && mrjob list -s all`,
  );
  t.equal(steps.status, 0, steps.stderr);
  t.match(steps.stdout, /obj1\.0\./);
  t.match(steps.stdout, `phase 0: input "/${box.login}/stor/none": no such object: "/${box.login}/stor/none"`);
  const shown = await box.run(`mrjob get ${id} && mrjob where ${id}`);
  t.match(shown.stdout, /State done/);
  t.match(shown.stdout, /1 outputs, 1 errors, 0 retries/);

  const malformed = await box.run(
    `curl -s -X POST -H 'content-type: application/json' -d '{"phases":[{"exec":5}]}' "$MANTA_URL/$MANTA_USER/jobs" -H "authorization: Token $(marlin token)"`,
  );
  t.match(
    malformed.stdout,
    /property \\"phases\[0\]\.exec\\": number value found, but a string is required/,
    malformed.stdout,
  );

  const failing = await box.run('echo ~~/stor/obj1 | mjob create -w -m "ls /nothing/here"');
  t.equal(failing.status, 1);
  t.match(failing.stderr, /job \S+ had 1 error/);
  const failed = await box.run(`mget $(mjob errors ${failing.stdout.trim()} | json stderr)`);
  t.match(failed.stdout, /No such file or directory/, failed.stderr);

  const many = await runJob(
    box,
    [{ exec: 'cat' }, { type: 'reduce', exec: 'cat', count: 2 }],
    Array.from({ length: 30 }, () => `/${box.login}/stor/obj1`),
  );
  t.equal(many.contents.join('').length, 30 * 'one two three'.length, 'every input reaches exactly one reducer');
});

t.test('a one-box goes on when nobody can take what it prints', { timeout: 120_000 }, async (t) => {
  const work = t.testdir();
  const script = `"$0" up --data "$1/data" --port-base 0 --driver process --ready-file "$1/ready" >/dev/full & up=$!
    until [ -s "$1/ready" ] || ! kill -0 $up; do sleep 0.1; done; kill $up && wait $up`;
  const { status, stderr } = await execute('bash', ['-c', script, marlinCommand, work], { env: process.env });
  t.equal(status, 0, stderr);
});
