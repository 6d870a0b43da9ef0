/** The published storage commands, unmodified, against a real front door, Moray and two storage nodes. */
import crypto from 'node:crypto';
import t from 'tap';
import { startTestFrontdoor } from '../../support/frontdoor.js';

t.setTimeout(180_000); // each command is a process of its own

t.test('the published storage commands work', async (t) => {
  const frontdoor = await startTestFrontdoor(t);
  const { run } = frontdoor;
  const succeeds = async (command: string, args: readonly string[], stdin?: string | Buffer): Promise<string> => {
    const { status, stdout, stderr } = await run(command, args, stdin === undefined ? {} : { stdin });
    t.equal(status, 0, `${command} ${args.join(' ')}${status === 0 ? '' : `: ${stderr}`}`);
    return stdout;
  };

  t.equal(await succeeds('mls', ['~~']), 'jobs/\npublic/\nreports/\nstor/\nuploads/\n', 'every account has its roots');
  t.equal(await succeeds('mls', []), '', 'which are empty');
  await succeeds('mmkdir', ['-p', '~~/stor/a/b']);
  await succeeds('mmkdir', ['-p', '~~/stor/a/b']);
  await succeeds('mput', ['-q', '~~/stor/a/b/poem.txt'], 'to be or not\n');
  t.equal(await succeeds('mget', ['-q', '~~/stor/a/b/poem.txt']), 'to be or not\n', 'bytes come back');
  t.equal(await succeeds('mls', ['~~/stor/a']), 'b/\n', 'directories end in a slash');
  t.equal(await succeeds('mfind', ['-t', 'o', '~~/stor']), '/wilma/stor/a/b/poem.txt\n', 'mfind finds the object');

  const digest = crypto.createHash('md5').update('to be or not\n').digest('hex');
  t.match(await succeeds('mmd5', ['~~/stor/a/b/poem.txt']), digest, 'the digest is that of the bytes');
  await succeeds('mln', ['~~/stor/a/b/poem.txt', '~~/stor/link']);
  await succeeds('mrm', ['~~/stor/a/b/poem.txt']);
  t.equal(await succeeds('mget', ['-q', '~~/stor/link']), 'to be or not\n', 'a link outlives its source');
  await succeeds('mchattr', ['-H', 'm-color: red', '~~/stor/link']);
  const info = await succeeds('minfo', ['~~/stor/link']);
  t.match(info, /^m-color: red$/m, 'attributes are stored');
  t.match(info, /^durability-level: 2$/m, 'there are two copies');

  const url = (await succeeds('msign', ['~~/stor/link'])).trim();
  const answer = await fetch(url);
  t.equal(await answer.text(), 'to be or not\n', 'a signed URL opens the object to anybody');
  t.equal((await fetch(url.replace(/signature=.../, 'signature=abc'))).status, 403, 'unless it was changed');

  t.match((await run('mput', ['-q', '~~/stor/no/such/x'], { stdin: 'x' })).stderr, 'DirectoryDoesNotExistError');
  await succeeds('mput', ['-q', '-p', '~~/stor/now/there/x'], 'x');
  t.equal(await succeeds('mget', ['-q', '~~/stor/now/there/x']), 'x', 'mput -p makes the directories and tries again');
  t.match((await run('mrmdir', ['~~/stor/now'])).stderr, 'is not empty', 'a full directory stays');
  await succeeds('mrm', ['-r', '~~/stor/now']);
  await succeeds('mrm', ['-r', '~~/stor/a']);
  t.equal(await succeeds('mls', ['~~/stor']), 'link\n', 'what was removed is gone');
});

t.test('names may contain anything', async (t) => {
  const { run } = await startTestFrontdoor(t);
  const name = `~~/stor/sp ace "quoted" 100% #1 ü\\b?&=+`;
  t.equal((await run('mput', ['-q', name], { stdin: 'odd' })).status, 0, 'put');
  t.equal((await run('mget', ['-q', name])).stdout, 'odd', 'get');
  t.equal((await run('mrm', [name])).status, 0, 'remove');
});
