/** Requests as bytes, spoilt at random, and sent as they are: what no HTTP library would send. */
import net from 'node:net';
import type { Chance } from '../sim/random.js';

/** What parsers and checks of paths stumble over. */
// biome-ignore format: table
const nasty = [
  '\0', '\r', '\n', '\r\n', '\r\n\r\n', '\t', ' ', ':', ',', ';', '"', '\\', '/', '//', '?', '&', '=', '#', '%', '%0',
  '%00', '%0d%0a', '%2f', '%2F..%2F', '%2e%2e', '..', '/../', '/./', '%c0%af', '%ed%a0%80', '%ff', '\xff\xfe', '\xc3', '%25',
  '*', '-1', '0', '4294967296', '18446744073709551616', '1e309', 'NaN', '0x10', 'null', 'chunked', 'identity', 'gzip',
  '__proto__', 'constructor', 'bytes=-', 'bytes=0-,1-', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 7\r\n',
  'Expect: 100-continue\r\n', 'Upgrade: websocket\r\nConnection: upgrade\r\n', 'Host: x\r\n', 'a'.repeat(9000),
] as const;

/**
 * Changes one to three places of `text`, of which each character is a byte. The first line, which says what is asked
 * for, has most to lose.
 */
export function mangled(text: string, chance: Chance): string {
  let spoilt = text;
  for (let count = chance.between(1, 3); count > 0; count--) {
    const lines = spoilt.split('\r\n');
    const index = chance.happens(0.4) ? 0 : chance.between(0, lines.length - 1);
    const isWhole = chance.happens(0.2);
    const line = mangledOnce(isWhole ? spoilt : (lines[index] ?? ''), chance);
    lines[index] = line;
    spoilt = isWhole ? line : lines.join('\r\n');
  }
  return spoilt;
}

function mangledOnce(text: string, chance: Chance): string {
  const from = chance.between(0, text.length);
  const to = Math.min(text.length, from + chance.between(0, 20));
  const [before, piece, after] = [text.slice(0, from), text.slice(from, to), text.slice(to)];
  const other = chance.between(0, text.length);
  // biome-ignore format: table
  const ways: readonly (() => string)[] = [
    () => `${before}${String.fromCharCode(chance.between(chance.happens(0.1) ? 0 : 32, 255))}${text.slice(from + 1)}`,
    () => `${before}${chance.pick(nasty)}${text.slice(from)}`,
    () => `${before}${chance.pick(nasty)}${after}`,
    () => `${before}${after}`,
    () => `${before}${piece}${piece}${after}`,
    () => `${before}${text.slice(other, other + 20)}${text.slice(from)}`,
    () => `${before}${piece.toUpperCase() === piece ? piece.toLowerCase() : piece.toUpperCase()}${after}`,
    () => (chance.happens(0.3) ? before : mangledLine(text, chance)),
  ];
  return chance.pick(ways)();
}

/** A line is left out, said twice, or moved. */
function mangledLine(text: string, chance: Chance): string {
  const lines = text.split('\r\n');
  const [line = ''] = lines.splice(chance.between(0, lines.length - 1), 1);
  for (let count = chance.between(0, 2); count > 0; count--) lines.splice(chance.between(0, lines.length), 0, line);
  return lines.join('\r\n');
}

export interface RawAnswer {
  /** Everything that came, one character per byte. */
  readonly text: string;
  /** Of each answer, also to requests that came to be by mangling. */
  readonly statuses: readonly number[];
  /** Whether the server ended the connection after we had. */
  readonly isEnded: boolean;
}

/** Silence after which we say that there is no more: what lacks its end waits for it. */
const unansweredMs = 250;
const stuckMs = 10_000;

export interface SendOptions {
  /**
   * When our half is closed: when something was answered, as always; also when nothing was for a while, for requests
   * that may lack their end; or without waiting at all. The server then has to close its own.
   */
  readonly end?: 'when answered' | 'when silent' | 'at once';
}

/** Sends bytes on a connection of their own. */
export function sendRaw(port: number, bytes: string, { end = 'when answered' }: SendOptions = {}): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const answered = (isEnded: boolean) => {
      clearTimeout(nudge);
      clearTimeout(limit);
      socket.destroy();
      const text = Buffer.concat(chunks).toString('latin1');
      const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
      resolve({ text, statuses, isEnded });
    };
    const nudge = setTimeout(() => socket.end(), end === 'when silent' ? unansweredMs : stuckMs);
    const limit = setTimeout(() => answered(false), 2 * stuckMs);
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      socket.end();
    });
    socket.on('error', () => answered(true)); // it was cut off
    socket.on('close', () => answered(true));
    socket.on('end', () => answered(true));
    socket.write(Buffer.from(bytes, 'latin1'));
    if (end === 'at once') socket.end();
  });
}

/** Runs `count` pieces of work, some at a time. */
export async function repeat(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}
