import type { IncomingHttpHeaders } from 'node:http';
import t from 'tap';
import { judgeConditions } from '../../../../src/frontdoor/objects/conditions.js';

const mtimeMs = Date.parse('2020-01-01T00:00:00.500Z');
const target = { etag: 'e1', mtimeMs };
const at = 'Wed, 01 Jan 2020 00:00:00 GMT';
const before = 'Tue, 31 Dec 2019 00:00:00 GMT';

// biome-ignore format: table
const cases: readonly [method: string, headers: IncomingHttpHeaders, exists: boolean, status: string, title: string][] = [
  ['GET', {}, true, 'go on', 'no condition, no objection'],
  ['PUT', { 'if-match': 'e1' }, true, 'go on', 'the tag that is there'],
  ['PUT', { 'if-match': '"e1"' }, true, 'go on', 'quotes do not matter'],
  ['PUT', { 'if-match': 'W/"e1"' }, true, 'go on', 'nor does weakness'],
  ['PUT', { 'if-match': 'e0, e1' }, true, 'go on', 'one of a list'],
  ['PUT', { 'if-match': '*' }, true, 'go on', 'any tag'],
  ['PUT', { 'if-match': 'e2' }, true, 'failed', 'another tag'],
  ['PUT', { 'if-match': 'e1' }, false, 'failed', 'nothing has no tag'],
  ['GET', { 'if-none-match': 'e1' }, true, 'not modified', 'a reader has it already'],
  ['PUT', { 'if-none-match': 'e1' }, true, 'failed', 'a writer must not overwrite it'],
  ['PUT', { 'if-none-match': '*' }, true, 'failed', 'a writer must not overwrite anything'],
  ['PUT', { 'if-none-match': '*' }, false, 'go on', 'nothing is there to be overwritten'],
  ['GET', { 'if-none-match': 'e2' }, true, 'go on', 'a reader has something else'],
  ['GET', { 'if-modified-since': at }, true, 'not modified', 'seconds decide, not milliseconds'],
  ['GET', { 'if-modified-since': before }, true, 'go on', 'newer than what the reader has'],
  ['PUT', { 'if-modified-since': at }, true, 'failed', 'not modified since, for a writer'],
  ['GET', { 'if-unmodified-since': at }, true, 'go on', 'as old as was asked for'],
  ['GET', { 'if-unmodified-since': before }, true, 'failed', 'modified since'],
  ['GET', { 'if-modified-since': 'yesterday-ish' }, true, 'go on', 'a date that is none is no condition'],
  ['GET', { 'if-none-match': 'e2', 'if-modified-since': at }, true, 'go on', 'tags are more exact than dates'],
];
for (const [method, headers, exists, status, title] of cases) {
  t.equal(judgeConditions(method, headers, exists ? target : undefined).status, status, `${method}: ${title}`);
}
