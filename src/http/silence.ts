/**
 * Timeouts are about silence, never about size: a connection on which nothing moves is cut while it is the client's
 * turn. One timer per connection, not per request. Between requests connections stay, because neighbours that keep them
 * would now and then send into a closing one; unless nobody would miss it.
 */
import type http from 'node:http';
import type { Socket } from 'node:net';

type TheirTurn = (request: http.IncomingMessage, response: http.ServerResponse) => boolean;
type Watch = (request: http.IncomingMessage, response: http.ServerResponse) => void;

/**
 * @param isTheirTurn asked after `timeoutMs` of silence during a request.
 * @param isDispensable asked after that between requests.
 * @returns to be called with each request.
 */
export function watchSilence(
  server: Pick<http.Server, 'setTimeout'>,
  timeoutMs: number,
  isTheirTurn: TheirTurn,
  isDispensable: (socket: Socket) => boolean = () => false,
): Watch {
  const underWay = new WeakMap<Socket, Parameters<Watch>>();
  server.setTimeout(timeoutMs, (socket: Socket) => {
    const exchange = underWay.get(socket);
    if (exchange === undefined) {
      if (isDispensable(socket)) socket.destroy();
    } else if (isTheirTurn(...exchange)) {
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
