/** Objects of tasks, many in one request: the same objects as by PUT, or none. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { type AskOptions, startTestFrontdoor } from '../../support/frontdoor.js';

const { ask, run, storageRoots, accounts } = await startTestFrontdoor(t);

const directory = { 'content-type': 'application/json; type=directory' };
const job = await createJob();
const stor = `/wilma/jobs/${job}/stor`;
await ask('PUT', `${stor}/dir`, { headers: directory });

async function createJob(): Promise<string> {
  const body = JSON.stringify({ phases: [{ exec: 'wc' }] });
  const made = await ask('POST', '/wilma/jobs', { headers: { 'content-type': 'application/json' }, body });
  return path.basename(String(made.headers.location));
}

type Given = readonly (readonly [name: string, content: string])[];

async function save(objects: Given, options: AskOptions = {}) {
  const body = JSON.stringify({
    objects: objects.map(([name, content]) => ({ name, body: Buffer.from(content).toString('base64') })),
  });
  const answer = await post(body, options);
  return { status: answer.status, saved: undefined as unknown, ...JSON.parse(answer.body) };
}

function post(body: string, options: AskOptions = {}) {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...options.headers };
  return ask('POST', `/wilma/jobs/${job}/live/objects`, { ...options, headers, body });
}

t.test('objects that are saved together are like those that are PUT', async (t) => {
  const names = [`${stor}/dir/one`, `${stor}/dir/zwei ü%`, `${stor}/dir/empty`, `${stor}/three`];
  const contents = ['1\n', 'zwei\n', '', '\0\xff'];
  const answer = await save(names.map((name, index) => [name, contents[index] ?? '']));
  t.same(answer, { status: 200, saved: [true, true, true, true] });
  for (const [index, name] of names.entries()) {
    const url = name.split('/').map(encodeURIComponent).join('/');
    const put = `${url}-put`;
    await ask('PUT', put, { body: contents[index] ?? '' });
    const [here, there] = [await ask('GET', url), await ask('GET', put)];
    t.equal(here.body, contents[index], name);
    for (const header of ['content-type', 'content-length', 'content-md5', 'durability-level']) {
      t.equal(here.headers[header], there.headers[header], header);
    }
  }
  const listed = (await ask('GET', `${stor}/dir`)).body.trim().split('\n');
  t.equal(listed.length, 6);
  const minfo = await run('minfo', [`${stor}/three`]);
  t.match(minfo.stdout, /etag: /);
});

t.test('what is not the usual case is left to its own PUT', async (t) => {
  await ask('PUT', `${stor}/dir/there`, { body: 'old' });
  const taken = await save([
    [`${stor}/dir/there`, 'new'],
    [`${stor}/dir/other`, 'new'],
  ]);
  t.same(taken, { status: 200, saved: [false, false] }, 'all or none');
  t.equal((await ask('GET', `${stor}/dir/there`)).body, 'old');
  t.equal((await ask('HEAD', `${stor}/dir/other`)).status, 404);
  const missing = await save([
    [`${stor}/missing/x`, 'x'],
    [`${stor}/dir/there/x`, 'x'],
    [`${stor}/dir/x`, 'x'],
  ]);
  t.same(missing.saved, [false, false, true], 'no directory, no directory but an object');
  const none = await save([]);
  t.same(none.saved, []);
});

t.test('nobody saves what they may not PUT', async (t) => {
  t.same((await save([[`${stor}/dir/fred`, 'x']], { as: 'fred' })).saved, [false]);
  t.equal((await save([[`${stor}/dir/x`, 'x']], { as: null })).status, 403);
  t.same((await save([[`${stor}/dir/poseidon`, 'x']], { as: 'poseidon' })).saved, [true], 'an operator may');
  t.equal((await ask('HEAD', `${stor}/dir/fred`)).status, 404);
});

t.test('bad requests are refused with a reason', async (t) => {
  const body = Buffer.from('x').toString('base64');
  const named = (...names: string[]) => JSON.stringify({ objects: names.map((name) => ({ name, body })) });
  // biome-ignore format: table
  const cases: readonly [title: string, body: string, message: RegExp][] = [
    ['another place',  named('/wilma/stor/x'),                                /"\/wilma\/stor\/x" is not the name of an object below/],
    ['another job',    named(`/wilma/jobs/x${job}/stor/x`),                   /is not the name/],
    ['no name',        named(`${stor}//`),                                    /is not the name/],
    ['a zero byte',    named(`${stor}/dir/\0`),                               /is not the name/],
    ['half a letter',  named(`${stor}/dir/\ud800z`),                          /is not the name/],
    ['no base64',      JSON.stringify({ objects: [{ name: `${stor}/dir/x`, body: '!!' }] }), /is no base64/],
    ['twice',          named(`${stor}/dir/t`, `${stor}//dir/t`),              /is there twice/],
    ['no objects',     '{}',                                                  /objects/],
    ['no body',        JSON.stringify({ objects: [{ name: `${stor}/x` }] }),  /body/],
    ['too many',       named(...Array.from({ length: 65 }, (_, index) => `${stor}/dir/${index}`)), /64 items/],
    ['no JSON',        '{',                                                   /Invalid JSON/],
  ];
  for (const [title, text, message] of cases) {
    const answer = await post(text);
    t.ok(answer.status >= 400 && answer.status < 500, `${title}: ${answer.status}`);
    t.match(JSON.parse(answer.body).message, message, title);
  }
  t.equal((await post(' '.repeat(3 * 1024 * 1024))).status, 413);
  const half = 'x'.repeat(512 * 1024);
  const many = (last: string) =>
    save([`a`, `b`, `c`].map((name, index) => [`${stor}/dir/half-${name}`, index < 2 ? half : last]));
  t.equal((await many('x')).status, 413, 'a byte more than all objects together may have');
  t.same((await many('')).saved, [true, true, true]);
});

t.test('when no storage node takes the bytes nothing is saved, and nothing is seen', async (t) => {
  const homes = storageRoots.map((root) => path.join(root, accounts.wilma.uuid));
  for (const home of homes) fs.renameSync(home, `${home}.away`);
  for (const home of homes) fs.writeFileSync(home, 'in the way');
  t.same((await save([[`${stor}/dir/nowhere`, 'x']])).saved, [false]);
  for (const home of homes) fs.rmSync(home);
  for (const home of homes) fs.renameSync(`${home}.away`, home);
  t.equal((await ask('HEAD', `${stor}/dir/nowhere`)).status, 404);
  t.same((await save([[`${stor}/dir/nowhere`, 'x']])).saved, [true]);
  t.equal((await ask('GET', `${stor}/dir/nowhere`)).body, 'x');
});
