/** Public directories in a browser. */
import t from 'tap';
import { startTestFrontdoor } from '../../support/frontdoor.js';

const { ask, run } = await startTestFrontdoor(t);
const browser = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
const page = (path: string, accept = browser) => ask('GET', path, { as: null, headers: accept });

t.test('a browser gets a page, everybody else the lines', async (t) => {
  const nasty = `<script>alert("1")</script>&'ü`.replace('/', '');
  await ask('PUT', `/wilma/public/${encodeURIComponent(nasty)}`, { body: 'abc' });
  await ask('PUT', '/wilma/public/sub', { headers: { 'content-type': 'application/json; type=directory' } });
  const { status, headers, body } = await page('/wilma/public');
  t.equal(status, 200);
  t.equal(headers['content-type'], 'text/html; charset=utf-8');
  t.match(headers['content-security-policy'], /^default-src 'none';/);
  t.notMatch(body, /<script/);
  t.match(body, '&lt;script&gt;alert(&quot;1&quot;)&lt;script&gt;&amp;&#39;ü</bdi></a></td><td>3</td>');
  t.match(body, '<a href="/wilma/public/sub"><bdi>sub/</bdi></a>');
  const links = [...body.matchAll(/href="([^"]*)"/g)].map(([, href = '']) => href.replaceAll('&#39;', "'"));
  for (const link of links) t.equal((await page(link)).status, 200, `${link} leads somewhere`);
  t.match((await page('/wilma/public/sub')).body, '<a href="/wilma/public" aria-label="parent directory">');
  t.equal(
    (await ask('HEAD', '/wilma/public', { as: null, headers: browser })).headers['content-type'],
    headers['content-type'],
  );

  for (const accept of ['*/*', 'application/json, */*', 'text/html;q=0', 'text/plain', 'application/x-json-stream']) {
    const lines = await page('/wilma/public', { accept });
    t.equal(lines.headers['content-type'], 'application/x-json-stream; type=directory', accept);
    t.equal(lines.headers['vary'], 'Accept');
  }
  t.equal((await run('mls', ['/wilma/public'])).stdout, `${nasty}\nsub/\n`);
  t.equal((await page('/wilma/stor')).status, 403, 'what is private stays so');
  const own = await ask('GET', '/wilma/stor', { headers: browser });
  t.equal(own.headers['content-type'], 'application/x-json-stream; type=directory');
});

t.test('long directories go on on the next page', async (t) => {
  for (const name of ['a', 'b', 'c']) await ask('PUT', `/fred/public/${name}`, { as: 'fred' });
  const first = (await page('/fred/public?limit=2')).body;
  t.match(first, '<a rel="next" href="?limit=2&amp;marker=b">More</a>');
  const second = (await page('/fred/public?limit=2&marker=b')).body;
  t.match(second, /<bdi>b<.*\n.*<bdi>c</);
  t.notMatch((await page('/fred/public?limit=9')).body, 'rel="next"');
});
