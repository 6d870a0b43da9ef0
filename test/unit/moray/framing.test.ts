/** Frames: the published vectors, and what must not be accepted. */
import fc from 'fast-check';
import t from 'tap';
import { crc16Bytes, crc16Text, crc32Text } from '../../../src/moray/server/framing/checksum.js';
import {
  createFrameReader,
  encodeFrame,
  type Frame,
  type FrameStatus,
  type FrameStyle,
} from '../../../src/moray/server/framing/frame.js';

const limit = 1024 * 1024;
const version2: FrameStyle = { version: 2, checksum: 'bytes' };
const version1: FrameStyle = { version: 1, checksum: 'text' };

function decode(...chunks: readonly Buffer[]): Frame[] {
  const reader = createFrameReader(limit);
  const frames = chunks.flatMap((chunk) => [...reader.push(chunk)]);
  reader.end();
  return frames;
}

// biome-ignore format: table
const checksums: readonly (readonly [text: string, version1: number, version2: number])[] = [
  ['123456789', 0x31c3, 0xbb3d], ['hello world', 0x3be4, 0x39c1], ['é', 0x6c07, 0x8e90], ['€', 0x7466, 0xebc0],
  ['😀', 0x73c9, 0x4e69],
];
for (const [text, old, current] of checksums) {
  t.equal(crc16Text(text), old, `version 1 of ${text}`);
  t.equal(crc16Bytes(Buffer.from(text)), current, `version 2 of ${text}`);
}
t.equal(crc32Text('{"str":"hi"}').toString(16), 'd8e9fbd4');

const pingJson =
  '{"m":{"uts":1500000000000000,"name":"ping"},"d":[{"deep":false,"req_id":"00000000-0000-4000-8000-000000000001"}]}';
const notFoundJson =
  '{"m":{"uts":1500000000000003,"name":"getObject"},"d":{"name":"ObjectNotFoundError","message":"b::k does not exist","context":{},"info":{}}}';
// biome-ignore format: table
const vectors: readonly (readonly [status: FrameStatus, msgid: number, style: FrameStyle, json: string, header: string])[] = [
  ['data', 1, version2, pingJson, '0201010000000100004e0000000071'],
  ['data', 1, version1, pingJson, '0101010000000100003ee000000071'],
  ['data', 7, version2, '{"m":{"uts":1500000000000001,"name":"putObject"},"d":[{"etag":"D8E9FBD4"}]}', '020101000000070000e46e0000004b'],
  ['end', 7, version2, '{"m":{"uts":1500000000000002,"name":"putObject"},"d":[]}', '020102000000070000b57b00000038'],
  ['error', 0x7fffffff, version2, notFoundJson, '0201037fffffff0000fe040000008b'],
  ['data', 2, version2, '{"m":{"uts":1,"name":"x"},"d":["é€😀"]}', '0201010000000200002c8a0000002c'],
  ['data', 2, version1, '{"m":{"uts":1,"name":"x"},"d":["é€😀"]}', '01010100000002000066c60000002c'],
];
for (const [status, msgid, style, json, header] of vectors) {
  const frame = encodeFrame(status, msgid, style, json);
  t.equal(frame.subarray(0, 15).toString('hex'), header, `${status} of version ${style.version}`);
  t.same(decode(frame), [{ status, msgid, style, payload: JSON.parse(json) }]);
}

t.test('a frame of version 1 may carry either checksum, and is answered in kind', async (t) => {
  const style: FrameStyle = { version: 1, checksum: 'bytes' };
  t.same(decode(encodeFrame('data', 1, style, '{"d":[]}'))[0]?.style, style);
});

t.test('frames arrive whole, however they are cut', async () => {
  const jsons = fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })), {
    maxLength: 5,
  });
  const style = fc.constantFrom(version1, version2);
  const property = fc.property(jsons, style, fc.integer({ min: 1, max: 40 }), (payloads, style, chunkBytes) => {
    const frames = payloads.map((payload, msgid) => encodeFrame('data', msgid, style, JSON.stringify(payload)));
    const stream = Buffer.concat(frames);
    const chunks: Buffer[] = [];
    for (let at = 0; at < stream.length; at += chunkBytes) chunks.push(stream.subarray(at, at + chunkBytes));
    const decoded = decode(...chunks).map(({ payload }) => JSON.stringify(payload));
    return JSON.stringify(decoded) === JSON.stringify(payloads.map((payload) => JSON.stringify(payload)));
  });
  fc.assert(property);
});

const good = encodeFrame('data', 1, version2, '{"d":[]}');
function changed(position: number, byte: number): Buffer {
  const frame = Buffer.from(good);
  frame[position] = byte;
  return frame;
}
// biome-ignore format: table
const bad: readonly (readonly [title: string, bytes: Buffer, reason: string, message: string])[] = [
  ['version', changed(0, 3), 'unsupported_version', 'fast protocol: unsupported version 3'],
  ['type', changed(1, 2), 'unsupported_type', 'fast protocol: unsupported type 0x2'],
  ['status', changed(2, 4), 'unsupported_status', 'fast protocol: unsupported status 0x4'],
  ['msgid', changed(3, 0xff), 'invalid_msgid', 'fast protocol: invalid msgid 4278190081'],
  ['checksum', changed(16, 0x21), 'bad_crc', `fast protocol: expected CRC ${good.readUInt32BE(7)}, found `],
  ['JSON', encodeFrame('data', 1, version2, '{'), 'invalid_json', 'fast protocol: invalid JSON in "data"'],
  ['payload', encodeFrame('data', 1, version2, '[]'), 'bad_data', 'fast protocol: message data must be a non-null object'],
  ['length', changed(11, 0x7f), 'frame_too_long', 'fast protocol: frame of 2130706440 bytes is longer than the limit of 1048576'],
  ['end of stream', good.subarray(0, 20), 'incomplete_message', 'fast protocol: incomplete message at end-of-stream'],
  ['end of stream in a header', good.subarray(0, 4), 'incomplete_message', 'fast protocol: incomplete message at end-of-stream'],
];
for (const [title, bytes, reason, message] of bad) {
  t.throws(() => decode(bytes), { name: 'FastProtocolError', jse_info: { fastReason: reason } }, `bad ${title}`);
  try {
    decode(bytes);
  } catch (error) {
    t.ok((error as Error).message.startsWith(message), (error as Error).message);
  }
}
