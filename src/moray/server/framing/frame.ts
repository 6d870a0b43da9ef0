/**
 * Frames of the Fast protocol, in both versions. A header of 15 bytes, all integers big-endian, then JSON text:
 *
 *   0 version   1 type   2 status   3 msgid (4)   7 checksum (4)   11 length (4)   15 payload
 *
 * A frame that cannot be decoded is the end of its connection, and of nothing else. Clients of a generation between the
 * versions put the new checksum on frames of version 1: either is accepted there, and answered in kind.
 */
import VError from 'verror';
import { crc16Bytes, crc16Text } from './checksum.js';

export type FrameStatus = 'data' | 'end' | 'error';

/** How the sender frames: the answer must be framed alike. */
export interface FrameStyle {
  readonly version: 1 | 2;
  readonly checksum: 'text' | 'bytes';
}

export interface Frame {
  readonly status: FrameStatus;
  readonly msgid: number;
  readonly style: FrameStyle;
  readonly payload: Readonly<Record<string, unknown>>;
}

const headerBytes = 15;
const maxMsgid = 0x7fffffff;
const jsonType = 1;
const statusCodes: Readonly<Record<FrameStatus, number>> = { data: 1, end: 2, error: 3 };
const statusNames: readonly (FrameStatus | undefined)[] = [undefined, 'data', 'end', 'error'];

/** @param json the payload's text. */
export function encodeFrame(status: FrameStatus, msgid: number, style: FrameStyle, json: string): Buffer {
  const length = Buffer.byteLength(json);
  const frame = Buffer.allocUnsafe(headerBytes + length);
  frame.write(json, headerBytes);
  frame[0] = style.version;
  frame[1] = jsonType;
  frame[2] = statusCodes[status];
  frame.writeUInt32BE(msgid, 3);
  frame.writeUInt32BE(checksum(style, json, frame.subarray(headerBytes)), 7);
  frame.writeUInt32BE(length, 11);
  return frame;
}

function checksum(style: FrameStyle, json: string, bytes: Uint8Array): number {
  return style.checksum === 'text' ? crc16Text(json) : crc16Bytes(bytes);
}

interface Header {
  readonly version: 1 | 2;
  readonly status: FrameStatus;
  readonly msgid: number;
  readonly crc: number;
  readonly length: number;
}

export interface FrameReader {
  /** Frames that are complete with this chunk. @throws VError `FastProtocolError`; then the reader is of no more use. */
  push(chunk: Buffer): Generator<Frame>;
  /** @throws VError `FastProtocolError` when the stream ends inside a frame. */
  end(): void;
}

/** @param maxFrameBytes of a payload: a longer one is refused when its header arrives, before it is buffered. */
export function createFrameReader(maxFrameBytes: number): FrameReader {
  let chunks: Buffer[] = [];
  let buffered = 0;
  let header: Header | null = null;

  const take = (length: number): Buffer => {
    const all = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
    buffered -= length;
    chunks = buffered === 0 ? [] : [all.subarray(length)];
    return all.subarray(0, length);
  };

  return {
    *push(chunk) {
      chunks.push(chunk);
      buffered += chunk.length;
      for (;;) {
        if (header === null) {
          if (buffered < headerBytes) return;
          header = decodeHeader(take(headerBytes), maxFrameBytes);
        }
        if (buffered < header.length) return;
        const frame = decodeFrame(header, take(header.length));
        header = null;
        yield frame;
      }
    },
    end() {
      if (header === null && buffered === 0) return;
      throw protocolError({ fastReason: 'incomplete_message' }, 'incomplete message at end-of-stream');
    },
  };
}

function decodeHeader(bytes: Buffer, maxFrameBytes: number): Header {
  const [version, type, statusCode] = bytes;
  if (version !== 1 && version !== 2) {
    const info = { fastReason: 'unsupported_version', foundVersion: version };
    throw protocolError(info, `unsupported version ${version}`);
  }
  if (type !== jsonType) {
    const info = { fastReason: 'unsupported_type', foundType: type };
    throw protocolError(info, `unsupported type 0x${type?.toString(16)}`);
  }
  const status = statusNames[statusCode ?? 0];
  if (status === undefined) {
    const info = { fastReason: 'unsupported_status', foundStatus: statusCode };
    throw protocolError(info, `unsupported status 0x${statusCode?.toString(16)}`);
  }
  const msgid = bytes.readUInt32BE(3);
  if (msgid > maxMsgid) {
    throw protocolError({ fastReason: 'invalid_msgid', foundMsgid: msgid }, `invalid msgid ${msgid}`);
  }
  const length = bytes.readUInt32BE(11);
  if (length > maxFrameBytes) {
    const text = `frame of ${length} bytes is longer than the limit of ${maxFrameBytes}`;
    throw protocolError({ fastReason: 'frame_too_long', foundLength: length }, text);
  }
  return { version, status, msgid, crc: bytes.readUInt32BE(7), length };
}

function decodeFrame(header: Header, bytes: Buffer): Frame {
  const json = bytes.toString('utf8');
  const style = checkedStyle(header, json, bytes);
  let payload: unknown;
  try {
    payload = JSON.parse(json);
  } catch (cause) {
    const options = { name: 'FastProtocolError', cause: cause as Error, info: { fastReason: 'invalid_json' } };
    throw new VError(options, 'fast protocol: invalid JSON in "data"');
  }
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw protocolError({ fastReason: 'bad_data' }, 'message data must be a non-null object');
  }
  return { status: header.status, msgid: header.msgid, style, payload: payload as Record<string, unknown> };
}

function checkedStyle(header: Header, json: string, bytes: Buffer): FrameStyle {
  if (header.version === 1) {
    if (header.crc === crc16Text(json)) return { version: 1, checksum: 'text' };
    if (header.crc === crc16Bytes(bytes)) return { version: 1, checksum: 'bytes' };
    throw badChecksum(header, crc16Text(json));
  }
  // Of the re-encoded text, as other receivers compute it: bytes that are not UTF-8 never pass.
  const reencoded = json.includes('\ufffd') ? Buffer.from(json) : bytes;
  const calculated = crc16Bytes(reencoded);
  if (header.crc !== calculated) throw badChecksum(header, calculated);
  return { version: 2, checksum: 'bytes' };
}

function badChecksum(header: Header, calculated: number): Error {
  const info = {
    fastReason: 'bad_crc',
    crcExpected: header.crc,
    crcCalculated: calculated,
    version: header.version,
  };
  return protocolError(info, `expected CRC ${header.crc}, found ${calculated}`);
}

export function protocolError(info: Readonly<Record<string, unknown>>, text: string): Error {
  return new VError({ name: 'FastProtocolError', info: { ...info } }, '%s', `fast protocol: ${text}`);
}
