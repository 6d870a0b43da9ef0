/**
 * A change of protocol that a program in the zone asks for: passed on to the agent, then bytes both ways. The in-job end
 * of an interactive session reaches the front door like this from a zone that has no network.
 */
import http from 'node:http';
import type { Duplex } from 'node:stream';
import type { Log } from './log.js';

export interface UpgradeTarget {
  readonly socketPath: string;
  /** Sanitized. */
  readonly path: string;
  readonly log: Log;
}

export function passUpgradeOn(
  request: http.IncomingMessage,
  client: Duplex,
  head: Buffer,
  { socketPath, path, log }: UpgradeTarget,
): void {
  // An agent of its own: the connection leaves it when the protocol changes.
  const onward = http.request({ socketPath, path, agent: false, method: request.method, headers: request.rawHeaders });
  client.on('error', () => client.destroy());
  client.once('close', () => onward.destroy());
  onward.on('error', (error) => {
    log.warn('change of protocol not passed on', { path, error: error.message });
    client.end('HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  onward.on('response', (answer) => {
    client.write(headOf(answer, true));
    answer.pipe(client);
  });
  onward.on('upgrade', (answer, server, serverHead) => {
    client.write(headOf(answer, false));
    if (serverHead.length > 0) client.write(serverHead);
    if (head.length > 0) server.write(head);
    server.on('error', () => server.destroy());
    server.once('close', () => client.destroy());
    client.once('close', () => server.destroy());
    server.pipe(client).pipe(server);
  });
  onward.end();
}

/** @param isLast whether the connection ends with this answer's body, which is passed on without its framing. */
function headOf(answer: http.IncomingMessage, isLast: boolean): string {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
  for (let index = 0; index + 1 < answer.rawHeaders.length; index += 2) {
    const name = answer.rawHeaders[index] ?? '';
    if (!isLast || !/^(connection|keep-alive|transfer-encoding)$/i.test(name)) {
      lines.push(`${name}: ${answer.rawHeaders[index + 1]}`);
    }
  }
  if (isLast) lines.push('Connection: close');
  return `${lines.join('\r\n')}\r\n\r\n`;
}
