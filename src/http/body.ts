/** Small bodies, taken in whole. */
import type http from 'node:http';

/**
 * Resolves when the request has ended. What has arrived already, as small bodies mostly have, is taken at once. The
 * caller limits the size, by the announced length. Rejects when the client goes away.
 */
export function readBody(request: http.IncomingMessage): Promise<Buffer> {
  if (request.complete && request.readableLength > 0) {
    const bytes = request.read() as Buffer;
    request.resume(); // to the end, else the connection is not used again
    return Promise.resolve(bytes);
  }
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const cutOff = () => reject(new Error('the client went away'));
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.once('end', () => {
      request.off('close', cutOff);
      resolve(Buffer.concat(pieces));
    });
    request.once('error', reject);
    request.once('close', cutOff);
  });
}
