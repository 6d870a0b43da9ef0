/**
 * One end of a WebSocket connection: messages out of frames, and the closing handshake. Messages are sent as one frame
 * each and pings are answered but never sent: the clients of interactive sessions know neither fragments nor pings.
 *
 *   open --close()--> closing --their close, or grace over--> over
 *   open --their close: echoed--> over          any --the socket ends or fails, nonsense arrives--> over
 */
import crypto from 'node:crypto';
import type { Duplex } from 'node:stream';
import { createFrameReader, encodeFrame, type Frame, opcodes } from './frames.js';

export interface WebSocketHandlers {
  onText(text: string): void;
  onBinary(bytes: Buffer): void;
  /** After a send that answered `false`: more may be sent. */
  onDrain(): void;
  /** Called once. @param reason the peer's; null when the connection broke without a closing handshake. */
  onEnd(reason: string | null): void;
}

export interface WebSocketConnection {
  /** @returns false when the peer should not be sent more before `onDrain`. */
  sendText(text: string): boolean;
  sendBinary(bytes: Buffer): boolean;
  /** Orderly: `onEnd` follows. Without effect when it is closing or over. */
  close(reason: string): void;
  /** No more messages until `resume`. */
  pause(): void;
  resume(): void;
}

export interface WebSocketOptions {
  /** Bytes that came behind the head of the upgrade; nothing has read from the socket since. */
  readonly head: Buffer;
  /** Which end this is. */
  readonly end: 'server' | 'client';
  readonly maxMessageBytes: number;
  readonly handlers: WebSocketHandlers;
}

/** Empty ones cost memory, too. */
const maxFragments = 10_000;
const closeGraceMs = 5_000;
const normalClosure = 1000;
const protocolError = 1002;
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Value of `Sec-WebSocket-Accept` for a key. */
export function acceptanceOf(key: string): string {
  return crypto.createHash('sha1').update(`${key}${acceptGuid}`).digest('base64');
}

export function openWebSocket(socket: Duplex, options: WebSocketOptions): WebSocketConnection {
  const { handlers, maxMessageBytes } = options;
  const isClient = options.end === 'client';
  const reader = createFrameReader(maxMessageBytes);
  let state: 'open' | 'closing' | 'over' = 'open';
  let grace: NodeJS.Timeout | undefined;
  let fragments: Buffer[] = [];
  let fragmentsBytes = 0;
  let fragmentsOpcode: number = opcodes.binary;

  const send = (opcode: number, payload: Buffer): boolean =>
    socket.writable ? socket.write(encodeFrame(opcode, payload, isClient)) : true;

  function over(reason: string | null): void {
    if (state === 'over') return;
    state = 'over';
    clearTimeout(grace);
    handlers.onEnd(reason);
  }

  function startClosing(code: number, reason: string): void {
    state = 'closing';
    send(opcodes.close, closePayload(code, reason));
    grace = setTimeout(() => socket.destroy(), closeGraceMs);
  }

  function message(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.text) handlers.onText(payload.toString('utf8'));
    else handlers.onBinary(payload);
  }

  function take({ opcode, isLast, isMasked, payload }: Frame): void {
    if (isMasked === isClient) throw new Error('frames of clients are masked, those of servers are not');
    if (opcode === opcodes.close) {
      const reason = payload.subarray(2).toString('utf8');
      if (state === 'open') send(opcodes.close, payload.subarray(0, 2));
      over(reason);
      socket.end();
      return;
    }
    if (opcode === opcodes.ping) send(opcodes.pong, payload);
    if (opcode >= opcodes.close || state !== 'open') return;
    if (opcode === opcodes.continuation ? fragments.length === 0 : fragments.length > 0) {
      throw new Error('fragments are out of order');
    }
    if (isLast && fragments.length === 0) {
      message(opcode, payload);
      return;
    }
    if (fragments.length === 0) fragmentsOpcode = opcode;
    fragments.push(payload);
    fragmentsBytes += payload.length;
    if (fragmentsBytes > maxMessageBytes || fragments.length > maxFragments)
      throw new Error(`a message is above the limit of ${maxMessageBytes} bytes or ${maxFragments} fragments`);
    if (!isLast) return;
    const whole = Buffer.concat(fragments);
    fragments = [];
    fragmentsBytes = 0;
    message(fragmentsOpcode, whole);
  }

  function read(piece: Buffer): void {
    if (state === 'over') return;
    try {
      for (const frame of reader.read(piece)) take(frame);
    } catch (error) {
      if (state === 'open') startClosing(protocolError, (error as Error).message);
      over(null);
      socket.end();
    }
  }

  // Before there is a listener: else its messages would be told before the caller has the connection.
  if (options.head.length > 0) socket.unshift(options.head);
  socket.on('data', read);
  socket.on('drain', handlers.onDrain);
  socket.on('error', () => socket.destroy()); // 'close' follows
  socket.on('end', () => socket.end());
  socket.on('close', () => over(null));
  return {
    sendText: (text) => send(opcodes.text, Buffer.from(text)),
    sendBinary: (bytes) => send(opcodes.binary, bytes),
    close(reason) {
      if (state === 'open') startClosing(normalClosure, reason);
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  };
}

function closePayload(code: number, reason: string): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return Buffer.concat([payload, Buffer.from(reason).subarray(0, 123)]);
}
