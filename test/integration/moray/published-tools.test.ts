/** The command-line tools of the published client, unmodified, against our server. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import { promisify } from 'node:util';
import t from 'tap';
import { startTestMoray } from '../../support/moray.js';

const { url, client, monitorPort } = await startTestMoray(t);
const bin = path.join(path.dirname(createRequire(import.meta.url).resolve('moray/package.json')), 'bin');
const env = { PATH: process.env['PATH'], MORAY_URL: url };

async function tool(name: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(bin, name), ...args], { env });
  return stdout;
}

/** @returns what it said when it failed. */
async function failure(name: string, ...args: readonly string[]): Promise<string> {
  return tool(name, ...args).then(
    () => '',
    (error: { readonly stderr: string }) => error.stderr,
  );
}

t.test('buckets and objects', async (t) => {
  await tool('putbucket', '-i', 'state', '-i', 'size:number', '-u', 'id', '-x', '2', 'tools');
  t.match(JSON.parse(await tool('getbucket', 'tools')), { name: 'tools', options: { version: 2 } });
  t.match(await tool('listbuckets'), /tools/);
  await tool('putobject', '-d', '{"state":"new","size":5,"id":"x"}', 'tools', 'key');
  t.match(JSON.parse(await tool('getobject', 'tools', 'key')), { key: 'key', value: { state: 'new', size: 5 } });
  const found = await tool('findobjects', '-H', '-i', '-d', 'size', '-l', '1', 'tools', '(&(state=new)(size>=5))');
  t.match(JSON.parse(found), { key: 'key', _count: 1 });
  t.match(JSON.parse(await tool('findobjects', '-s', 'tools', '(state=new)')), { query: /SELECT/, args: ['new'] });
  t.match(await tool('updatemany', '-d', '{"state":"old"}', 'tools', '(size=5)'), /count: 1, etag: 'u/);
  t.equal(await tool('delmany', 'tools', '(state=nothing)'), '0 records deleted\n');
  t.match(await failure('putobject', '-d', '{}', '-e', '12345678', 'tools', 'key'), /etag "12345678"/);
  await tool('reindexobjects', 'tools');
  await tool('delobject', 'tools', 'key');
  t.match(await failure('getobject', 'tools', 'key'), /tools::key does not exist/);
  await tool('delbucket', 'tools');
  t.match(await failure('getbucket', 'tools'), /tools does not exist/);
});

t.test('ping, version, sql', async (t) => {
  await tool('morayping', '-d');
  t.equal(await tool('morayversion'), '2\n');
  t.match(await failure('gettokens'), /Operation not supported/);
  t.match(await failure('sql', 'select 1'), /runs no SQL/);
});

t.test('moraylisten hears moraynotify', async (t) => {
  const listener = spawn(process.execPath, [path.join(bin, 'moraylisten'), 'news'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => listener.kill('SIGKILL'));
  const lines = readline.createInterface({ input: listener.stdout });
  const heard = once(lines, 'line');
  await listening();
  await tool('moraynotify', 'news', 'hello');
  t.match(await heard, [/hello/]);
});

/** No row says that listening has begun; the server's metrics do. */
async function listening(): Promise<void> {
  for (;;) {
    const text = await (await fetch(`http://127.0.0.1:${monitorPort}/metrics`)).text();
    if (/^moray_listeners 1$/m.test(text)) return;
    await client.ping();
  }
}
