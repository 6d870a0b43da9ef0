import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import t from 'tap';
import { startFakeAgent, startLackey } from '../../support/lackey.js';

const tools = path.resolve(fileURLToPath(import.meta.url), '../../../../src/zonetools');

t.test('maggr', async (t) => {
  const numbers = '1 2\n3 4\n5 6\n7 8\n';
  const square = '1 2 3\n4 5 6\n7 8 9\n';
  const named = 'foo baz 1 2\nbar baz 3 4\nfoo bng 5 6\n';
  // biome-ignore format: table
  const cases: readonly [input: string, args: string, stdout: string, status?: number, stderr?: RegExp][] = [
    ['foo 1\nfoo 2\n', '-c1=key sum', 'foo 3\n'],
    [numbers, '-c2=sum mean', '4 20\n'],
    [square, '-c2=sum,max mean,min', '4,1 15,8 6,3\n'],
    [named, '-c1=key -c2=nop sum', 'foo 6 8\nbar 3 4\n'],
    [named, '-c1=key -c4=sum', 'foo 8\nbar 4\n'],
    [named, '-c1=nop -c2=key -c3=sum -c4=sum', 'baz 4 6\nbng 5 6\n'],
    [named, '-c1=key -c2=nop -c3=sum,count -c4=sum,range', 'foo 6,2 8,4\nbar 3,1 4,0\n'],
    [named, '-c1=key -c2=nop -c3=sum,count -t3=%.1f,%02d -c4=sum,range -t4=%5d,%#x', 'foo 6.0,02     8,0x4\nbar 3.0,01     4,0x0\n'],
    [named, '-T %.2f -c1=key -c2=nop -c3=sum,count -t3=%0.3f -c4=sum,range -t4=%#x', 'foo 6.000,2.00 0x8,4.00\nbar 3.000,1.00 0x4,0.00\n'],
    ['foo 19\nfoo 3\nfoo 7\nfoo 8\nfoo 12\n', '-c1=key -c2=count,max,mean,min,range,sum,ovariance,variance,stddev', 'foo 5,19,9.8,3,16,49,36.7,36.7,6.058052492344384\n'],
    ['foo 1 1\nbar 1 1\nfoo baz 1\nfoo 1 1\nbar 1 1\n', '-c1=key sum', 'foo 2 2\nbar 2 2\n', 1, /^Non-number in non-key column 2\. line: foo baz 1\n$/],
    ['a b\n', 'sum', '', 1, /^Non-number in non-key column 1\. line: a b\n$/],
    ['', '-l', '', 0, /^key nop count max mean min range sum ovariance variance stddev\n$/],
    ['', '', '', 2, /^Error: no operations specified\nUSAGE:\tmaggr\t\[-c#=<op list> -c#=<op list> \.\.\.\]/],
    ['', 'nope', '', 2, /^Error: unsupported operation: nope\n/],
    ['', '-c0=sum', '', 2, /^Error: invalid column number: 0\n/],
    ['', '-c1=key,sum', '', 2, /^Error: no other operations can be specified for a column marked as a key\n/],
    ['b 1\n10 1\n9 1\n', '-c1=key sum', '9 1\n10 1\nb 1\n'],
    ['1,,2\n', '-d, -c2=nop -o; sum', '1;2\n'],
  ];
  for (const [input, args, stdout, status = 0, stderr = /^$/] of cases) {
    const words = args.split(' ').filter((word) => word !== '');
    const run = spawnSync(process.execPath, [path.join(tools, 'maggr/main.js'), ...words], { input });
    t.equal(run.stdout.toString(), stdout, `maggr ${args}`);
    t.equal(run.status, status, `status of maggr ${args}`);
    t.match(run.stderr.toString(), stderr);
  }
});

t.test('msplit', async (t) => {
  const agent = await startFakeAgent(t);
  const lackey = startLackey(t, agent);
  const env = {
    MANTA_URL: `http://localhost:${await lackey.port}/`,
    MANTA_OUTPUT_BASE: '/bob/jobs/J/stor/bob/stor/obj1.0.',
  };
  /** Runs it beside this process, which is the store. @returns what each reducer gets. */
  const split = async (input: string, ...args: string[]) => {
    agent.objects.clear();
    const tool = spawn(process.execPath, [path.join(tools, 'msplit/main.js'), ...args], { env });
    let stderr = '';
    tool.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    tool.stdin.end(input);
    const [status] = (await once(tool, 'close')) as [number];
    const outputs = [...agent.objects].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, { headers }] of outputs) {
      t.match(name, /^\/bob\/jobs\/J\/stor\/bob\/stor\/obj1\.0\.[0-9a-f-]{36}\.\d+$/);
      t.equal(headers['x-manta-stream'], 'stdout');
      t.equal(headers['x-manta-reducer'], name.split('.').at(-1));
    }
    return { status, stderr, bodies: outputs.map(([, { body }]) => body) };
  };

  // biome-ignore format: table
  const cases: readonly [input: string, args: string[], bodies: string[]][] = [
    ['1\n2\n3\n4\n', ['-n2'], ['1\n3\n', '2\n4\n']],
    ['1\r\n2\r3', ['-n2'], ['1\n3\n', '2\n']],
    ['', ['-n', '2'], ['', '']],
    ['a 1\nb 0\n\n', ['-n2', '-i', '-d ', '-e', 'line.split(" ")[1] || 1'], ['b 0\n', 'a 1\n\n']],
    ['{"a":{"b":1}}\n{"a":{"b":2}}\n', ['-n2', '-j', '-f', 'a.b'], ['{"a":{"b":1}}\n', '{"a":{"b":2}}\n']],
  ];
  for (const [input, args, bodies] of cases) {
    t.same(await split(input, ...args), { status: 0, stderr: '', bodies }, args.join(' '));
  }
  const zipped = await split('1\n', '-n1', '-z');
  t.equal(zlib.gunzipSync(Buffer.from(zipped.bodies[0] ?? '', 'latin1')).toString(), '1\n');

  // biome-ignore format: table
  const refused: readonly [input: string, args: string[], status: number, stderr: RegExp][] = [
    ['', [], 2, /^msplit: number of reducers must be specified\.\n\nusage: msplit \[-n number_of_reducers\] \[-d delimiter\] \[-f field_list\]\n {14}\[-i\] \[-j\] \[-e javascript\] \[-z\]\n/],
    ['', ['-nx'], 2, /^msplit: invalid number of reducers\n\nusage/],
    ['', ['-n2', '-fx'], 2, /^msplit: invalid field: NaN\n\nusage/],
    ['', ['-n2', '-j'], 2, /^msplit: no fields specified\n\nusage/],
    ['7\n', ['-i', '-n2'], 1, /^msplit: Parsed 7 as 7 out of line: 7\nWhich is not a number or not within the valid range of reducers\.\n$/],
    ['x\n', ['-j', '-f', 'a', '-n2'], 1, /^msplit: error: input is not json: x\n$/],
    ['x\n', ['-e', '3', '-n2'], 1, /^msplit: 3 must be one of types \[string\], but was type number\n$/],
  ];
  for (const [input, args, status, stderr] of refused) {
    const run = await split(input, ...args);
    t.equal(run.status, status, args.join(' '));
    t.match(run.stderr, stderr);
    t.same(run.bodies, [], 'nothing is emitted');
  }
});

t.test('the tools that a zone gets are readable and start', async (t) => {
  const root = path.resolve(tools, '../../..');
  const target = path.join(root, 'build/zone');
  execFileSync(path.join(root, 'tools/build/zone.sh'), [target]);
  const hidden = execFileSync('find', [
    target,
    '(',
    '-type',
    'd',
    '!',
    '-perm',
    '-0555',
    '-o',
    '-type',
    'f',
    '!',
    '-perm',
    '-0444',
    ')',
  ]);
  t.equal(hidden.toString(), '');
  const json = spawnSync(path.join(target, 'ubin/json'), ['a'], { input: '{"a":1}', env: {} });
  t.equal(json.stdout.toString(), '1\n', json.stderr.toString());
  const mls = spawnSync(path.join(target, 'ubin/mls'), ['--version'], { env: {} });
  t.match(mls.stdout.toString(), /^\d+\.\d+\.\d+\n/, mls.stderr.toString());
  const ctrun = spawnSync(path.join(target, 'ubin/ctrun'), ['-i', 'core', '-l', 'child', 'echo', '-n', 'x'], {
    env: { PATH: '/usr/bin:/bin' },
  });
  t.equal(ctrun.stdout.toString(), 'x');
});
