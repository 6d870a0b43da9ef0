/** An existing store gets what a newer version of a bucket asks for, and keeps what is in it. */
import path from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { ensureBuckets } from '../../../src/bus/ensure-buckets.js';
import { systemClock } from '../../../src/common/clock.js';
import { createLogger } from '../../../src/common/logging.js';
import { absent, and, eq, present } from '../../../src/moray/client/filter.js';
import type { MorayClient } from '../../../src/moray/client/types.js';
import type { AccessPath, BucketConfig } from '../../../src/records/bucket-config.js';
import { bucketConfigs, type OwnBucketName } from '../../../src/records/bucket-configs.js';
import { defaultBuckets } from '../../../src/records/buckets.js';
import { domainQueries } from '../../../src/supervisor/queries.js';
import { startTestMoray } from '../../support/moray.js';

const log = createLogger({ name: 'test', level: 'fatal' });
const moray = await startTestMoray(t);
const { client } = moray;
const reindexed: string[] = [];
const watched: MorayClient = {
  ...client,
  reindexObjects(bucket, count) {
    reindexed.push(bucket);
    return client.reindexObjects(bucket, count);
  },
};
const ensure = () => ensureBuckets({ moray: watched, buckets: defaultBuckets, clock: systemClock, log });

function withPaths(name: OwnBucketName, version: number, accessPaths: readonly AccessPath[]): BucketConfig {
  return { ...bucketConfigs[name], options: { version, accessPaths } };
}

const jobPaths = [{ fields: ['worker', 'state'] }, { fields: ['state'] }, { fields: ['owner', 'state'] }];
const inputPaths = [{ fields: ['jobId', 'phaseNum'] }, { fields: ['taskId'] }];
await client.createBucket(defaultBuckets.job, withPaths('job', 4, jobPaths));
await client.createBucket(defaultBuckets.taskinput, withPaths('taskinput', 6, inputPaths));

const job = { worker: 'sup', state: 'running' };
for (const jobId of ['a', 'b', 'c']) await client.putObject(defaultBuckets.job, jobId, { ...job, jobId });
await client.putObject(defaultBuckets.job, 'd', { ...job, jobId: 'd', timeCancelled: '2026-01-01T00:00:00.000Z' });
await client.putObject(defaultBuckets.taskinput, 'i', { taskInputId: 'i', taskId: 't', jobId: 'j', phaseNum: 1 });
const before = await client.getObject(defaultBuckets.job, 'd');

function indexesOf(bucket: string): string[] {
  const database = new Database(path.join(moray.directory, 'moray.db'), { readonly: true });
  const rows = database
    .prepare(`SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name LIKE ? || '_%'`)
    .all(bucket) as readonly { readonly sql: string }[];
  database.close();
  return rows.map(({ sql }) => sql.replace(/^.* ON "?\w+"? /, '')).sort();
}

/** How the store would search: `EXPLAIN QUERY PLAN` of the statement that the server itself names. */
async function wayOf(bucket: string, filter: string): Promise<string> {
  const [described] = await all(client.findObjects(bucket, filter, { sql_only: true, no_count: true } as object));
  const { query, args } = described as unknown as { query: string; args: readonly (string | number)[] };
  const database = new Database(path.join(moray.directory, 'moray.db'), { readonly: true });
  const steps = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all(...args) as readonly { readonly detail: string }[];
  const [, index = ''] = /USING INDEX (\w+)/.exec(steps.map(({ detail }) => detail).join('; ')) ?? [];
  const [row] = database.prepare('SELECT sql FROM sqlite_master WHERE name = ?').all(index) as { sql: string }[];
  database.close();
  return row?.sql.replace(/^.* ON "?\w+"? /, '') ?? 'none';
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

t.test('an access path that came with a version is made for what was there before', async (t) => {
  const cancelled = domainQueries.jobsCancelled.filter('sup');
  t.notMatch(indexesOf(defaultBuckets.job).join('\n'), /timeCancelled/);
  await ensure();
  for (const name of ['job', 'taskinput'] as const) {
    const { version, accessPaths = [] } = bucketConfigs[name].options;
    t.equal((await client.getBucket(defaultBuckets[name])).options?.version, version);
    const uniqueCount = Object.values(bucketConfigs[name].index).filter(({ unique }) => unique === true).length;
    t.equal(indexesOf(defaultBuckets[name]).length, accessPaths.length + uniqueCount, `${name}: an index per path`);
  }
  t.match(await wayOf(defaultBuckets.job, cancelled), /timeCancelled" IS NOT NULL/);
  const found = await all(client.findObjects(defaultBuckets.job, cancelled, { no_count: true }));
  t.match(found, [before], 'the record is found, and is as it was');
  const lap = and(eq('taskId', 't'), absent('wantInputRemoved'));
  t.match(await wayOf(defaultBuckets.taskinput, lap), /"taskId", "wantInputRemoved"/);
  t.same(reindexed, [], 'no record was written for it');
});

t.test('a field that came with a version is filled in before anybody searches for it', async (t) => {
  const { timeCommitted: _, ...fewer } = bucketConfigs.error.index;
  await client.delBucket(defaultBuckets.error);
  await client.createBucket(defaultBuckets.error, { index: fewer, options: { version: 1 } });
  await client.putObject(defaultBuckets.error, 'e', { jobId: 'j', timeCommitted: '2026-01-01T00:00:00.000Z' });
  await ensure();
  t.ok(reindexed.includes(defaultBuckets.error));
  const found = await all(client.findObjects(defaultBuckets.error, present('timeCommitted'), { requireIndexes: true }));
  t.same(
    found.map(({ key }) => key),
    ['e'],
  );
});
