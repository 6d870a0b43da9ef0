/**
 * Changes of protocol. Node hands over every request that asks for one, whatever it asks for; only sessions are meant
 * here. What wants something else (some HTTP clients offer HTTP/2 with every request) is given back to the server as the
 * ordinary request that it also is, without the offer.
 */
import http from 'node:http';
import type { Socket } from 'node:net';

export type ServeUpgrade = (request: http.IncomingMessage, response: http.ServerResponse, head: Buffer) => void;

export function onUpgrade(server: http.Server, isSession: (url: string) => boolean, serve: ServeUpgrade): void {
  server.on('upgrade', (request: http.IncomingMessage, socket: Socket, head: Buffer) => {
    const wanted = request.headers.upgrade?.toLowerCase();
    if (request.method === 'GET' && wanted === 'websocket' && isSession(request.url ?? '')) {
      const response = new http.ServerResponse(request);
      response.shouldKeepAlive = false;
      response.assignSocket(socket);
      response.once('finish', () => socket.end());
      socket.on('error', () => socket.destroy());
      serve(request, response, head);
      return;
    }
    socket.unshift(Buffer.concat([Buffer.from(headWithoutUpgrade(request), 'latin1'), head]));
    server.emit('connection', socket);
  });
}

function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: http.IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (!/^(upgrade|connection|http2-settings)$/i.test(name)) lines.push(`${name}: ${rawHeaders[index + 1]}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}
