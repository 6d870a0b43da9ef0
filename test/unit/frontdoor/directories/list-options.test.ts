import querystring from 'node:querystring';
import t from 'tap';
import { parseListOptions } from '../../../../src/frontdoor/directories/list-options.js';

const plain = {
  limit: 256,
  sort: 'name',
  descending: false,
  type: undefined,
  marker: undefined,
  skipOwnerCheck: false,
};

// biome-ignore format: table
const good: readonly [query: string, change: object][] = [
  ['', {}],
  ['limit=1024', { limit: 1024 }],
  ['marker=a', { marker: 'a' }],
  ['sort_order=reverse', { descending: true }],
  ['sort=mtime', { sort: 'mtime', descending: true }],
  ['sort=mtime&sort_order=reverse', { sort: 'mtime', descending: false }],
  ['sort=mtime&marker=1970-01-01T00:00:01Z', { sort: 'mtime', descending: true, marker: 1000 }],
  ['dir=true', { type: 'directory' }],
  ['object', { type: 'object' }],
  ['dir=1&obj=1', { type: undefined }],
];
for (const [query, change] of good) {
  t.same(
    parseListOptions(querystring.parse(query), false),
    { ok: true, options: { ...plain, ...change } },
    `"${query}"`,
  );
}

// biome-ignore format: table
const bad: readonly [query: string, what: string][] = [
  ['limit=0', 'limit'], ['limit=1025', 'limit'], ['limit=many', 'limit'], ['limit=1.5', 'limit'], ['limit=', 'limit'],
  ['sort=mtime&marker=soon', 'marker'],
  ['sort=none', 'operators only'], ['skip_owner_check=true', 'operators only'],
];
for (const [query, what] of bad) {
  t.match(parseListOptions(querystring.parse(query), false), { ok: false, problem: { what } }, `"${query}" is refused`);
}
t.match(parseListOptions({ sort: 'none' }, true), { ok: true, options: { sort: 'none' } }, 'operators may');
