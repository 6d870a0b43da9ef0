/** The listening socket of the Fast protocol. */
import { once } from 'node:events';
import net from 'node:net';
import type { Logger } from '../../../common/logging.js';
import { type Request, serveConnection } from './connection.js';

interface FastServerOptions {
  readonly host: string;
  readonly port: number;
  readonly log: Logger;
  readonly maxFrameBytes: number;
  readonly onRequest: (request: Request) => void;
}

interface FastServer {
  /** The one in use, where 0 was asked for. */
  readonly port: number;
  connectionCount(): number;
  /** Requests under way go on, nobody hears their answers. */
  stop(): Promise<void>;
}

export async function startFastServer(options: FastServerOptions): Promise<FastServer> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serveConnection({ ...options, socket });
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    connectionCount: () => sockets.size,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
