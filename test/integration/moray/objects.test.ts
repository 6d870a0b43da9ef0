/** Objects through the client, against a real server. */
import fc from 'fast-check';
import t from 'tap';
import { and, eq, ge, not, or, present } from '../../../src/moray/client/filter.js';
import type { FindOptions, MorayClient, MorayObject } from '../../../src/moray/client/types.js';
import { startTestMoray } from '../../support/moray.js';

const { client } = await startTestMoray(t);

const config = {
  index: {
    name: { type: 'string' },
    state: { type: 'string' },
    size: { type: 'number' },
    done: { type: 'boolean' },
    serial: { type: 'string', unique: true },
    tags: { type: '[string]' },
  },
  options: { version: 1 },
};

async function keys(bucket: string, filter: string, options: FindOptions = {}): Promise<string[]> {
  return (await all(bucket, filter, options)).map(({ key }) => key);
}

async function all(bucket: string, filter: string, options: FindOptions = {}): Promise<MorayObject[]> {
  const found: MorayObject[] = [];
  for await (const object of client.findObjects(bucket, filter, options)) found.push(object);
  return found;
}

async function putAll(bucket: string, objects: Readonly<Record<string, object>>, to: MorayClient = client) {
  await to.putBucket(bucket, config);
  for (const [key, value] of Object.entries(objects)) await to.putObject(bucket, key, value);
}

t.test('an object is read as it was put', async (t) => {
  await putAll('plain', {});
  const { etag } = await client.putObject('plain', 'k', { str: 'hi' });
  t.equal(etag, 'D8E9FBD4');
  const object = await client.getObject('plain', 'k');
  t.match(object, { bucket: 'plain', key: 'k', value: { str: 'hi' }, _id: 1, _etag: 'D8E9FBD4', _count: null });
  t.equal((await client.putObject('plain', 'k', { a: 'é€😀x' })).etag, '0E4E499F');
  t.equal((await client.getObject('plain', 'k'))._id, 1, 'an overwrite keeps its place');
  await client.delObject('plain', 'k');
  await t.rejects(client.getObject('plain', 'k'), { name: 'ObjectNotFoundError', message: 'plain::k does not exist' });
  await t.rejects(client.delObject('plain', 'k'), { name: 'ObjectNotFoundError' });
  await t.rejects(client.getObject('nowhere', 'k'), { name: 'BucketNotFoundError', message: 'nowhere does not exist' });
});

t.test('whatever is put is what get returns', async () => {
  await client.createBucket('anything', { index: {} });
  const key = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !text.includes('\0'));
  const value = fc.dictionary(fc.string(), fc.jsonValue()).filter((members) => !('hasOwnProperty' in members));
  const property = fc.asyncProperty(key, value, async (key, value) => {
    await client.putObject('anything', key, value);
    const stored = (await client.getObject('anything', key)).value;
    return JSON.stringify(stored) === JSON.stringify(JSON.parse(JSON.stringify(value)));
  });
  await fc.assert(property, { numRuns: 60 });
});

t.test('conditional puts', async (t) => {
  await putAll('conditional', {});
  await t.rejects(client.putObject('conditional', 'k', {}, { etag: 'ABCD1234' }), {
    name: 'EtagConflictError',
    message: 'conditional::k was expected to have etag "ABCD1234", but was "null"',
    context: { bucket: 'conditional', key: 'k', expected: 'ABCD1234', actual: 'null' },
  });
  const { etag } = await client.putObject('conditional', 'k', { n: 1 }, { etag: null });
  await t.rejects(client.putObject('conditional', 'k', { n: 2 }, { etag: null }), {
    name: 'EtagConflictError',
    context: { expected: 'null', actual: etag },
  });
  await client.putObject('conditional', 'k', { n: 2 }, { etag });
  await t.rejects(client.delObject('conditional', 'k', { etag }), { name: 'EtagConflictError' });
});

t.test('of many conditional puts at once exactly one wins', async (t) => {
  await putAll('race', {});
  const { etag } = await client.putObject('race', 'k', { winner: 'nobody' });
  const puts = Array.from({ length: 20 }, (_, winner) => client.putObject('race', 'k', { winner }, { etag }));
  const results = await Promise.allSettled(puts);
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
});

t.test('columns overlay the value', async (t) => {
  await putAll('overlay', { k: { state: true, name: 7, size: '42', done: 'TRUE', tags: 'one', other: 1 } });
  const { value } = await client.getObject('overlay', 'k');
  t.same(value, { state: 'true', name: '7', size: 42, done: true, tags: ['one'], other: 1 });
  const { count, etag } = await client.updateObjects('overlay', { state: 'false' }, '(name=7)');
  t.equal(count, 1);
  t.match(etag, /^u[0-9a-f]{7}$/);
  const updated = await client.getObject('overlay', 'k');
  t.equal(updated.value['state'], 'false');
  t.equal(updated._etag, etag);
  await client.putObject('overlay', 'odd', { size: 'abc', name: ['a', 'b'], state: null });
  t.same((await client.getObject('overlay', 'odd')).value, { size: null, name: ['a', 'b'], state: null });
  t.same(await keys('overlay', '(size>=1)'), ['k'], 'what is no number is not above any');
  await t.rejects(client.putObject('overlay', 'bad', { done: 'perhaps' }), {
    name: 'InvalidIndexTypeError',
    message: 'index(done) is of type boolean',
  });
});

t.test('unique attributes', async (t) => {
  await putAll('unique', { a: { serial: 's1' }, b: {}, c: {} });
  await t.rejects(client.putObject('unique', 'd', { serial: 's1' }), {
    name: 'UniqueAttributeError',
    message: '"serial" is a unique attribute; value "s1" already exists',
  });
  await t.rejects(
    client
      .updateObjects('unique', { serial: 's1' }, '(serial=s1)')
      .then(() => client.putObject('unique', 'b', { serial: 's1' })),
    {
      name: 'UniqueAttributeError',
    },
  );
});

t.test('searches', async (t) => {
  await putAll('find', {
    a: { name: 'foo', size: 1, done: true, tags: ['x', 'y'], free: 'one' },
    b: { name: 'bar', size: 2, done: false, tags: ['y'], free: 'two' },
    c: { name: 'foobar', size: 10, state: 'open' },
    d: { name: 'a_*b' },
    e: { size: 3 },
  });
  // biome-ignore format: table
  const cases: readonly (readonly [filter: string, expected: readonly string[]])[] = [
    ['(name=foo)', ['a']], ['name=foo', ['a']], ['(size>=2)', ['b', 'c', 'e']], ['(size<=2)', ['a', 'b']],
    ['(done=true)', ['a']], ['(done=FALSE)', ['b']], ['(state=*)', ['c']], ['(!(state=*))', ['a', 'b', 'd', 'e']],
    ['(!(name=foo))', ['b', 'c', 'd', 'e']], ['(!(size>=2))', ['a', 'd']], ['(name=foo*)', ['a', 'c']],
    ['(name=*bar)', ['b', 'c']], ['(name=*o*a*)', ['c']], ['(name=a_\\**)', ['d']], ['(!(name=foo*))', ['b', 'd', 'e']],
    ['(tags=y)', ['a', 'b']], ['(!(tags=x))', ['b']], ['(tags=*)', ['a', 'b']],
    ['(name:caseIgnoreMatch:=FOO)', ['a']], ['(name:caseIgnoreSubstringsMatch:=*BAR)', ['b', 'c']],
    ['(&(size>=1)(free=one))', ['a']], ['(&(size>=1)(!(free=one)))', ['b', 'c', 'e']],
    ['(!(&(size>=1)(free=one)))', ['b', 'c', 'd', 'e']], ['(|(name=foo)(size=3))', ['a', 'e']],
    ['(!(|(name=foo)(size=3)))', ['b', 'c', 'd']], ['(_key=c)', ['c']], ['(_id>=4)', ['d', 'e']],
    ['(&(_id>=1)(_id<=2))', ['a', 'b']], ['(size:within:=[2,10\\))', ['b', 'e']], ['(size=abc)', []],
  ];
  for (const [filter, expected] of cases) t.same((await keys('find', filter)).sort(), expected, filter);
  const all5 = or(...Array.from({ length: 3000 }, (_, n) => eq('size', n)));
  t.equal((await keys('find', all5)).length, 4, 'a list of thousands');
});

t.test('sort, limit, offset and count', async (t) => {
  await putAll('page', { a: { size: 3 }, b: { size: 1 }, c: { size: 2 }, d: { name: 'x' } });
  const sorted = (order: 'ASC' | 'DESC', more: FindOptions = {}) =>
    keys('page', '(_id>=0)', { sort: { attribute: 'size', order }, ...more });
  t.same(await sorted('ASC'), ['b', 'c', 'a', 'd'], 'missing values come last');
  t.same(await sorted('DESC'), ['d', 'a', 'c', 'b']);
  t.same(await sorted('ASC', { limit: 2, offset: 1 }), ['c', 'a']);
  const limited = await all('page', '(size=*)', { limit: 1 });
  t.same(
    limited.map((object) => object._count),
    [3],
  );
  t.notOk('_count' in ((await all('page', '(size=*)', { limit: 1, no_count: true }))[0] ?? { _count: 0 }));
  await t.rejects(keys('page', '(size=*)', { sort: { attribute: 'x"; drop table page' } }), {
    name: 'error',
    message: 'column "x"; drop table page" does not exist',
  });
});

t.test('bad searches', async (t) => {
  await putAll('bad', { a: { name: 'x' } });
  // biome-ignore format: table
  const cases: readonly (readonly [filter: string, name: string, message: string])[] = [
    ['(a>5)', 'InvalidQueryError', '(a>5) is an invalid filter'],
    ['((name=x)', 'InvalidQueryError', '((name=x) is an invalid filter'],
    ['(done=maybe)', 'InvalidQueryError', '(done=maybe) is an invalid filter'],
    ['(other=x)', 'InvalidQueryError', '(other=x) is an invalid filter'],
    ['(&(other=x)(more=y))', 'NotIndexedError', 'bad does not have indexes that support (&(other=x)(more=y))'],
    ['(|(name=x)(more=y))', 'NotIndexedError', 'bad does not have indexes that support (|(name=x)(more=y))'],
    ['(name~=x)', 'Error', 'approx filters not allowed'],
    ['(_idx=1)', 'Error', 'filtering on "_idx" is not allowed'],
  ];
  for (const [filter, name, message] of cases) await t.rejects(keys('bad', filter), { name, message }, filter);
  await t.rejects(keys('bad', '(&(name=x)(other=y))', { requireIndexes: true }), {
    name: 'NotIndexedError',
    message:
      "bad does not have indexes that support (&(name=x)(other=y)). Reindexing fields: []. Unindexed fields: [ 'other' ]",
  });
  await t.rejects(client.updateObjects('bad', { other: 1 }, '(name=x)'), {
    name: 'NotIndexedError',
    message: 'bad does not have indexes that support {"other":1}',
  });
  await t.rejects(client.updateObjects('bad', { name: null }, '(name=x)'), { name: 'NotNullableError' });
  await t.rejects(client.updateObjects('bad', {}, '(name=x)'), {
    name: 'FieldUpdateError',
    message: '{} is not a valid update definition',
  });
});

t.test('no value breaks out of a filter', async () => {
  await client.createBucket('escape', { index: { name: { type: 'string' }, rest: { type: 'string' } } });
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
  const property = fc.asyncProperty(text, text, async (name, rest) => {
    await client.putObject('escape', 'k', { name, rest });
    const [hit] = await keys('escape', and(eq('name', name), ge('rest', rest), present('rest')));
    const [miss] = await keys('escape', not(eq('name', name)));
    return hit === 'k' && miss === undefined;
  });
  await fc.assert(property, { numRuns: 60 });
});

t.test('updates and deletes of many take up to their limit', async (t) => {
  await putAll('many', Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`k${n}`, { name: 'x', size: n }])));
  t.match(await client.updateObjects('many', { state: 'seen' }, '(!(state=*))', { limit: 5 }), { count: 5 });
  t.match(await client.updateObjects('many', { state: 'seen' }, '(!(state=*))', { limit: 10 }), { count: 7 });
  t.same(await client.deleteMany('many', '(size>=10)'), { count: 2 });
  t.same(await client.deleteMany('many', '(name=x)', { limit: 4 }), { count: 4 });
  t.equal((await keys('many', '(name=x)')).length, 6);
});

t.test('a batch happens in order and whole, or not at all', async (t) => {
  await putAll('batch', { old: { name: 'old' } });
  const { etags } = await client.batch([
    { bucket: 'batch', key: 'new', value: { name: 'new' } },
    { operation: 'update', bucket: 'batch', filter: '(name=new)', fields: { state: 'seen' } },
    { operation: 'delete', bucket: 'batch', key: 'old' },
    { operation: 'deleteMany', bucket: 'batch', filter: '(name=nobody)' },
    { operation: 'update', bucket: 'batch', filter: '(name=new)', fields: {} },
  ]);
  t.match(etags, [
    { bucket: 'batch', key: 'new', etag: /^[0-9A-F]{8}$/ },
    { bucket: 'batch', count: 1, etag: /^u/, filter: '(name=new)' },
    { bucket: 'batch', key: 'old' },
    { bucket: 'batch', count: 0, filter: '(name=nobody)' },
    { count: 1 },
  ]);
  const conflicting = client.batch([
    { bucket: 'batch', key: 'third', value: {} },
    { bucket: 'batch', key: 'new', value: {}, options: { etag: null } },
  ]);
  await t.rejects(conflicting, { name: 'EtagConflictError', context: { bucket: 'batch', key: 'new' } });
  await t.rejects(client.getObject('batch', 'third'), { name: 'ObjectNotFoundError' });
  t.same(await client.batch([]), { etags: [] });
});
