/**
 * Frames of WebSocket (RFC 6455), as far as interactive sessions need them: no extensions, so the reserved bits are
 * zero. Frames are taken out of whatever pieces the network delivers; their size is known, and held against a limit,
 * before their content is waited for.
 */
import crypto from 'node:crypto';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly isLast: boolean;
  readonly opcode: number;
  readonly isMasked: boolean;
  /** Unmasked. */
  readonly payload: Buffer;
}

/** @param masked what a client sends is masked, what a server sends is not. */
export function encodeFrame(opcode: number, payload: Buffer, masked: boolean): Buffer {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = 0x80 | opcode;
  if (lengthBytes === 0) head[1] = length;
  if (lengthBytes === 2) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  }
  if (lengthBytes === 8) {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  if (!masked) return Buffer.concat([head, payload]);
  head[1] = (head[1] ?? 0) | 0x80;
  const mask = crypto.randomBytes(4);
  return Buffer.concat([head, mask, applyMask(payload, mask)]);
}

function applyMask(payload: Buffer, mask: Buffer): Buffer {
  const result = Buffer.allocUnsafe(payload.length);
  for (let index = 0; index < payload.length; index++) {
    result[index] = (payload[index] ?? 0) ^ (mask[index & 3] ?? 0);
  }
  return result;
}

export interface FrameReader {
  /** @returns the frames that are complete now. @throws Error for what is no frame, or one above the limit. */
  read(piece: Buffer): Frame[];
}

export function createFrameReader(maxPayloadBytes: number): FrameReader {
  let pieces: Buffer[] = [];
  let haveBytes = 0;
  let needBytes = 0;
  return {
    read(piece) {
      pieces.push(piece);
      haveBytes += piece.length;
      const frames: Frame[] = [];
      if (haveBytes < needBytes) return frames; // joined once, not with each piece: a frame may come in thousands
      let rest = Buffer.concat(pieces);
      for (;;) {
        const size = frameSize(rest, maxPayloadBytes);
        if (size === null || rest.length < size.headBytes + size.payloadBytes) {
          needBytes = size === null ? 0 : size.headBytes + size.payloadBytes;
          break;
        }
        frames.push(frameOf(rest, size));
        rest = rest.subarray(size.headBytes + size.payloadBytes);
      }
      pieces = [rest];
      haveBytes = rest.length;
      return frames;
    },
  };
}

interface FrameSize {
  readonly headBytes: number;
  readonly payloadBytes: number;
}

/** Of the first frame. @returns null when more has to come before it is known. */
function frameSize(bytes: Buffer, maxPayloadBytes: number): FrameSize | null {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return null;
  if ((first & 0x70) !== 0) throw new Error('reserved bits are set');
  const isLast = (first & 0x80) !== 0;
  const short = second & 0x7f;
  if ((first & 0x0f) >= opcodes.close && (!isLast || short > 125))
    throw new Error('a control frame is long or fragmented');
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  if (bytes.length < 2 + lengthBytes) return null;
  const payloadBytes =
    lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (payloadBytes > maxPayloadBytes) {
    throw new Error(`a frame of ${payloadBytes} bytes is above the limit of ${maxPayloadBytes}`);
  }
  return { headBytes: 2 + lengthBytes + ((second & 0x80) === 0 ? 0 : 4), payloadBytes };
}

function frameOf(bytes: Buffer, { headBytes, payloadBytes }: FrameSize): Frame {
  const [first = 0, second = 0] = bytes;
  const isMasked = (second & 0x80) !== 0;
  const content = bytes.subarray(headBytes, headBytes + payloadBytes);
  const payload = isMasked ? applyMask(content, bytes.subarray(headBytes - 4, headBytes)) : Buffer.from(content);
  return { isLast: (first & 0x80) !== 0, opcode: first & 0x0f, isMasked, payload };
}
