/** The server's end of the protocol, spoken byte by byte. */
import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import {
  createFrameReader,
  encodeFrame,
  type Frame,
  type FrameStyle,
} from '../../../src/moray/server/framing/frame.js';
import { startTestMoray } from '../../support/moray.js';

const maxFrameBytes = 100_000;
const { client, port } = await startTestMoray(t, { maxFrameBytes });
const version2: FrameStyle = { version: 2, checksum: 'bytes' };
const version1: FrameStyle = { version: 1, checksum: 'text' };

function request(msgid: number, name: unknown, d: unknown, style = version2): Buffer {
  return encodeFrame('data', msgid, style, JSON.stringify({ m: { name, uts: 1 }, d }));
}

/** Sends everything, closes its half, and collects what comes until the server closes. */
async function converse(...sent: readonly Buffer[]): Promise<Frame[]> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  socket.end(Buffer.concat(sent));
  return collect(socket);
}

async function collect(socket: net.Socket): Promise<Frame[]> {
  const reader = createFrameReader(1024 * 1024);
  const frames: Frame[] = [];
  socket.on('error', () => {}); // a reset ends it too
  socket.on('data', (chunk: Buffer) => frames.push(...reader.push(chunk)));
  await once(socket, 'close');
  return frames;
}

async function ended(socket: net.Socket): Promise<Frame[]> {
  const frames = collect(socket);
  socket.once('end', () => socket.end());
  return frames;
}

const outline = (frames: readonly Frame[]) =>
  frames.map(({ status, msgid, style }) => `${status} ${msgid} v${style.version}`);

await client.createBucket('b', { index: { name: { type: 'string' } } });

t.test('answers come in the version of the request, also after the client closed its half', async (t) => {
  t.same(outline(await converse(request(0, 'ping', [{}]))), ['end 0 v2']);
  t.same(outline(await converse(request(3, 'version', [{}], version1))), ['data 3 v1', 'end 3 v1']);
  const put = request(5, 'putObject', ['b', 'é', { name: '€😀' }, {}], version1);
  t.same(outline(await converse(put)), ['data 5 v1', 'end 5 v1']);
});

t.test('requests are refused by name, arity and type', async (t) => {
  // biome-ignore format: table
  const cases: readonly (readonly [name: unknown, d: unknown, error: object])[] = [
    ['', [{}], { name: 'FastError', message: 'RPC request is not well-formed', info: { fastReason: 'bad_data', rpcMsgid: 1 } }],
    ['ping', {}, { name: 'FastError', message: 'RPC request is not well-formed' }],
    ['nonsense', [], { name: 'FastError', message: 'unsupported RPC method: "nonsense"', info: { fastReason: 'bad_method' } }],
    ['ping', [], { name: 'InvocationError', message: 'ping expects 1 argument' }],
    ['putObject', [], { name: 'InvocationError', message: 'putObject expects 4 arguments' }],
    ['putObject', ['b', 5, {}, {}], { message: 'putObject expects "key" (args[1]) to be a nonempty string: key should be string' }],
    ['putObject', ['', 'k', {}, {}], { message: 'putObject expects "bucket" (args[0]) to be a nonempty string: bucket should NOT be shorter than 1 characters' }],
    ['putObject', ['b', 'k', [], {}], { message: 'putObject expects "value" (args[2]) to be an object: value should be object' }],
    ['updateBucket', [null, {}, {}], { message: 'updateBucket expects "name" (args[0]) to be a nonempty string: name should be string' }],
    ['findObjects', ['b', '(a=1)', { limit: 1.5 }], { message: 'findObjects expects "options" (args[2]) to be a valid options object: options.limit should be integer,string' }],
    ['findObjects', ['b', '(a=1)', { limit: 'x' }], { message: 'findObjects expects "options" (args[2]) to be a valid options object: options.limit should match pattern "^[0-9]+$"' }],
    ['findObjects', ['b', '(a=1)', { sort: 'x' }], { message: 'findObjects expects "options" (args[2]) to be a valid options object: options.sort should be array, options.sort should be object, options.sort should match some schema in anyOf' }],
    ['ping', [{ req_id: 'x' }], { message: 'ping expects "options" (args[0]) to be a valid options object: options.req_id should match format "uuid"' }],
    ['batch', [[{}], {}], { message: `batch expects "requests" (args[0]) to be an array of valid request objects: requests[0] should have required property 'bucket'` }],
    ['batch', [[{ bucket: 'b', key: 'k' }], {}], { name: 'AssertionError', message: 'object (object) is required' }],
    ['reindexObjects', ['b', -1, {}], { message: 'reindexObjects expects "count" (args[1]) to be a nonnegative integer: count should be >= 0' }],
    ['reindexObjects', ['b', 0, {}], { name: 'InvalidArgumentError', message: 'count 0 < 1' }],
    ['getTokens', [{}], { name: 'Error', message: 'Operation not supported' }],
    ['sql', ['drop table b', [], {}], { name: 'error' }],
  ];
  for (const [name, d, error] of cases) {
    const [frame] = await converse(request(1, name, d));
    t.equal(frame?.status, 'error');
    t.match(frame?.payload['d'], error);
  }
});

t.test('a malformed, oversized or misplaced frame ends its own connection only', async (t) => {
  const other = net.connect(port, '127.0.0.1');
  await once(other, 'connect');
  const broken = request(1, 'ping', [{}]);
  broken[9] = 0xff;
  const tooLong = Buffer.from(request(1, 'ping', [{}]));
  tooLong.writeUInt32BE(maxFrameBytes + 1, 11);
  const bad: Readonly<Record<string, Buffer>> = {
    'wrong checksum': broken,
    oversized: tooLong,
    truncated: request(1, 'ping', [{}]).subarray(0, 30),
    'no frame at all': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    'END of a client': encodeFrame('end', 1, version2, '{"d":[]}'),
  };
  for (const [title, bytes] of Object.entries(bad)) t.same(await converse(bytes), [], title);
  const listen = request(1, 'listen', ['c', {}]);
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(Buffer.concat([listen, request(1, 'ping', [{}])]));
  t.same(await ended(socket), [], 'a msgid that is outstanding');
  other.end(request(9, 'ping', [{}]));
  t.same(outline(await ended(other)), ['end 9 v2'], 'the others are served');
  await client.ping({ deep: true });
});

t.test('an ERROR frame of a client is ignored', async (t) => {
  const cancel = encodeFrame('error', 1, version2, '{"d":{"name":"x","message":"y"}}');
  t.same(outline(await converse(cancel, request(2, 'ping', [{}]))), ['end 2 v2']);
});
