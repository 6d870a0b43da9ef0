import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { type FakeAgent, mapTask, startFakeAgent, startLackey, text, verdict } from '../../support/lackey.js';

const base = '/bob/jobs/J/stor/bob/stor/obj1.0.';
const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const failed = (code: number) => `UserTaskError: user command exited with code ${code}`;

function puts(agent: FakeAgent): string[] {
  return agent.requests.filter((line) => line.startsWith('PUT ')).map((line) => line.slice(4));
}

t.test('mpipe', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const run = (exec: string) => agent.run(mapTask(agent, exec));

  await t.test('saves under a name of its own, makes the parents, and drops stdout', async (t) => {
    const report = await run('echo foo; echo bar | mpipe');
    t.equal(verdict(report), 'commit');
    t.equal(report.stdout, undefined);
    const [name, object] = [...agent.objects].at(-1) ?? [];
    t.match(name, new RegExp(`^${base.replaceAll('.', '\\.')}${uuid}$`));
    t.equal(object?.body, 'bar\n');
    t.equal(object?.headers['x-manta-stream'], 'stdout');
    t.equal(object?.headers['x-manta-reducer'], undefined);
    t.equal(object?.headers['content-type'], undefined);
  });

  await t.test('keeps every byte of a body of any length', async (t) => {
    for (const bytes of [0, 65_536, 65_537, 2_000_000]) {
      const report = await run(
        `head -c ${bytes} /dev/urandom > $0.$$; mpipe < $0.$$; md5sum < $0.$$ >&2; rm $0.$$; exit 3`.replaceAll(
          '$0',
          path.join(agent.directory, 'f'),
        ),
      );
      const body = [...agent.objects.values()].at(-1)?.body ?? '';
      const md5 = execFileSync('md5sum', { input: Buffer.from(body, 'latin1') }).toString();
      t.match(text(report.stderr), /^saving stdin to \/var\/tmp\/mpipe\.\d+\n/);
      t.equal(text(report.stderr)?.split('\n')[1], md5.trim(), `${bytes} bytes`);
    }
  });

  await t.test('takes a name, which it encodes, and headers', async (t) => {
    const report = await run(
      'echo x | mpipe -p -H "A-b:c:d" -Hg:\\ h:\\ i -r1 "~~/jobs//J/./stor/ä b/c%.txt" >&2; exit 1',
    );
    t.match(text(report.stderr), /~~\/jobs\/\/J\/\.\/stor\/ä b\/c%\.txt\n$/, 'prints the name as given');
    const object = agent.objects.get('/bob/jobs/J/stor/ä b/c%.txt');
    t.equal(object?.body, 'x\n');
    t.match(object?.headers, { 'a-b': 'c:d', g: 'h: i', 'x-manta-reducer': '1', 'content-type': 'text/plain' });
  });

  await t.test('sends the last of equal headers, and its own instead of the user’s', async (t) => {
    const own =
      '-H x-manta-stream:stderr -r 2 -H x-manta-reducer:1 -H content-length:3 -H Host:x -H transfer-encoding:chunked';
    t.equal(
      verdict(await run(`mpipe -f $MANTA_INPUT_FILE -H a:1 -H A:2 ${own} /bob/jobs/J/stor/headers.json`)),
      'commit',
    );
    const { headers } = agent.objects.get('/bob/jobs/J/stor/headers.json') ?? {};
    t.match(headers, {
      a: '2',
      'x-manta-stream': 'stdout',
      'content-type': 'application/json',
      'accept-version': '~1.0',
    });
    t.match(headers, { 'x-manta-reducer': '2', host: 'localhost', 'transfer-encoding': undefined });
    t.match(headers, { accept: 'application/json', 'content-length': '11', 'x-request-id': new RegExp(`^${uuid}$`) });
  });

  await t.test('says what the server said, whatever characters it used', async (t) => {
    agent.intercept = (request, response) => {
      if (request.url !== '/bob/stor/quoted') return false;
      response.writeHead(403, { 'content-type': 'application/json' });
      response.end('{"detail":{"message":"no"},"code":"X","message":"say \\"\\u00e4\\" \\\\ to\\n\\/it"}');
      return true;
    };
    const report = await run('mpipe -f $MANTA_INPUT_FILE /bob/stor/quoted');
    t.equal(text(report.stderr), 'mpipe: say "ä" \\ to\n/it\n');
    agent.intercept = (request) => {
      if (request.url === '/bob/stor/cut') request.socket.destroy();
      return request.url === '/bob/stor/cut';
    };
    // Which of the three it is depends on how far the lackey had come when the agent went away.
    const cut = text((await run('mtee /bob/stor/cut || (rm /var/tmp/mtee.*; exit 1)')).stderr);
    t.match(cut, /^(socket hang up|write EPIPE|read ECONNRESET)\n$/);
    agent.intercept = () => false;
  });

  await t.test('uploads a file and leaves it', async (t) => {
    const report = await run('mpipe -f $MANTA_INPUT_FILE /bob/jobs/J/stor/copy; ls $MANTA_INPUT_FILE >&2');
    t.equal(verdict(report), 'commit');
    t.equal(agent.objects.get('/bob/jobs/J/stor/copy')?.body, 'sample data');
  });

  await t.test('tries three times, and says why it gave up', async (t) => {
    const before = puts(agent).length;
    const report = await run('echo bar | mpipe /bob/stor/no/such/dir/x');
    t.equal(verdict(report), failed(1));
    t.equal(puts(agent).length - before, 3);
    const staged = /saving stdin to (.*)\n/.exec(text(report.stderr) ?? '')?.[1] ?? '';
    t.equal(fs.readFileSync(staged, 'utf8'), 'bar\n', 'what was not saved is kept');
    fs.rmSync(staged);
    t.match(text(report.stderr), /^saving stdin to .*\nmpipe: \/bob\/stor\/no\/such\/dir does not exist\n$/);
    const suppressed = await run('mpipe -f /dev/stdin /bob/stor/no/dir/x || true');
    t.equal(verdict(suppressed), 'commit');
    t.equal(suppressed.stdout, undefined, 'an attempt is enough to drop stdout');
  });

  // biome-ignore format: table
  const refused: readonly [exec: string, stderr: RegExp][] = [
    ['mpipe -f /nonexistent', /^mpipe: file \/nonexistent does not exist or is not readable\.\nusage: mpipe \[-f file\] \[-p\] \[-r reducer\] \[-H header:value \.\.\. \] \n {13}\[objectkey\]\n/],
    ['mpipe -r 0x5', /^mpipe: invalid reducer\nusage: /],
    ['mpipe -r 99999999999999999999', /^mpipe: invalid reducer\nusage: /],
    ['mpipe -rx', /^mpipe: invalid reducer\nusage: /],
    ['mpipe -H nocolon', /^mpipe: headers must be in the format \[header\]: \[value\]\.\nusage: /],
    ["mpipe -H $'a: b\\r\\nc: d'", /^mpipe: headers must be in the format \[header\]: \[value\]\.\nusage: /],
    ['mpipe -H ": value"', /^mpipe: headers must be in the format \[header\]: \[value\]\.\nusage: /],
    ['mpipe -h', /^illegal option -- h\nusage: /],
    ['mpipe -f', /^option requires an argument -- f\nusage: /],
    ['env -u MANTA_OUTPUT_BASE mpipe', /^mpipe: manta configuration not found in environment\n$/],
    ['mcat', /^usage: mcat objectkey\n\n/],
    ['mpipe -p -H a:b -x', /^illegal option -- x\nusage: /],
    ['mpipe -f /etc', /^mpipe: file \/etc does not exist or is not readable\.\nusage: /],
    ['mcat -h', /^illegal option -- h\nusage: /],
    ['mcat -r', /^option requires an argument -- r\nusage: /],
    ['mcat -rx a', /^mcat: invalid reducer\nusage: /],
    ['mcat -r 1x a', /^mcat: invalid reducer\nusage: /],
    ['mcat -p 80x a', /^mcat: invalid port\nusage: /],
    ['mtee -H nocolon a', /^mtee: headers must be in the format of: \[header\] \+ ": " \+ \[value\]\nusage: /],
    ['env -u MANTA_NO_AUTH -u MANTA_USER mtee a', /^account is a required argument\nusage: /],
    ['env -u MANTA_NO_AUTH mtee a', /^keyId is a required argument\nusage: /],
    ['mtee -cx a', /^mtee: invalid durability \(-c\)\nusage: mtee \[-c durability\] \[-H header:value \.\.\.\] \[manta_key\]\n/],
    ['mtee -c 2x a', /^mtee: invalid durability \(-c\)\nusage: /],
    ['mtee', /^mtee: A manta object key must be specified\.\nusage: /],
    ['env -u MANTA_URL mtee a', /^url is a required argument\nusage: /],
  ];
  await t.test('what is not understood exits 2 with the usage, and sends nothing', async (t) => {
    const before = puts(agent).length;
    for (const [exec, stderr] of refused) {
      const report = await run(exec);
      t.equal(verdict(report), failed(2), exec);
      t.match(text(report.stderr), stderr, exec);
      t.equal(text(report.stdout), '', 'stdout is kept');
    }
    t.equal(puts(agent).length, before);
  });
});

t.test('mcat emits by reference, all operands, and stops at the first refusal', async (t) => {
  const agent = await startFakeAgent(t);
  const headers: unknown[] = [];
  agent.intercept = (request, response) => {
    if (request.method !== 'PUT') return false;
    const { 'x-manta-reference': reference, 'x-manta-stream': stream, 'x-manta-reducer': reducer } = request.headers;
    headers.push([request.url, reference, stream, reducer]);
    response.writeHead(request.url === '/bob/stor/bad' ? 409 : 204);
    response.end();
    return true;
  };
  const lackey = startLackey(t, agent);
  const report = await agent.run(mapTask(agent, 'echo foo; mcat -r 2 /bob//stor/obj1/ "~~/stor/my obj"'));
  t.equal(verdict(report), 'commit');
  t.equal(report.stdout, undefined);
  t.same(headers, [
    ['/bob/stor/obj1', 'true', 'stdout', '2'],
    ['/bob/stor/my%20obj', 'true', 'stdout', '2'],
  ]);
  const refused = await agent.run(mapTask(agent, 'mcat /bob/stor/bad /bob/stor/x'));
  t.equal(verdict(refused), failed(1));
  t.equal(text(refused.stderr), 'server returned 409\n');
  const many = await agent.run(mapTask(agent, "seq -f '/bob/many/%g' 1000 | xargs mcat"));
  t.equal(verdict(many), 'commit');
  // What the refused command had under way may still arrive, so only the names of this one are looked at.
  t.same(
    headers
      .map((one) => (one as string[])[0] ?? '')
      .filter((name) => name.startsWith('/bob/many/'))
      .sort(),
    Array.from({ length: 1000 }, (_, n) => `/bob/many/${n + 1}`).sort(),
  );
  const port = await lackey.port;
  const abroad = await agent.run(mapTask(agent, `MANTA_URL=https://manta.example.com mcat -p ${port} /bob/stor/y`));
  t.equal(verdict(abroad), 'commit', 'a reference is made here, wherever other clients are sent');
  const nobody = await agent.run(mapTask(agent, 'mcat -p 1 /bob/stor/x'));
  t.match(text(nobody.stderr), /^mcat: connect ECONNREFUSED 127\.0\.0\.1:1\n$/);
});

t.test('mtee passes everything on and saves a copy that is no output', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  agent.directories.add('/bob/stor');
  const mtee = (options: string) => `(echo /var/tmp/mtee.$BASHPID >&2; exec mtee ${options})`;
  const stagedFile = (stderr: string | undefined) => text(stderr)?.split('\n')[0] ?? '';
  const report = await agent.run(mapTask(agent, `seq 100000 | ${mtee('-c1 /bob/stor/t')} | head -1; exit 3`));
  t.equal(text(report.stdout), '1\n');
  t.notOk(fs.existsSync(stagedFile(report.stderr)));
  const object = agent.objects.get('/bob/stor/t');
  t.equal(object?.body.split('\n').length, 100_001);
  t.equal(object?.headers['x-durability-level'], '1');
  t.equal(object?.headers['x-manta-stream'], undefined);
  t.same(
    fs.readdirSync('/var/tmp').filter((name) => name.startsWith('mtee.')),
    [],
  );
  const unready = `node -e 'process.stdin.on("readable", () => {}); process.stdout.write(""); setTimeout(() => process.exit(), 50)'`;
  const late = await agent.run(
    mapTask(agent, `(sleep 0.3; seq 100000) | (${unready}; mtee /bob/stor/t | (sleep 0.3; tail -1))`),
  );
  t.equal(text(late.stdout), '100000\n', 'descriptors that another program left non-blocking');
  t.equal(agent.objects.get('/bob/stor/t')?.body.split('\n').length, 100_001);
  const full = await agent.run(mapTask(agent, 'seq 10 | mtee /bob/stor/t > /dev/full'));
  t.equal(text(full.stderr), 'mtee: stdout: No space left on device\n');
  execFileSync('sh', ['-c', 'rm -f /var/tmp/mtee.*']);
  const refused = await agent.run(mapTask(agent, 'echo x | mtee /no/parent'));
  t.equal(text(refused.stderr), '/no does not exist\n');
  execFileSync('sh', ['-c', 'rm -f /var/tmp/mtee.*']);
});
