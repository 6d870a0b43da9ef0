/**
 * Listening on a zone's socket. Node cuts a socket path above 107 bytes and listens elsewhere without an error, so long
 * paths go through a descriptor of the directory.
 */
import fs from 'node:fs/promises';
import type http from 'node:http';
import path from 'node:path';

const maxPathBytes = 100;

/** @returns what stops listening and closes every connection. */
export async function listenIn(server: http.Server, directory: string): Promise<() => Promise<void>> {
  const socket = path.join(directory, 'sock');
  await fs.rm(socket, { force: true });
  const handle = Buffer.byteLength(socket) > maxPathBytes ? await fs.open(directory) : null;
  const reachable = handle === null ? socket : `/proc/self/fd/${handle.fd}/sock`;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(reachable, () => {
      server.off('error', reject);
      resolve();
    });
  });
  await fs.chmod(socket, 0o666);
  return async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
    await handle?.close();
  };
}
