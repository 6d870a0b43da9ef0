/**
 * The published commands with their options, unmodified, against a front door without zones. Each is a process of its
 * own that takes half a second to start.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { finishJob } from '../../support/finished-job.js';
import { type AskOptions, startTestFrontdoor } from '../../support/frontdoor.js';
import { execute } from '../../support/one-box.js';

const { run, ask, onTerminal, url, moray, accounts } = await startTestFrontdoor(t);

t.setTimeout(300_000);

const put = async (name: string, body: string | Buffer, options: AskOptions = {}) =>
  t.equal((await ask('PUT', `/wilma/stor/${name}`, { ...options, body })).status, 204, `put ${name}`);
const makeDirectory = (name: string) =>
  put(name, '', { headers: { 'content-type': 'application/json; type=directory' } });
const get = async (name: string) => (await ask('GET', `/wilma/stor/${name}`)).body;
const head = async (name: string) => (await ask('HEAD', `/wilma/stor/${name}`)).headers;

/** @returns what the command prints; it must succeed. */
async function ok(command: string, args: readonly string[], stdin?: string | Buffer): Promise<string> {
  const { status, stdout, stderr } = await run(command, args, stdin === undefined ? {} : { stdin });
  t.equal(status, 0, `${command} ${args.join(' ')}${status === 0 ? '' : `: ${stderr}`}`);
  return stdout;
}

t.test('mls: formats, orders, types, many entries', async (t) => {
  t.equal(await ok('mls', ['~~']), 'jobs/\npublic/\nreports/\nstor/\nuploads/\n', 'every account has its roots');
  t.equal(await ok('mls', []), '', 'which are empty');
  await makeDirectory('ls');
  await makeDirectory('ls/dir');
  for (const [name, body] of [
    ['b', '22'],
    ['a', '1'.repeat(2048)],
    ['c', '333'],
  ] as const)
    await put(`ls/${name}`, body);
  t.equal(await ok('mls', ['~~/stor/ls']), 'a\nb\nc\ndir/\n');
  t.equal(await ok('mls', ['-r', '~~/stor/ls']), 'dir/\nc\nb\na\n');
  t.equal(await ok('mls', ['-t', '~~/stor/ls']), 'c\na\nb\ndir/\n', 'newest first');
  t.equal(await ok('mls', ['--type', 'o', '~~/stor/ls']), 'a\nb\nc\n');
  t.equal(await ok('mls', ['--type', 'd', '~~/stor/ls']), 'dir/\n');
  t.equal(await ok('mls', ['-m', 'b', '~~/stor/ls']), 'b\nc\ndir/\n', 'from a marker on');
  t.match(await ok('mls', ['-l', '-h', '~~/stor/ls']), /^-rwxr-xr-x 1 wilma +2K \w+ \d\d \d\d:\d\d a\n/);
  t.match(JSON.parse((await ok('mls', ['-j', '~~/stor/ls/b'])).trim()), {
    name: 'b',
    size: 2,
    type: 'application/octet-stream',
  });
  t.match(
    (await ok('mls', ['--fulljson', '~~/stor/ls']))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [
      { name: 'a', etag: String, contentMD5: String, durability: 2 },
      { name: 'b', contentType: 'application/octet-stream' },
      { name: 'c' },
      { name: 'dir', type: 'directory' },
    ],
  );
  t.match((await run('mls', ['~~/stor/ls/none'])).stderr, /ResourceNotFound|NotFound/);

  await makeDirectory('many');
  const names = Array.from({ length: 1100 }, (_, n) => `n${String(n).padStart(4, '0')}`);
  const [owner, dirname] = [accounts.wilma.uuid, `/${accounts.wilma.uuid}/stor/many`];
  const requests = names.map((name) => {
    const key = `${dirname}/${name}`;
    const value = { dirname, key, name, headers: {}, mtime: 0, owner, creator: owner, roles: [], type: 'directory' };
    return { operation: 'put', bucket: 'manta', key, value } as const;
  });
  await moray.client.batch(requests);
  const shown = names.map((name) => `${name}/\n`).join('');
  t.equal(await ok('mls', ['~~/stor/many']), shown, 'pages are joined without gap or double');
});

t.test('mput, mget: files, headers, digests, parents, copies', async (t) => {
  const directory = t.testdir();
  const bytes = crypto.randomBytes(300_000);
  const file = path.join(directory, 'data.txt');
  fs.writeFileSync(file, bytes);
  await makeDirectory('io');
  await ok('mput', ['-q', '-f', file, '~~/stor/io']);
  t.match(await head('io/data.txt'), { 'content-length': '300000', 'content-type': 'text/plain' }, 'a name is added');
  const described = [
    '-m',
    '-c',
    '1',
    '-H',
    'm-colour: red',
    '-H',
    'content-type: text/odd',
    '-H',
    'max-content-length: 9',
  ];
  await ok('mput', ['-q', '-p', ...described, '-f', file, '~~/stor/io/new/deep/x']);
  t.match(await head('io/new/deep/x'), { 'm-colour': 'red', 'content-type': 'text/odd', 'durability-level': '1' });
  await ok('mput', ['-q', '-H', 'max-content-length: 4', '~~/stor/io/chunked'], 'four');
  t.match(
    (await run('mput', ['-q', '-H', 'max-content-length: 3', '~~/stor/io/long'], { stdin: 'four' })).stderr,
    /exceeded/,
  );
  t.match((await run('mput', ['-q', '-c', '99', '~~/stor/io/x'], { stdin: 'x' })).stderr, /durability-level must be/);
  t.match((await run('mput', ['-q', '~~/stor/no/such/x'], { stdin: 'x' })).stderr, 'DirectoryDoesNotExistError');
  const odd = '~~/stor/io/sp ace "quoted" 100% #1 ü\\b?&=+';
  await ok('mput', ['-q', odd], 'odd');
  t.equal(await ok('mget', ['-q', odd]), 'odd', 'names may contain anything');
  await ok('mput', ['-q', '-H', 'content-md5: XrY7u+Ae7tCTyyK7j1rNww==', '~~/stor/io/right'], 'hello world');
  const wrong = ['-q', '-H', 'content-md5: AAAAAAAAAAAAAAAAAAAAAA==', '~~/stor/io/wrong'];
  t.match((await run('mput', wrong, { stdin: 'hello world' })).stderr, /ContentMD5Mismatch|expected/);

  const into = path.join(directory, 'into');
  await ok('mget', ['-q', '-o', into, '~~/stor/io/data.txt']);
  t.ok(fs.readFileSync(into).equals(bytes), 'mget -o');
  t.equal(await ok('mget', ['-q', '~~/stor/io/chunked', '~~/stor/io/right']), 'fourhello world', 'several in a row');
  t.equal(await ok('mget', ['-q', '-H', 'range: bytes=1-2', '~~/stor/io/chunked']), 'ou');
  const etag = String((await head('io/right')).etag);
  t.match(
    (await run('mget', ['-q', '-H', 'if-match: other', '~~/stor/io/right'])).stderr,
    /PreconditionFailed|if-match/,
  );
  t.equal(await ok('mget', ['-q', '-H', `if-match: ${etag}`, '~~/stor/io/right']), 'hello world');
});

t.test('mmkdir, mln, mrm, mrmdir, mfind, mmd5, minfo', async (t) => {
  await ok('mmkdir', ['~~/stor/fs']);
  await ok('mmkdir', ['~~/stor/fs/a', '~~/stor/fs/b']);
  t.match((await run('mmkdir', ['~~/stor/fs/x/y'])).stderr, /does not exist/);
  await ok('mmkdir', ['-p', '-H', 'm-kind: deep', '~~/stor/fs/x/y/z']);
  t.match(await head('fs/x/y/z'), { 'm-kind': 'deep' });
  await put('fs/a/one.txt', 'one');
  await put('fs/a/three.log', 'three');
  await put('fs/x/y/two.txt', 'twotwo');
  await ok('mln', ['~~/stor/fs/a/one.txt', '~~/stor/fs/linked.txt']);
  t.match((await run('mln', ['~~/stor/fs/none', '~~/stor/fs/l'])).stderr, /was not found/);
  const found = async (...args: readonly string[]) =>
    (await ok('mfind', [...args, '~~/stor/fs'])).trim().split('\n').sort();
  const at = (...names: readonly string[]) => names.map((name) => `/wilma/stor/fs/${name}`);
  t.same(await found('-t', 'o', '-n', '\\.txt$'), at('a/one.txt', 'linked.txt', 'x/y/two.txt'));
  t.same(await found('-t', 'd', '--maxdepth', '1'), at('a', 'b', 'x'));
  t.same(await found('-s', '4', '-t', 'o'), at('a/three.log', 'x/y/two.txt'), 'at least so large');
  t.notOk((await found('--mindepth', '2')).includes('/wilma/stor/fs/linked.txt'));
  t.equal((await found('-l', '2', '-p', '1')).length > 0, true, 'small pages');
  const digests = await ok('mmd5', ['~~/stor/fs/a/one.txt', '~~/stor/fs/x/y/two.txt']);
  t.match(digests, crypto.createHash('md5').update('one').digest('hex'));
  t.match(digests, crypto.createHash('md5').update('twotwo').digest('hex'));
  t.match(JSON.parse(await ok('minfo', ['-j', '~~/stor/fs/a/one.txt'])), { 'durability-level': '2' });
  t.match((await run('mrm', ['~~/stor/fs/a'])).stderr, /not an object/);
  t.match((await run('mrmdir', ['~~/stor/fs/a'])).stderr, /is not empty/);
  await ok('mrm', ['~~/stor/fs/a/one.txt', '~~/stor/fs/a/three.log']);
  await ok('mrmdir', ['~~/stor/fs/a', '~~/stor/fs/b']);
  await ok('mrm', ['-r', '-p', '2', '~~/stor/fs/x']);
  t.equal(await ok('mls', ['~~/stor/fs']), 'linked.txt\n');
  t.equal(await ok('mget', ['-q', '~~/stor/fs/linked.txt']), 'one', 'a link outlives its source');
});

t.test('mchattr, mchmod, roles, msign', async (t) => {
  await put('shared', 'for readers\n', { headers: { 'm-old': 'x' } });
  await ok('mchattr', ['-H', 'm-colour: red', '-H', 'content-type: text/odd', '~~/stor/shared']);
  t.match(await head('shared'), { 'm-colour': 'red', 'content-type': 'text/odd', 'm-old': undefined });
  t.not((await run('mget', ['-q', '--user', 'bob', '~~/stor/shared'])).status, 0, 'not for bob, so far');
  await ok('mchmod', ['--', '+readers', '~~/stor/shared']);
  t.match(await head('shared'), { 'role-tag': 'readers' });
  t.equal(await ok('mget', ['-q', '--user', 'bob', '~~/stor/shared']), 'for readers\n');
  t.equal(await ok('mget', ['-q', '--user', 'bob', '--role', 'readers', '~~/stor/shared']), 'for readers\n');
  t.not(
    (await run('mput', ['-q', '--user', 'bob', '~~/stor/shared'], { stdin: 'x' })).status,
    0,
    'he may read, no more',
  );
  await ok('mchmod', ['--', '-readers', '~~/stor/shared']);
  t.equal((await head('shared'))['role-tag'], undefined);
  await ok('mput', ['-q', '--role-tag', 'readers', '~~/stor/tagged'], 'x');
  t.match(await head('tagged'), { 'role-tag': 'readers' });
  t.match((await run('mchmod', ['--', '=nobody', '~~/stor/shared'])).stderr, /Role tag "nobody" is invalid/);

  const signed = async (...args: readonly string[]) => (await ok('msign', [...args, '~~/stor/shared'])).trim();
  const soon = String(Math.floor(Date.now() / 1000) + 60);
  t.equal(await (await fetch(await signed('-e', soon))).text(), 'for readers\n');
  t.equal(
    (await fetch(await signed('-E', '5m', '-m', 'GET', '-m', 'PUT'), { method: 'PUT', body: 'changed' })).status,
    204,
  );
  t.equal(await get('shared'), 'changed');
  t.equal((await fetch(await signed('-m', 'GET'), { method: 'DELETE' })).status, 403);
  t.equal((await fetch(await signed('-e', '1000000000'))).status, 403, 'expired');
});

t.test('msync, muntar', async (t) => {
  const directory = t.testdir({ tree: { a: 'one', sub: { b: 'two', 'skip.tmp': 'x' } }, back: {} });
  const tree = path.join(directory, 'tree');
  await ok('msync', ['-q', '-x', '*.tmp', tree, '~~/stor/synced']);
  t.equal(await get('synced/sub/b'), 'two');
  fs.writeFileSync(path.join(tree, 'a'), 'ONE');
  fs.rmSync(path.join(tree, 'sub', 'b'));
  await ok('msync', ['-q', '--md5', '-d', tree, '~~/stor/synced']);
  t.equal(await get('synced/a'), 'ONE', 'what changed is sent, also with the same size');
  t.equal((await ask('HEAD', '/wilma/stor/synced/sub/b')).status, 404, 'what went is removed');
  await ok('msync', ['-q', '-r', '~~/stor/synced', path.join(directory, 'back')]);
  t.equal(fs.readFileSync(path.join(directory, 'back', 'sub', 'skip.tmp'), 'utf8'), 'x', 'and back');
  const tar = path.join(directory, 'tree.tar');
  await execute('tar', ['-C', tree, '-cf', tar, 'a', 'sub'], {});
  await ok('muntar', ['-f', tar, '~~/stor/untarred']);
  t.equal(await get('untarred/a'), 'ONE');
  t.equal(await get('untarred/sub/skip.tmp'), 'x');
});

t.test('mjob: every subcommand, with a job that others carry out', async (t) => {
  await put('input', 'x');
  await put('input2', 'y');
  const options = ['--memory', '256', '--disk', '4', '--init', 'true', '-s', '/wilma/stor/input', '-n', 'thorough'];
  const created = await run('mjob', ['create', '-q', '--open', ...options, '-m', 'wc', '--count', '2', '-r', 'cat'], {
    stdin: '/wilma/stor/input\n',
  });
  const id = created.stdout.trim();
  t.match(id, /^[0-9a-f-]{36}$/, created.stderr);
  await ok('mjob', ['addinputs', '-o', id], '~~/stor/input2\n');
  t.equal(await ok('mjob', ['inputs', id]), '/wilma/stor/input\n/wilma/stor/input2\n');
  t.match(JSON.parse(await ok('mjob', ['get', id])), {
    name: 'thorough',
    inputDone: false,
    phases: [{ exec: 'wc' }, { count: 2 }],
  });
  await ok('mjob', ['close', id]);
  t.match(await ok('mjob', ['list', '-s', 'live', '-n', 'thorough']), id);
  t.match(await ok('mjob', ['list', '-l']), id);
  const watching = run('mjob', ['watch', id]);
  const outputs = ['/wilma/stor/input', '/wilma/stor/input2'];
  await finishJob(moray.client, id, { outputs: [], failures: ['/wilma/stor/input'] });
  t.match(JSON.parse((await watching).stdout), { id, state: 'done', stats: { errors: 1 } });
  t.match(JSON.parse(await ok('mjob', ['errors', id])), { code: 'UserTaskError', input: '/wilma/stor/input' });
  t.equal(await ok('mjob', ['failures', id]), '/wilma/stor/input\n');
  t.equal(await ok('mjob', ['outputs', id]), '');
  t.match((await run('mjob', ['cancel', id])).stderr, /is in state 'done'/);

  // One whose outputs are asked for: there are none to print when a task fails.
  const printing = run('mjob', ['create', '-o', '-n', 'printing', '-m', 'wc'], {
    stdin: '/wilma/stor/input\n/wilma/stor/input2\n',
  });
  const idOf = async (name: string): Promise<string> => {
    const { body } = await ask('GET', `/wilma/jobs?name=${name}`);
    return body === '' ? idOf(name) : JSON.parse(body).name;
  };
  const bad = await idOf('printing');
  while (!JSON.parse((await ask('GET', `/wilma/jobs/${bad}/live/status`)).body).inputDone);
  await finishJob(moray.client, bad, { outputs: ['/wilma/stor/input2'], failures: ['/wilma/stor/input'] });
  const printed = await printing;
  t.match(printed, { status: 1, stdout: '', stderr: `mjob create: error: job ${bad} had 1 error\n` });
  t.equal(await ok('mjob', ['outputs', bad]), '/wilma/stor/input2\n', 'what there is can be asked for');

  // One that goes well, is archived by hand, and shared.
  const good = (await run('mjob', ['create', '-q', '-m', 'wc'], { stdin: `${outputs.join('\n')}\n` })).stdout.trim();
  const timeArchiveDone = new Date().toISOString();
  await finishJob(moray.client, good, { outputs, change: { phases: [{ type: 'map', exec: 'wc' }], timeArchiveDone } });
  t.equal(await ok('mjob', ['outputs', good]), `${outputs.join('\n')}\n`);
  const files = {
    'job.json': (await ask('GET', `/wilma/jobs/${good}/live/status`)).body,
    'in.txt': `${outputs.join('\n')}\n`,
    'out.txt': `${outputs.join('\n')}\n`,
    'err.txt': '',
  };
  for (const [name, body] of Object.entries(files)) await ask('PUT', `/wilma/jobs/${good}/${name}`, { body });
  t.match(await ok('mjob', ['share', '-s', good]), /<title>/);
  await ok('mjob', ['share', good]);
  const page = await fetch(`${url}/wilma/public/jobshares/${good}/index.html`);
  t.match(await page.text(), /<title>/, 'anybody can read it');
});

t.test('nobody: without credentials what is public can be read', async (t) => {
  await ask('PUT', '/wilma/public/open', { body: 'open to all\n' });
  const reading = onTerminal('MANTA_NO_AUTH=true mget -q /wilma/public/open');
  t.equal(await reading.ended, 0);
  t.match(reading.shown(), 'open to all');
  const refused = onTerminal('MANTA_NO_AUTH=true mls /wilma/stor');
  t.not(await refused.ended, 0);
});

t.test('on a terminal: progress, questions, warnings', async (t) => {
  const directory = t.testdir({ file: 'x'.repeat(100_000) });
  const file = path.join(directory, 'file');
  const putting = onTerminal(`mput -f ${file} /wilma/stor/shown`);
  await putting.until(/shown|file.*100%/);
  t.equal(await putting.ended, 0);
  t.match(putting.shown(), /\[=+>?\] 100%/, 'a bar is drawn');
  const getting = onTerminal(`mget -o ${path.join(directory, 'copy')} /wilma/stor/shown`);
  t.equal(await getting.ended, 0);
  t.match(getting.shown(), /100%/);
  t.equal(fs.readFileSync(path.join(directory, 'copy'), 'utf8').length, 100_000);
  for (const [answer, isThere] of [
    ['n', true],
    ['y', false],
  ] as const) {
    const asking = onTerminal('mrm -I /wilma/stor/shown');
    await asking.until(/remove object .* \[y\/N\]\?/);
    asking.type(`${answer}\n`);
    t.equal(await asking.ended, 0);
    t.equal((await ask('HEAD', '/wilma/stor/shown')).status === 200, isThere);
  }
  const creating = onTerminal('mjob create -m wc');
  t.equal(await creating.ended, 0);
  t.match(creating.shown(), /[0-9a-f-]{36}/);
});
