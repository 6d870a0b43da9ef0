/** Buckets: configuration, versions, reindexing, access paths and counts. */
import t from 'tap';
import { createLogger } from '../../../src/common/logging.js';
import { connectMoray } from '../../../src/moray/client/client.js';
import type { BucketConfig } from '../../../src/moray/client/types.js';
import { startTestMoray } from '../../support/moray.js';

const { client, url, kill } = await startTestMoray(t);

async function keys(bucket: string, filter: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of client.findObjects(bucket, filter)) found.push(key);
  return found.sort();
}

t.test('what cannot be a bucket', async (t) => {
  const field = (name: string): BucketConfig => ({ index: { [name]: { type: 'string' } } });
  // biome-ignore format: table
  const cases: readonly (readonly [name: string, config: object, error: string, message: string])[] = [
    ['a-b', { index: {} }, 'InvalidBucketNameError', 'a-b is not a valid bucket name'],
    ['moray', { index: {} }, 'InvalidBucketNameError', 'moray is not a valid bucket name'],
    ['b', field('a_'), 'InvalidBucketConfigError', 'invalid index name "a_"'],
    ['b', field('_ETAG'), 'InvalidBucketConfigError', 'index name "_ETAG" is reserved for use by Moray'],
    ['b', field('morayx'), 'InvalidBucketConfigError', 'index names cannot start with "moray": "morayx"'],
    ['b', { index: { a: {} } }, 'InvalidBucketConfigError', "bucket.index.a should have required property 'type'"],
    ['b', { index: { a: { type: 'string', x: 1 } } }, 'InvalidBucketConfigError', 'bucket.index.a should NOT have additional properties'],
    ['b', { index: { a: { type: 'numrange' } } }, 'InvalidBucketConfigError', 'bucket.index.a.type "numrange" is not supported by this server'],
    ['b', { index: {}, options: { version: 'x' } }, 'InvalidBucketConfigError', 'bucket.options.version should be integer'],
    ['b', { index: {}, options: { trackModification: true } }, 'InvalidBucketConfigError', '"trackModification" is no longer supported'],
    ['b', { index: {}, pre: [() => {}] }, 'NotFunctionError', 'pre (this server runs no triggers) must be [Function]'],
    ['b', { index: { foo: { type: 'string' }, Foo: { type: 'string' } } }, 'InternalError', 'Invalid SQL: column "foo" specified more than once'],
  ];
  for (const [name, config, error, message] of cases) {
    await t.rejects(client.createBucket(name, config as BucketConfig), { name: error, message }, message);
  }
  await client.createBucket('b', { index: {} });
  await t.rejects(client.createBucket('b', { index: {} }), {
    name: 'BucketConflictError',
    message: 'b was likely being concurrently updated',
  });
});

t.test('versions and reindexing', async (t) => {
  const a = { a: { type: 'string' } };
  const both = { ...a, size: { type: 'number' } };
  await client.putBucket('versions', { index: a, options: { version: 2 } });
  await client.putObject('versions', 'old', { a: 'x', size: '5' });
  await client.putBucket('versions', { index: both, options: { version: 3 } });
  t.same((await client.getBucket('versions')).reindex_active, { 3: ['size'] });
  await t.rejects(keys('versions', '(size=5)'), { name: 'InvalidQueryError' }, 'not usable yet');
  t.equal((await client.getObject('versions', 'old')).value['size'], '5');
  await t.rejects(client.updateObjects('versions', { size: 1 }, '(a=x)'), {
    message:
      'versions does not have indexes that support {"size":1}. Reindexing fields: [ \'size\' ]. Unindexed fields: []',
  });
  await client.putObject('versions', 'new', { a: 'x', size: 7 });
  t.same(await client.reindexObjects('versions', 10), { processed: 1, remaining: 0 });
  t.same(await client.reindexObjects('versions', 10), { processed: 0, remaining: 0 });
  t.same(await client.reindexObjects('versions', 10), { processed: 0 });
  t.same(await keys('versions', '(size>=5)'), ['new', 'old']);
  t.equal((await client.getObject('versions', 'old')).value['size'], 5);
  await client.putBucket('versions', { index: both, options: { version: 3 } });
  await t.rejects(client.putBucket('versions', { index: a, options: { version: 1 } }), {
    name: 'BucketVersionError',
    message: 'versions has a newer version than 1 (3)',
  });
  await client.putBucket('versions', { index: a, options: { version: 4 } });
  t.same((await client.getObject('versions', 'old')).value, { a: 'x', size: 5 }, 'a field may go');
});

t.test('a bucket and its objects go together', async (t) => {
  await client.putBucket('gone', { index: {} });
  await client.putObject('gone', 'k', {});
  await client.delBucket('gone');
  await t.rejects(client.getObject('gone', 'k'), { name: 'BucketNotFoundError' });
  await client.putBucket('gone', { index: {} });
  await t.rejects(client.getObject('gone', 'k'), { name: 'ObjectNotFoundError' });
});

t.test('fields without an access path are found all the same', async (t) => {
  const index = { worker: { type: 'string' }, state: { type: 'string' }, id: { type: 'string', unique: true } };
  const accessPaths = [{ fields: ['worker', 'state'] }, { fields: ['_id'], absent: ['worker'] }];
  await client.putBucket('paths', { index, options: { version: 1, accessPaths } });
  await client.putObject('paths', 'a', { worker: 'w', state: 'done', id: '1' });
  await client.putObject('paths', 'b', { state: 'queued', id: '2' });
  t.same(await keys('paths', '(state=done)'), ['a']);
  t.same(await keys('paths', '(&(!(worker=*))(!(state=done)))'), ['b']);
  await t.rejects(client.putObject('paths', 'c', { id: '2' }), { name: 'UniqueAttributeError' });
  await client.putBucket('paths', { index, options: { version: 2, accessPaths: [{ fields: ['state'] }] } });
  t.same(await keys('paths', '(worker=w)'), ['a']);
  await t.rejects(client.createBucket('badpaths', { index, options: { accessPaths: [{ fields: ['nothing'] }] } }), {
    message: 'bucket.options.accessPaths[0].fields names "nothing", which is not indexed',
  });
});

t.test('countBy keeps a count per value', async (t) => {
  const index = { dirname: { type: 'string' }, n: { type: 'number' } };
  const entries = async (key: string) => {
    try {
      return (await client.getObject('counts', key)).value['entries'];
    } catch {
      return 0; // the count goes with the last
    }
  };
  await client.putBucket('dirs', { index, options: { version: 1 } });
  await client.putObject('dirs', '/a/0', { dirname: '/a', n: 0 });
  const countBy = { bucket: 'counts', attribute: 'dirname' };
  await client.putBucket('dirs', { index, options: { version: 2, countBy } });
  t.equal(await entries('/a'), 1, 'what was there is counted');
  await client.putObject('dirs', '/a/1', { dirname: '/a', n: 1 });
  await client.putObject('dirs', '/a/1', { dirname: '/a', n: 1 });
  await client.putObject('dirs', '/b/1', { dirname: '/b', n: 1 });
  t.equal(await entries('/a'), 2, 'an overwrite counts once');
  await t.rejects(
    client.batch([
      { bucket: 'dirs', key: '/a/2', value: { dirname: '/a' } },
      { bucket: 'dirs', key: '/a/1', value: {}, options: { etag: null } },
    ]),
  );
  t.equal(await entries('/a'), 2, 'what was taken back is not counted');
  await client.updateObjects('dirs', { dirname: '/b' }, '(dirname=/a)', { limit: 1 });
  t.same([await entries('/a'), await entries('/b')], [1, 2]);
  await client.delObject('dirs', '/b/1');
  t.equal(await entries('/b'), 1);
  await client.deleteMany('dirs', '(n=*)');
  t.same([await entries('/a'), await entries('/b')], [0, 0]);
});

t.test('notifications', async (t) => {
  await client.putBucket('notes', { index: {} });
  const heard: string[] = [];
  const ends: (Error | null)[] = [];
  let told = () => {};
  const stop = client.listen(
    'news',
    (payload) => {
      heard.push(payload);
      told();
    },
    (cause) => ends.push(cause),
  );
  const next = () =>
    new Promise<void>((resolve) => {
      told = resolve;
    });
  while (heard.length === 0) {
    await client.notify('news', 'are you there?'); // nothing else says that listening has begun
    await client.ping();
  }
  heard.length = 0;
  let wait = next();
  const notify = [
    ['news', 'one'],
    ['news', 'one'],
    ['other', 'x'],
  ] as const;
  await t.rejects(
    client.batch([{ bucket: 'notes', key: 'k', value: {}, options: { etag: 'ABCD1234' } }], {
      notify: [['news', 'no']],
    }),
  );
  await client.batch([{ bucket: 'notes', key: 'k', value: {} }], { notify });
  await wait;
  wait = next();
  await client.notify('news', 'two');
  await wait;
  t.same(heard, ['one', 'two'], 'at commit only, equal ones once');
  stop();
  await client.notify('news', 'three');
  t.same(heard, ['one', 'two']);
  await t.rejects(client.notify('x'.repeat(64), 'y'), { name: 'error', message: 'channel name too long' });
  t.same(ends, []);
});

t.test('host names are resolved by the system', async (t) => {
  const log = createLogger({ name: 'test', level: 'fatal' });
  const other = await connectMoray({ url: `tcp://localhost:${new URL(url).port}`, log });
  await other.ping();
  await other.close();
  await t.rejects(connectMoray({ url: 'tcp://127.0.0.1:1', log, failFast: true }), { name: 'MorayConnectError' });
  await t.rejects(connectMoray({ url: '127.0.0.1:2020', log }), { name: 'MorayUrlError' });
});

t.test('a listener is told when the server is gone', async (t) => {
  const ended = new Promise<Error | null>((resolve) => {
    client.listen('news', () => {}, resolve);
  });
  await client.ping();
  await kill();
  t.ok((await ended) instanceof Error);
});
