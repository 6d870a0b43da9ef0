import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { type FakeAgent, mapTask, startFakeAgent, startLackey, text, verdict } from '../../support/lackey.js';

const base = '/bob/jobs/J/stor/bob/stor/obj1.0.';
const exited = (code: number) => `UserTaskError: user command exited with code ${code}`;

/** Runs msplit over `input`. @returns its outputs in the order of their reducers, its verdict and stderr. */
async function msplit(agent: FakeAgent, args: string, input: string) {
  agent.objects.clear();
  const task = mapTask(agent, `msplit ${args}`);
  fs.writeFileSync(path.join(agent.directory, 'obj1'), input);
  const { fail, ...rest } = await agent.run(task);
  const sorted = [...agent.objects].sort(([a], [b]) => Number(/\d+$/.exec(a)) - Number(/\d+$/.exec(b)));
  const names = sorted.map(([name]) => name);
  const report = fail === undefined ? rest : { ...rest, fail };
  return { names, objects: sorted.map(([, object]) => object), verdict: verdict(report), stderr: text(report.stderr) };
}

// biome-ignore format: table
const cases: readonly [args: string, input: string, outputs: readonly string[]][] = [
  ['-n 2', '1\n2\n3\n4\n', ['1\n3\n', '2\n4\n']],
  ['-n 2', '1\r\n2\r3\n\n4', ['1\n3\n', '2\n\n4\n']],
  ['-n 2', '1\tx\n2\ty\n3\t\n4', ['1\tx\n3\t\n', '2\ty\n4\n']],
  ['-n 2 -f 2', 'x\t1\nx\t2\ny\t3\n', ['x\t1\ny\t3\n', 'x\t2\n']],
  ["-n2 -d ', ' -f 2", 'x, 1\nx, 2\n', ['x, 1\n', 'x, 2\n']],
  ['-n 3 -i', '2\n0\n1\n0\n', ['0\n0\n', '1\n', '2\n']],
  ['-n 2 -j -f a.b', '{"a":{"b":1}}\n{"a":{"b":"2"}}\n', ['{"a":{"b":1}}\n', '{"a":{"b":"2"}}\n']],
  ['-n 2 -e "line.substr(1)"', 'x1\nx2\ny3\n', ['x1\ny3\n', 'x2\n']],
  ['-n 2 -e "return line.slice(1)"', 'x1\nx2\n', ['x1\n', 'x2\n']],
  ['-n 2 -i -e "line.length;"', 'a\n\n', ['\n', 'a\n']],
  ['-n 2 -j -e "this.key"', '{"key":"1"}\n{"key":"4"}\n', ['{"key":"1"}\n', '{"key":"4"}\n']],
  ['-n 2', '', ['', '']],
];

t.test('every line goes to the reducer that its key says', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  for (const [args, input, outputs] of cases) {
    const { names, objects, verdict, stderr } = await msplit(agent, args, input);
    t.same(
      objects.map(({ body }) => body),
      outputs,
      `msplit ${args}`,
    );
    t.equal(verdict, 'commit');
    t.equal(stderr, undefined);
    const [first = ''] = names;
    const id = first.slice(base.length, -2);
    t.match(id, /^[0-9a-f-]{36}$/);
    t.same(
      names,
      outputs.map((_, index) => `${base}${id}.${index}`),
    );
    t.same(
      objects.map(({ headers }) => [headers['x-manta-stream'], headers['x-manta-reducer']]),
      outputs.map((_, index) => ['stdout', String(index)]),
    );
  }
  const { objects } = await msplit(agent, '-z -n 3 -i', '0\n2\n0\n');
  t.same(
    objects.map(({ body }) => gunzipSync(Buffer.from(body, 'latin1')).toString()),
    ['0\n0\n', '', '2\n'],
  );
  const many = await msplit(agent, '-n 60', Array.from({ length: 50_000 }, (_, n) => `${n}\n`).join(''));
  t.equal(many.objects.length, 60, 'more reducers than uploads at a time');
  t.equal(
    many.objects.reduce((lines, { body }) => lines + body.split('\n').length - 1, 0),
    50_000,
  );
});

// biome-ignore format: table
const refused: readonly [args: string, input: string, status: number, stderr: RegExp][] = [
  ['', '', 2, /^msplit: number of reducers must be specified\.\n\nusage: msplit \[-n number_of_reducers\] \[-d delimiter\] \[-f field_list\]\n {14}\[-i\] \[-j\] \[-e javascript\] \[-z\]\n/],
  ['-n 0', '', 2, /^msplit: number of reducers must be specified\.\n\nusage/],
  ['-n 0x5', '', 2, /^msplit: invalid number of reducers\n\nusage/],
  ['-n x', '', 2, /^msplit: invalid number of reducers\n\nusage/],
  ['-n -1', '', 2, /^msplit: invalid number of reducers\n\nusage/],
  ['-n 2 -f x', '', 2, /^msplit: invalid field: NaN\n\nusage/],
  ['-n 2 -f 1st', '', 2, /^msplit: invalid field: NaN\n\nusage/],
  ['-n 2 -f 1,0', '', 2, /^msplit: invalid field: 0\n\nusage/],
  ['-n 2 -j', '', 2, /^msplit: no fields specified\n\nusage/],
  ["-n 2 -d $'\\n'", '', 2, /^msplit: cannot use newline as a delimiter\.\n\nusage/],
  ['-h', '', 2, /^illegal option -- h\nmsplit: undefined\n\nusage/],
  ['-n', '', 2, /^option requires an argument -- n\nmsplit: undefined\n\nusage/],
  ['-n 2 -i', '7\n', 1, /^msplit: Parsed 7 as 7 out of line: 7\nWhich is not a number or not within the valid range of reducers\.\n$/],
  ['-n 2 -i', 'x\n', 1, /^msplit: Parsed x as NaN out of line: x\n/],
  ['-n 2 -j -f a', 'no\n', 1, /^msplit: error: input is not json: no\n$/],
  ['-n 2 -e "7"', 'x\n', 1, /^msplit: 7 must be one of types \[string\], but was type number\n$/],
  ['-n 2 -i -e "null"', 'x\n', 1, /^msplit: null must be one of types \[string, number\], but was type object\n$/],
  ['-n 2 -e "if ("', '', 1, /SyntaxError/],
];

t.test('what is not understood emits nothing', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  for (const [args, input, status, stderr] of refused) {
    const result = await msplit(agent, args, input);
    t.equal(result.verdict, exited(status), `msplit ${args}`);
    t.match(result.stderr, stderr, `msplit ${args}`);
    t.same(result.names, []);
  }
  const noBase = await agent.run(mapTask(agent, 'env -u MANTA_OUTPUT_BASE msplit -n 2'));
  t.match(text(noBase.stderr), /^msplit: MANTA_OUTPUT_BASE not set\n\nusage/);
});

t.test('an expression that throws, and a disk that takes no more, emit nothing and leave nothing', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const thrown = await msplit(
    agent,
    `-n 2 -e 'if (line === "b") throw new Error("no " + line); return line'`,
    'a\nb\n',
  );
  t.equal(thrown.verdict, exited(1));
  t.match(thrown.stderr, 'no b');
  t.same(thrown.names, []);
  for (const gzip of ['', '-z']) {
    const full = `ulimit -f 64; head -c 1M /dev/urandom | base64 | (echo $BASHPID >&2; exec msplit -n 1 ${gzip})`;
    const report = await agent.run(mapTask(agent, full));
    t.equal(verdict(report), exited(1), full);
    t.match(text(report.stderr), 'EFBIG');
    t.notOk(fs.existsSync(`/var/tmp/msplit.${text(report.stderr)?.split('\n')[0]}.0`));
  }
  t.same([...agent.objects.keys()], []);
});

t.test('a line is what its end says, however long it is and wherever it is cut', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const pieces = ['ä\r', '\n', 'b\r', 'c\r\r\n', 'd'];
  const write = `node -e '${JSON.stringify(pieces)}.reduce((before, piece) => before.then(() => new Promise((next) => process.stdout.write(piece, () => setTimeout(next, 20)))), Promise.resolve())'`;
  await agent.run(mapTask(agent, `${write} | msplit -n 1`));
  const bodies = () => [...agent.objects.values()].map(({ body }) => Buffer.from(body, 'latin1').toString());
  t.same(bodies(), ['ä\nb\nc\n\nd\n']);
  const long = 'a'.repeat(5_000_000);
  agent.objects.clear();
  await msplit(agent, '-n 1', `${long}\n${long}`);
  t.ok(bodies()[0] === `${long}\n${long}\n`, 'two lines of 5 MB');
});

t.test('an endpoint that is not there yet is waited for', async (t) => {
  const agent = await startFakeAgent(t);
  startLackey(t, agent);
  const late = net.createServer().listen(0, '127.0.0.1');
  await once(late, 'listening');
  const { port } = late.address() as net.AddressInfo;
  await new Promise((resolve) => late.close(resolve));
  const server = `require("http").createServer((q, a) => { q.resume(); a.statusCode = 204; a.end() }).listen(${port}, "127.0.0.1")`;
  const report = await agent.run(
    mapTask(
      agent,
      `(sleep 0.7; exec node -e '${server}') & export MANTA_URL=http://127.0.0.1:${port}/; echo x | msplit -n 1`,
    ),
  );
  t.equal(verdict(report), 'commit', text(report.stderr) ?? '');
});

t.test('an upload that fails three times fails the tool', async (t) => {
  const agent = await startFakeAgent(t);
  agent.intercept = (request, response) => {
    if (request.method !== 'PUT') return false;
    response.writeHead(503, { 'content-type': 'application/json' });
    response.end('{"code":"ServiceUnavailable","message":"not now"}');
    return true;
  };
  startLackey(t, agent);
  const { verdict, stderr } = await msplit(agent, '-n 1', 'x\n');
  t.equal(verdict, exited(1));
  t.match(stderr, /"Error uploading file".*not now/);
  t.equal(agent.requests.filter((line) => line.startsWith('PUT')).length, 3);
});
