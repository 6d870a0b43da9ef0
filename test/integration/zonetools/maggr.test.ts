import { execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import t from 'tap';
import { toolsDirectory } from '../../support/lackey.js';

interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function maggr(args: readonly string[], input: string | Buffer): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      path.join(toolsDirectory, 'maggr'),
      [...args],
      { encoding: 'latin1' },
      (error, stdout, stderr) => resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
    child.stdin?.on('error', () => {}); // not every call reads it
    child.stdin?.end(input);
  });
}

const abc = 'foo baz 1 2\nbar baz 3 4\nfoo bng 5 6\n';
const statistics = 'foo 19\nfoo 3\nfoo 7\nfoo 8\nfoo 12\n';

// biome-ignore format: table
const cases: readonly [input: string, args: string, stdout: string, stderr?: string][] = [
  ['foo 1\nfoo 2\n', '-c1=key sum', 'foo 3\n'],
  ['1 2\n3 4\n5 6\n7 8\n', '-c2=sum mean', '4 20\n'],
  ['1 2 3\n4 5 6\n7 8 9\n', '-c2=sum,max mean,min', '4,1 15,8 6,3\n'],
  [abc, '-c1=key -c2=nop sum', 'foo 6 8\nbar 3 4\n'],
  [abc, '-c1=key -c4=sum', 'foo 8\nbar 4\n'],
  [abc, '-c1=nop -c2=key -c3=sum -c4=sum', 'baz 4 6\nbng 5 6\n'],
  [abc, '-c1=key -c2=nop -c3=sum,count -c4=sum,range', 'foo 6,2 8,4\nbar 3,1 4,0\n'],
  [abc, '-c1=key -c2=nop -c3=sum,count -t3=%.1f,%02d -c4=sum,range -t4=%5d,%#x', 'foo 6.0,02     8,0x4\nbar 3.0,01     4,0x0\n'],
  [abc, '-T %.2f -c1=key -c2=nop -c3=sum,count -t3=%0.3f -c4=sum,range -t4=%#x', 'foo 6.000,2.00 0x8,4.00\nbar 3.000,1.00 0x4,0.00\n'],
  [statistics, '-c1=key -c2=count,max,mean,min,range,sum,ovariance,variance,stddev', 'foo 5,19,9.8,3,16,49,36.7,36.7,6.058052492344384\n'],
  ['foo 1 1\nbar 1 1\nfoo baz 1\nfoo 1 1\nbar 1 1\n', '-c1=key sum', 'foo 2 2\nbar 2 2\n', 'Non-number in non-key column 2. line: foo baz 1\n'],
  ['5abc\n1e3\n0x10\n', 'sum', '1005\n'],
  ['Infinity\n', 'sum,variance', 'Infinity,NaN\n'],
  ['1\n2\n3', 'mean,sum,sum', '2,6\n'],
  ['0.1\n0.2\n', 'sum', '0.30000000000000004\n'],
  ['1e21\n', 'sum', '1e+21\n'],
  ['-5\n5\n3\n', 'sum', '3\n'],
  ['x 1\n10 1\n9 1\nx 1\n', '-c1=key sum', '9 1\n10 1\nx 2\n'],
  ['ab c 1\na bc 1\n', '-c1=key -c2=key sum', 'a bc 2\n'],
  ['a 1\na 1 2\na\n', '-c1=key sum', 'a 2 2\n'],
  ['a\tb\t1\n', '-d\t -o: -i/ -c3=sum,count key', 'a:b:1/1\n'],
  ['1  2\n', '-c2=nop -c1=sum -c3=sum', '1 2\n'],
  ['a b\nc\n', 'nop', '\n'],
  ['', 'sum', ''],
  ['\n', 'nop', '\n'],
  ['\n', 'count', '', 'Non-number in non-key column 1. line: \n'],
  ['ä 1\nä 2\n', '-c1=key sum', 'ä 3\n'],
  ['1 2\n', '-c1=sum -c1=count,max', '1,1\n'],
  ['7\n', '-x -q sum', '7\n'],
  ['3.5\n', '-t1=%c%%|x max', '\u0003%|x\n'],
];

t.test('rows of input, arguments, what comes out', async (t) => {
  for (const [input, args, stdout, stderr = ''] of cases) {
    const result = await maggr(
      args.split(' ').map((arg) => arg.replace('\u00a0', ' ')),
      input,
    );
    const shown = Buffer.from(result.stdout, 'latin1').toString();
    t.same({ ...result, stdout: shown }, { status: stderr === '' ? 0 : 1, stdout, stderr }, `maggr ${args}`);
  }
});

// biome-ignore format: table
const refused: readonly [args: readonly string[], message: string][] = [
  [[], 'no operations specified'],
  [['-c'], 'no operations specified'],
  [['median'], 'unsupported operation: median'],
  [['-c1=sum,median'], 'unsupported operation: median'],
  [['-cx=sum'], 'invalid column number: x'],
  [['-c0=sum'], 'invalid column number: 0'],
  [['-c0x1=sum'], 'invalid column number: 0x1'],
  [['-t1st=%d', 'sum'], 'invalid column number'],
  [['-tx=%d', 'sum'], 'invalid column number'],
  [['-c1'], 'invalid column format: 1'],
  [['-c1=sum=max'], 'invalid column format: 1=sum=max'],
  [['-c1=sum,key'], 'no other operations can be specified for a column marked as a key'],
  [['nop,sum'], 'no other operations can be specified for a column marked nop'],
];

t.test('what is not understood exits 2 with the usage', async (t) => {
  for (const [args, message] of refused) {
    const { status, stdout, stderr } = await maggr(args, '');
    t.equal(status, 2, args.join(' '));
    t.equal(stdout, '');
    t.ok(stderr.startsWith(`Error: ${message}\nUSAGE:\tmaggr\t[-c#=<op list> -c#=<op list> ...]`), stderr);
  }
});

t.test('operations are listed, files read, bytes kept', async (t) => {
  t.same(await maggr(['-l'], ''), {
    status: 0,
    stdout: '',
    stderr: 'key nop count max mean min range sum ovariance variance stddev\n',
  });
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-maggr-'));
  t.teardown(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'ä');
  fs.writeFileSync(file, Buffer.from('\xff\xfe 1\n\xff\xfe 4\n', 'latin1'));
  t.same(await maggr(['-f', file, '-c1=key', 'sum'], ''), { status: 0, stdout: '\xff\xfe 5\n', stderr: '' });
  t.not((await maggr(['-f', path.join(directory, 'absent'), 'sum'], '')).status, 0);
  t.not((await maggr(['-t1=%d', 'sum'], 'Infinity\n')).status, 0, 'infinity is no integer');
});

t.test('what cannot be written is said', async (t) => {
  const full = fs.openSync('/dev/full', 'w');
  t.teardown(() => fs.closeSync(full));
  const ran = spawnSync(path.join(toolsDirectory, 'maggr'), ['sum'], { input: '1\n', stdio: ['pipe', full, 'pipe'] });
  t.match(
    { status: ran.status, stderr: String(ran.stderr) },
    { status: 1, stderr: /^maggr: standard output: No space/ },
  );
});

t.test('many rows and groups', async (t) => {
  let input = '';
  for (let row = 0; row < 200_000; row++) input += `g${row % 1000} ${row}\n`;
  const { stdout } = await maggr(['-c1=key', 'sum,count'], input);
  const lines = stdout.split('\n');
  t.equal(lines.length, 1001);
  t.equal(lines[7], 'g7 19901400,200');
});
