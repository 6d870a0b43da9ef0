import t from 'tap';
import { canonicalDisposition } from '../../../../src/frontdoor/objects/disposition.js';
import { headersToReturn, headersToStore } from '../../../../src/frontdoor/objects/stored-headers.js';

t.test('what belongs to the user, to caches and to browsers is kept, and nothing else', async (t) => {
  const headers = { 'm-color': 'red', 'cache-control': 'no-cache', host: 'x', 'access-control-max-age': '1' };
  const kept = { 'm-color': 'red', 'Cache-Control': 'no-cache', 'access-control-max-age': '1' };
  t.same(headersToStore(headers), kept);
});

t.test('user headers beyond 4096 bytes are dropped', async (t) => {
  const kept = headersToStore({ 'm-a': 'x'.repeat(4000), 'm-b': 'y'.repeat(96), 'm-c': 'z' });
  t.same(Object.keys(kept), ['m-a', 'm-b']);
});

t.test('who asks decides which CORS headers are given back', async (t) => {
  const stored = {
    'm-a': '1',
    'access-control-allow-origin': 'http://a, http://b',
    'access-control-allow-methods': 'PUT',
  };
  t.same(headersToReturn(stored, 'GET', undefined), stored, 'all of them to nobody in particular');
  t.same(headersToReturn(stored, 'GET', 'http://c'), { 'm-a': '1' }, 'none to a stranger');
  const forFriend = { 'm-a': '1', 'access-control-allow-origin': 'http://b' };
  t.same(headersToReturn(stored, 'GET', 'http://b'), forFriend, 'those that apply to a friend');
});

t.test('a content disposition is brought into one form', async (t) => {
  t.equal(canonicalDisposition('Attachment;filename="a b.txt"'), 'attachment; filename="a b.txt"');
  t.equal(canonicalDisposition('inline'), 'inline');
  t.throws(() => canonicalDisposition('attachment; filename='), { name: 'BadRequestError' });
  t.throws(() => canonicalDisposition(''), { name: 'BadRequestError' });
});
