/**
 * The Moray client: promises and async iterables around the published `moray` package, wrapped here once.
 *
 * What the package does not do is done here. It resolves host names by DNS only, so `localhost` may not be found: we
 * ask the system, and hand it an address. Its pauses between connection attempts grow so long that it is still away
 * when a restarted server has been back for half a minute: ours stay short. It delivers the end of a listener in four
 * ways (error, end, no connection at all, client closed): here it is one call of `onEnd`.
 */
import dns from 'node:dns/promises';
import { EventEmitter, once } from 'node:events';
import net from 'node:net';
import moray from 'moray';
import VError from 'verror';
import type { Logger } from '../../common/logging.js';
import type { FindOptions, MorayClient, MorayObject } from './types.js';

interface ConnectOptions {
  /** `tcp://HOST[:PORT]`, port 2020 by default; names are resolved by the system, once. */
  readonly url: string;
  readonly log: Logger;
  /** Reject when no connection can be made, for commands; services wait until there is one. */
  readonly failFast?: boolean;
}

const defaultPort = 2020;
const resolveRetryMs = 1000;

/** Connection attempts: three, with pauses from 50 ms to 1 s; then one per second until the server is back. */
const attempts = { retries: 3, timeout: 2000, maxTimeout: 4000, delay: 50, maxDelay: 1000 };
const recovery = { default: attempts, dns: attempts, dns_srv: { ...attempts, retries: 0 } };

/** Resolves when the first connection is up. @throws with `failFast`: VError `MorayConnectError`. */
export async function connectMoray(options: ConnectOptions): Promise<MorayClient> {
  const { log, url, failFast = false } = options;
  silenceBufferWarning();
  const target = parseUrl(url);
  const host = await resolveHost(target, failFast);
  const client = moray.createClient({
    host,
    port: target.port,
    log: log.child({ component: 'moray' }),
    unwrapErrors: true,
    failFast,
    cueballOptions: { defaultPort: target.port, target: 3, maximum: 6, recovery },
  });
  try {
    await once(client, 'connect');
  } catch (error) {
    throw new VError({ name: 'MorayConnectError', cause: error as Error }, 'Moray at "%s" cannot be reached', url);
  }
  return wrap(client);
}

interface Target {
  readonly host: string;
  readonly port: number;
}

function parseUrl(url: string): Target {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || parsed.protocol !== 'tcp:' || parsed.hostname === '') {
    throw new VError({ name: 'MorayUrlError' }, 'the URL of Moray must be "tcp://HOST[:PORT]", is "%s"', url);
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: parsed.port === '' ? defaultPort : Number(parsed.port) };
}

/** The first address of the name at which something listens, else the first at all. */
async function resolveHost(target: Target, failFast: boolean): Promise<string> {
  if (net.isIP(target.host) !== 0) return target.host;
  for (;;) {
    try {
      const addresses = (await dns.lookup(target.host, { all: true })).map(({ address }) => address);
      for (const address of addresses) if (await accepts({ host: address, port: target.port })) return address;
      if (addresses[0] !== undefined) return addresses[0];
    } catch (error) {
      if (failFast) {
        const text = 'host name "%s" of Moray cannot be resolved';
        throw new VError({ name: 'MorayConnectError', cause: error as Error }, text, target.host);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, resolveRetryMs));
  }
}

async function accepts(target: Target): Promise<boolean> {
  const socket = net.connect({ ...target, timeout: attempts.timeout });
  try {
    await Promise.race([once(socket, 'connect'), once(socket, 'timeout').then(() => Promise.reject(new Error()))]);
    return true;
  } catch {
    return false; // the answer to the question, not a failure
  } finally {
    socket.destroy();
  }
}

/**
 * The package calls `new Buffer` for every message. Node keeps quiet about it, because the caller is a dependency, but
 * to know that it looks at the stack of each of the first 10,000 calls, until it has warned once. This is that warning,
 * unheard.
 */
function silenceBufferWarning(): void {
  const { noDeprecation } = process;
  if (noDeprecation !== true) process.noDeprecation = true; // under --no-deprecation it is, and cannot be written
  new Buffer(0);
  if (noDeprecation === undefined) Reflect.deleteProperty(process, 'noDeprecation');
  else if (!noDeprecation) process.noDeprecation = noDeprecation;
}

function wrap(client: moray.Client): MorayClient {
  return {
    createBucket: (bucket, config) => done((callback) => client.createBucket(bucket, config, {}, callback)),
    putBucket: (bucket, config) => done((callback) => client.putBucket(bucket, config, {}, callback)),
    getBucket: (bucket) => answer((callback) => client.getBucket(bucket, {}, callback)),
    delBucket: (bucket) => done((callback) => client.delBucket(bucket, {}, callback)),
    putObject: (bucket, key, value, options = {}) =>
      answer((callback) => client.putObject(bucket, key, value, { ...options }, callback)),
    getObject: (bucket, key) => answer((callback) => client.getObject(bucket, key, {}, callback)),
    delObject: (bucket, key, options = {}) =>
      done((callback) => client.delObject(bucket, key, { ...options }, callback)),
    updateObjects: (bucket, fields, filter, options = {}) =>
      answer((callback) => client.updateObjects(bucket, fields, filter, { ...options }, callback)),
    deleteMany: (bucket, filter, options = {}) =>
      answer((callback) => client.deleteMany(bucket, filter, { ...options }, callback)),
    // `_value` spares the package a second serialisation of each value: the server ignores it.
    batch: (requests, options = {}) =>
      answer((callback) =>
        client.batch(
          requests.map((request) => ({ ...request, _value: '-' })),
          { ...options },
          callback,
        ),
      ),
    findObjects: (bucket, filter, options = {}) => find(client, bucket, filter, options),
    reindexObjects: (bucket, count) => answer((callback) => client.reindexObjects(bucket, count, {}, callback)),
    ping: (options = {}) => done((callback) => client.ping({ ...options }, callback)),
    listen: (channel, onPayload, onEnd) => listen(client, channel, onPayload, onEnd),
    notify: (channel, payload) => notify(client, channel, payload),
    async close() {
      const closed = once(client, 'close');
      client.close();
      await closed;
    },
  };
}

function done(call: (callback: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error ? reject(error) : resolve()));
  });
}

/** The type of the answer is what the caller says: the server is ours, or speaks the same protocol. */
function answer<Result>(call: (callback: moray.Answer<unknown>) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result as Result)));
  });
}

async function* find<Value>(
  client: moray.Client,
  bucket: string,
  filter: string,
  options: FindOptions,
): AsyncGenerator<MorayObject<Value>> {
  const emitter: EventEmitter = client.findObjects(bucket, filter, { ...options });
  let arrived: MorayObject<Value>[] = [];
  let ended = false;
  let failure: Error | null = null;
  let wake = () => {};
  emitter.on('record', (record: MorayObject<Value>) => {
    arrived.push(record);
    wake();
  });
  emitter.once('error', (error: Error) => {
    failure = error;
    ended = true;
    wake();
  });
  emitter.once('end', () => {
    ended = true;
    wake();
  });
  while (!ended || arrived.length > 0) {
    const records = arrived;
    arrived = [];
    yield* records;
    if (arrived.length > 0 || ended) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
  if (failure !== null) throw failure;
}

/** Without a connection the package passes an emitter for an error, which then emits one that nobody could catch. */
function notify(client: moray.Client, channel: string, payload: string): Promise<void> {
  return done((callback) =>
    client.notify(channel, payload, {}, (failure: unknown) => {
      if (!(failure instanceof EventEmitter)) callback(failure as Error | null);
      else failure.once('error', callback);
    }),
  );
}

function listen(
  client: moray.Client,
  channel: string,
  onPayload: (payload: string) => void,
  onEnd: (cause: Error | null) => void,
): () => void {
  const listener = client.listen(channel, {});
  let over = false;
  const end = (cause: Error | null) => {
    if (over) return;
    over = true;
    onEnd(cause);
  };
  listener.on('data', (row: { readonly payload?: unknown } | null) => {
    if (!over && row !== null && typeof row.payload === 'string') onPayload(row.payload);
  });
  listener.on('error', (error: Error) => end(error));
  listener.once('end', () => end(null));
  return () => {
    if (over) return;
    over = true;
    listener.unlisten?.(() => {}); // when it fails the connection is gone, and with it the listener
  };
}
