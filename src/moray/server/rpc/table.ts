/** The RPCs: what each is given, and what it does. */
import { randomUUID } from 'node:crypto';
import { type Channels, checkNotification } from '../channels.js';
import type { Engine, JsonObject, Notification } from '../engines/engine.js';
import { database, MorayError, plain } from '../errors.js';
import type { Request } from '../framing/connection.js';
import type { RequestOptions } from '../query.js';
import { type Argument, argument } from './arguments.js';
import { batchItem } from './batch.js';

export interface RpcContext {
  readonly engine: Engine;
  readonly channels: Channels;
}

export interface Rpc {
  readonly name: string;
  readonly args: readonly Argument[];
  /** Answers with rows and end, or throws. Arguments have been checked. */
  readonly run: (context: RpcContext, args: readonly unknown[], request: Request) => Promise<void>;
}

const { string, object, integer, array, options, requests } = argument;

// biome-ignore format: table
export const rpcs: readonly Rpc[] = [
  { name: 'createBucket', args: [string('bucket'), object('config'), options], run: createBucket },
  { name: 'updateBucket', args: [string('name'), object('config'), options], run: updateBucket },
  { name: 'getBucket', args: [options, string('bucket')], run: getBucket },
  { name: 'listBuckets', args: [options], run: listBuckets },
  { name: 'delBucket', args: [string('bucket'), options], run: delBucket },
  { name: 'putObject', args: [string('bucket'), string('key'), object('value'), options], run: putObject },
  { name: 'getObject', args: [string('bucket'), string('key'), options], run: getObject },
  { name: 'delObject', args: [string('bucket'), string('key'), options], run: delObject },
  { name: 'findObjects', args: [string('bucket'), string('filter'), options], run: findObjects },
  { name: 'updateObjects', args: [string('bucket'), object('fields'), string('filter'), options], run: updateObjects },
  { name: 'deleteMany', args: [string('bucket'), string('filter'), options], run: deleteMany },
  { name: 'reindexObjects', args: [string('bucket'), integer('count'), options], run: reindexObjects },
  { name: 'batch', args: [requests, options], run: batch },
  { name: 'sql', args: [string('statement'), array('values'), options], run: sql },
  { name: 'ping', args: [options], run: ping },
  { name: 'version', args: [options], run: version },
  { name: 'getTokens', args: [options], run: getTokens },
  { name: 'listen', args: [string('channel'), options], run: listen },
  { name: 'unlisten', args: [string('id'), options], run: unlisten },
];

const protocolVersion = 2;

async function createBucket({ engine }: RpcContext, [bucket, config]: readonly unknown[], request: Request) {
  await engine.createBucket(String(bucket), config as JsonObject);
  request.end();
}

async function updateBucket({ engine }: RpcContext, [name, config, given]: readonly unknown[], request: Request) {
  const tracked = (given as RequestOptions)['no_reindex'] !== true;
  await engine.updateBucket(String(name), config as JsonObject, { tracked });
  request.end();
}

async function getBucket({ engine }: RpcContext, [, bucket]: readonly unknown[], request: Request) {
  request.end([JSON.stringify(await engine.getBucket(String(bucket)))]);
}

async function listBuckets({ engine }: RpcContext, _: readonly unknown[], request: Request) {
  request.end((await engine.listBuckets()).map((row) => JSON.stringify(row)));
}

async function delBucket({ engine }: RpcContext, [bucket]: readonly unknown[], request: Request) {
  await engine.delBucket(String(bucket));
  request.end();
}

async function putObject({ engine }: RpcContext, args: readonly unknown[], request: Request) {
  const [bucket, key, value, given] = args;
  const result = await engine.putObject(String(bucket), String(key), value as JsonObject, given as RequestOptions);
  request.end([JSON.stringify(result)]);
}

async function getObject({ engine }: RpcContext, [bucket, key, given]: readonly unknown[], request: Request) {
  const json = await engine.getObject(String(bucket), String(key));
  const handled = wantsHandledOptions(given) ? [handledOptions(getHandledOptions)] : [];
  request.end([...handled, json]);
}

async function delObject({ engine }: RpcContext, [bucket, key, given]: readonly unknown[], request: Request) {
  const { etag, _etag } = given as { readonly etag?: unknown; readonly _etag?: unknown };
  await engine.delObject(String(bucket), String(key), etag || _etag);
  request.end(['{}']);
}

async function findObjects({ engine }: RpcContext, [bucket, filter, given]: readonly unknown[], request: Request) {
  const onAccepted = () => {
    if (wantsHandledOptions(given)) request.rows([handledOptions(findHandledOptions)]);
  };
  request.end(await engine.findObjects(String(bucket), String(filter), given as RequestOptions, onAccepted));
}

async function updateObjects({ engine }: RpcContext, args: readonly unknown[], request: Request) {
  const [bucket, fields, filter, given] = args;
  const result = await engine.updateObjects(
    String(bucket),
    fields as JsonObject,
    String(filter),
    given as RequestOptions,
  );
  request.end([JSON.stringify(result)]);
}

async function deleteMany({ engine }: RpcContext, [bucket, filter, given]: readonly unknown[], request: Request) {
  const result = await engine.deleteMany(String(bucket), String(filter), given as RequestOptions);
  request.end([JSON.stringify(result)]);
}

async function reindexObjects({ engine }: RpcContext, [bucket, count, given]: readonly unknown[], request: Request) {
  if (Number(count) < 1) throw new MorayError('InvalidArgumentError', `count ${count} < 1`);
  const result = await engine.reindexObjects(String(bucket), Number(count), given as RequestOptions);
  request.end([JSON.stringify(result)]);
}

async function batch({ engine }: RpcContext, [items, given]: readonly unknown[], request: Request) {
  const batchOptions = given as RequestOptions;
  const pairs = (batchOptions['notify'] ?? []) as readonly (readonly [string, string])[];
  const notifications = pairs.map(([channel, payload]) => ({ channel, payload }));
  for (const notification of notifications) checkNotification(notification);
  const etags = await engine.batch(
    (items as readonly JsonObject[]).map((item) => batchItem(item, batchOptions)),
    notifications,
  );
  request.end([JSON.stringify({ etags })]);
}

/** Of SQL only the statement that the published client sends to notify. */
async function sql({ engine }: RpcContext, [statement, values]: readonly unknown[], request: Request) {
  if (String(statement).trim().replace(/;$/, '').toLowerCase() !== 'select pg_notify($1, $2)') {
    throw database('this server runs no SQL but "select pg_notify($1, $2)"');
  }
  const [channel, payload] = values as readonly unknown[];
  const notification: Notification = { channel: String(channel ?? ''), payload: String(payload ?? '') };
  checkNotification(notification);
  await engine.notify(notification);
  request.end(['{"pg_notify":""}']);
}

async function ping({ engine }: RpcContext, [given]: readonly unknown[], request: Request) {
  if ((given as RequestOptions)['deep'] === true) await engine.ping();
  request.end();
}

async function version(_context: RpcContext, _: readonly unknown[], request: Request) {
  request.end([JSON.stringify({ version: protocolVersion })]);
}

async function getTokens() {
  throw plain('Operation not supported');
}

async function listen({ channels }: RpcContext, [channel, given]: readonly unknown[], request: Request) {
  const id = String((given as RequestOptions)['req_id'] ?? randomUUID());
  checkNotification({ channel: String(channel), payload: '' });
  const stop = channels.listen(id, String(channel), {
    onNotification: (notification) => request.rows([JSON.stringify(notification)]),
    onEnd: () => request.end(),
  });
  request.onGone(stop);
}

async function unlisten({ channels }: RpcContext, [id]: readonly unknown[], request: Request) {
  channels.unlisten(String(id));
  request.end();
}

// biome-ignore format: table
const findHandledOptions = [
  'req_id', 'limit', 'offset', 'sort', 'noLimit', 'no_count', 'sql_only', 'noBucketCache', 'timeout',
  'requireOnlineReindexing', 'requireIndexes',
];
const getHandledOptions = ['noBucketCache', 'noCache', 'req_id', 'requireOnlineReindexing', 'timeout'];

/** Clients that must know whether an option is understood ask for this row before the others. */
function wantsHandledOptions(given: unknown): boolean {
  const { internalOpts } = given as { readonly internalOpts?: { readonly sendHandledOptions?: boolean } };
  return internalOpts?.sendHandledOptions === true;
}

function handledOptions(names: readonly string[]): string {
  return JSON.stringify({ _handledOptions: names });
}
