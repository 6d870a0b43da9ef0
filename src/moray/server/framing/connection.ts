/**
 * One connection of a client. Requests start as they arrive and are answered in any order; what was asked before the
 * client closed its half is still answered. Responses that are ready in the same turn leave as one write, and a
 * client that does not read its answers is not read from either.
 */
import type net from 'node:net';
import type { Logger } from '../../../common/logging.js';
import { createFrameReader, encodeFrame, type Frame, type FrameStyle, protocolError } from './frame.js';

export interface Request {
  readonly method: string;
  readonly args: readonly unknown[];
  readonly msgid: number;
  /** Sends rows, each as JSON text. */
  rows(jsons: readonly string[]): void;
  /** Sends the last rows, if any, and the end. Exactly one of `end` and `fail` is called, once. */
  end(jsons?: readonly string[]): void;
  fail(error: Error): void;
  /** Called when nobody can get further rows: end of the client's stream, or a broken connection. */
  onGone(action: () => void): void;
}

interface ConnectionOptions {
  readonly socket: net.Socket;
  readonly log: Logger;
  readonly maxFrameBytes: number;
  readonly onRequest: (request: Request) => void;
}

/** Unread answers beyond which a client's requests wait, and beyond which it is given up. */
const pauseAboveBytes = 4 * 1024 * 1024;
const closeAboveBytes = 256 * 1024 * 1024;
/** Rows of about this many characters share a frame. */
const rowsPerFrameChars = 512 * 1024;

export function serveConnection({ socket, log, maxFrameBytes, onRequest }: ConnectionOptions): void {
  const reader = createFrameReader(maxFrameBytes);
  const outstanding = new Map<number, () => void>();
  let ended = false;
  let corked = false;

  socket.setNoDelay(true);
  socket.setKeepAlive(true, 10_000);

  const close = (error: Error) => {
    log.warn({ err: error, client: `${socket.remoteAddress}:${socket.remotePort}` }, 'closing connection');
    socket.destroy();
  };

  const write = (bytes: Buffer) => {
    if (socket.destroyed) return;
    if (!corked) {
      corked = true;
      socket.cork();
      process.nextTick(() => {
        corked = false;
        socket.uncork();
      });
    }
    socket.write(bytes);
    if (socket.writableLength > closeAboveBytes) close(new Error('the client does not read its answers'));
    else if (socket.writableLength > pauseAboveBytes && !socket.isPaused()) socket.pause();
  };

  const finish = (msgid: number) => {
    outstanding.delete(msgid);
    if (ended && outstanding.size === 0) process.nextTick(() => socket.destroySoon());
  };

  const accept = (frame: Frame) => {
    if (frame.status === 'error') return; // how old clients cancelled
    if (frame.status === 'end') throw unexpected('unexpected_status', 'unexpected END event from client');
    if (outstanding.has(frame.msgid)) throw unexpected('duplicate_msgid', 'client attempted to re-use msgid');
    const name = methodOf(frame);
    const respond = responder(frame, name, write);
    if (name === null || !Array.isArray(frame.payload['d'])) {
      const info = { fastReason: 'bad_data', rpcMsgid: frame.msgid, rpcMessage: frame.payload };
      respond.fail({ name: 'FastError', message: 'RPC request is not well-formed', info });
      return;
    }
    outstanding.set(frame.msgid, () => {});
    onRequest({
      method: name,
      args: frame.payload['d'],
      msgid: frame.msgid,
      rows: respond.rows,
      end(jsons = []) {
        respond.end(jsons);
        finish(frame.msgid);
      },
      fail(error) {
        respond.fail(error);
        finish(frame.msgid);
      },
      onGone(action) {
        if (ended || socket.destroyed) action();
        else outstanding.set(frame.msgid, action);
      },
    });
  };

  const gone = () => {
    for (const action of [...outstanding.values()]) action();
  };

  socket.on('data', (chunk: Buffer) => {
    try {
      for (const frame of reader.push(chunk)) accept(frame);
    } catch (error) {
      close(error as Error);
    }
  });
  socket.on('drain', () => socket.resume());
  socket.on('end', () => {
    try {
      reader.end();
    } catch (error) {
      close(error as Error);
      return;
    }
    ended = true;
    gone();
    if (outstanding.size === 0) socket.destroySoon();
  });
  socket.on('error', (error) => log.debug({ err: error }, 'connection failed')); // 'close' follows
  socket.on('close', gone);
}

function unexpected(fastReason: string, text: string): Error {
  return protocolError({ fastReason }, text);
}

function methodOf(frame: Frame): string | null {
  const meta = frame.payload['m'];
  if (typeof meta !== 'object' || meta === null) return null;
  const { name } = meta as { readonly name?: unknown };
  return typeof name === 'string' && name !== '' ? name : null;
}

/** What an ERROR frame carries; our own errors have `context` or `info` as members. */
interface ErrorBody {
  readonly name: string;
  readonly message: string;
  readonly context?: unknown;
  readonly info?: unknown;
  readonly ase_errors?: unknown;
}

interface Responder {
  rows(jsons: readonly string[]): void;
  end(jsons: readonly string[]): void;
  fail(error: ErrorBody): void;
}

function responder(frame: Frame, name: string | null, write: (bytes: Buffer) => void): Responder {
  const { msgid, style } = frame;
  const nameJson = JSON.stringify(name);
  return {
    rows(jsons) {
      for (const frameRows of grouped(jsons)) write(dataFrame(msgid, style, nameJson, frameRows));
    },
    end(jsons) {
      const end = encodeFrame('end', msgid, style, payload(nameJson, '[]'));
      const groups = [...grouped(jsons)];
      const frames = groups.map((frameRows) => dataFrame(msgid, style, nameJson, frameRows));
      write(frames.length === 0 ? end : Buffer.concat([...frames, end]));
    },
    fail(error) {
      const body = {
        name: error.name,
        message: error.message,
        context: error.context ?? {},
        info: error.info ?? {},
        ...(error.ase_errors === undefined ? {} : { ase_errors: error.ase_errors }),
      };
      write(encodeFrame('error', msgid, style, payload(nameJson, JSON.stringify(body))));
    },
  };
}

function dataFrame(msgid: number, style: FrameStyle, nameJson: string, rows: readonly string[]): Buffer {
  return encodeFrame('data', msgid, style, payload(nameJson, `[${rows.join(',')}]`));
}

function payload(nameJson: string, data: string): string {
  return `{"m":{"name":${nameJson},"uts":${Date.now() * 1000}},"d":${data}}`;
}

function* grouped(jsons: readonly string[]): Generator<readonly string[]> {
  let group: string[] = [];
  let chars = 0;
  for (const json of jsons) {
    group.push(json);
    chars += json.length;
    if (chars < rowsPerFrameChars) continue;
    yield group;
    group = [];
    chars = 0;
  }
  if (group.length > 0) yield group;
}
