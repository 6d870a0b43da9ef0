/**
 * Timeouts are about silence, never about size: a connection on which nothing moves is cut while it is the client's
 * turn. One timer per connection, not per request; idle connections stay, because neighbours that keep them would now
 * and then send into a closing one.
 */
import type http from 'node:http';
import type { Socket } from 'node:net';

type TheirTurn = (request: http.IncomingMessage, response: http.ServerResponse) => boolean;
type Watch = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/** @param isTheirTurn asked after `timeoutMs` of silence. @returns to be called with each request. */
export function watchSilence(
  server: Pick<http.Server, 'setTimeout'>,
  timeoutMs: number,
  isTheirTurn: TheirTurn,
): Watch {
  const underWay = new WeakMap<Socket, Parameters<Watch>>();
  server.setTimeout(timeoutMs, (socket: Socket) => {
    const exchange = underWay.get(socket);
    if (exchange !== undefined && isTheirTurn(...exchange)) {
      socket.destroy(new Error(`nothing heard for ${timeoutMs} ms`));
    }
  });
  return (request, response) => {
    const { socket } = request;
    const exchange: Parameters<Watch> = [request, response];
    underWay.set(socket, exchange);
    response.once('close', () => {
      if (underWay.get(socket) === exchange) underWay.delete(socket);
    });
  };
}
