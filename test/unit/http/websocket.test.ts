/** WebSocket: frames in any pieces, messages in any fragments, the closing handshake, and what is no frame at all. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import t from 'tap';
import { openWebSocket } from '../../../src/http/websocket/connection.js';
import { createFrameReader, encodeFrame, opcodes } from '../../../src/http/websocket/frames.js';

t.test('frames of every length come out as they went in, however they are cut', async (t) => {
  const payloads = [0, 1, 125, 126, 65_535, 65_536, 200_000].map((length) => Buffer.alloc(length, 'abcdefg'));
  for (const masked of [true, false]) {
    const bytes = Buffer.concat(payloads.map((payload) => encodeFrame(opcodes.binary, payload, masked)));
    for (const size of [1, 7, 4096, bytes.length]) {
      const reader = createFrameReader(1 << 20);
      const found: Buffer[] = [];
      for (let from = 0; from < bytes.length; from += size) {
        for (const frame of reader.read(bytes.subarray(from, from + size))) found.push(frame.payload);
      }
      t.equal(found.length, payloads.length, `${masked ? 'masked' : 'bare'}, in pieces of ${size}`);
      t.ok(found.every((payload, index) => payload.equals(payloads[index] ?? Buffer.alloc(1))));
    }
  }
  const reader = createFrameReader(1000);
  t.throws(() => reader.read(encodeFrame(opcodes.text, Buffer.alloc(1001), true).subarray(0, 4)), 'above the limit');
});

/** A connection of which the test is the peer. */
function connect(end: 'server' | 'client' = 'server') {
  const sent: Buffer[] = [];
  const heard: string[] = [];
  let feed = (_bytes: Buffer): void => {};
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      sent.push(chunk);
      done();
    },
  });
  feed = (bytes) => void socket.push(bytes);
  const connection = openWebSocket(socket, {
    head: Buffer.alloc(0),
    end,
    maxMessageBytes: 1000,
    handlers: {
      onText: (text) => heard.push(`text ${text}`),
      onBinary: (bytes) => heard.push(`binary ${bytes.toString()}`),
      onDrain: () => {},
      onEnd: (reason) => heard.push(`end ${reason}`),
    },
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { feed, sent, heard, connection, settle, socket };
}

const frame = (opcode: number, text: string) => encodeFrame(opcode, Buffer.from(text), true);
const unfinished = (opcode: number, text: string) => {
  const bytes = frame(opcode, text);
  bytes[0] = opcode;
  return bytes;
};

t.test('fragments make one message, with a ping in between', async (t) => {
  const { feed, sent, heard, settle } = connect();
  feed(unfinished(opcodes.text, 'to be '));
  feed(frame(opcodes.ping, 'there?'));
  feed(unfinished(opcodes.continuation, 'or '));
  feed(frame(opcodes.continuation, 'not'));
  await settle();
  t.same(heard, ['text to be or not']);
  t.same(sent, [encodeFrame(opcodes.pong, Buffer.from('there?'), false)]);
});

t.test('either side closes, and the end is told once', async (t) => {
  const theirs = connect();
  theirs.feed(frame(opcodes.close, '\x03\xe8done'));
  await theirs.settle();
  theirs.socket.destroy();
  await theirs.settle();
  t.equal(theirs.heard.length, 1);
  t.match(theirs.heard[0], /^end .*done$/);

  const ours = connect();
  ours.connection.close('enough');
  ours.feed(frame(opcodes.text, 'too late'));
  ours.feed(encodeFrame(opcodes.close, Buffer.from([3, 232]), true));
  await ours.settle();
  t.same(ours.heard, ['end '], 'what comes after our close is dropped');

  const broken = connect();
  broken.socket.destroy();
  await broken.settle();
  t.same(broken.heard, ['end null'], 'a connection that breaks ends without a reason');
});

t.test('nonsense ends the connection', async (t) => {
  for (const [what, bytes] of [
    ['an unmasked frame of a client', encodeFrame(opcodes.text, Buffer.from('x'), false)],
    ['reserved bits', Buffer.from([0xf1, 0x80, 0, 0, 0, 0])],
    ['a continuation of nothing', frame(opcodes.continuation, 'x')],
    ['a message inside a message', Buffer.concat([unfinished(opcodes.text, 'x'), frame(opcodes.text, 'y')])],
    ['a message above the limit', frame(opcodes.text, 'x'.repeat(1001))],
    ['fragments above the limit', Buffer.concat(Array(20).fill(unfinished(opcodes.text, 'x'.repeat(90))))],
  ] as const) {
    const { feed, heard, settle } = connect();
    feed(bytes);
    await settle();
    t.same(heard, ['end null'], what);
  }
});

t.test('what came with the head of the upgrade is told when the caller has the connection', async (t) => {
  const server = http.createServer().listen(0, '127.0.0.1');
  t.teardown(() => void server.close());
  await once(server, 'listening');
  const upgraded = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n';
  const frames = ['linkup', 'start'].map((text) => encodeFrame(opcodes.text, Buffer.from(text), false));
  server.once('upgrade', (_request, socket) => socket.end(Buffer.concat([Buffer.from(upgraded), ...frames])));
  const { port } = server.address() as AddressInfo;
  const request = http.get({ host: '127.0.0.1', port, headers: { connection: 'Upgrade', upgrade: 'websocket' } });
  const [, socket, head] = (await once(request, 'upgrade')) as [http.IncomingMessage, Duplex, Buffer];
  t.ok(head.length > 0, 'it came in one piece');
  const heard: string[] = [];
  await new Promise<void>((resolve) => {
    const connection = openWebSocket(socket, {
      head,
      end: 'client',
      maxMessageBytes: 1000,
      handlers: {
        onText(text) {
          heard.push(text);
          connection.sendText('so answers are possible');
        },
        onBinary() {},
        onDrain() {},
        onEnd: () => resolve(),
      },
    });
  });
  t.same(heard, ['linkup', 'start']);
});
