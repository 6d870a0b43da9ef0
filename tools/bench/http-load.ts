/** So many clients, each with a connection of its own, that send the next request when they have the last answer. */
import { once } from 'node:events';
import http from 'node:http';

export interface Target {
  readonly port: number;
  /** Of the directory that objects go to, without the last slash. */
  readonly path: string;
  readonly headers: () => http.OutgoingHttpHeaders;
}

export interface Load {
  readonly method: 'PUT' | 'GET';
  readonly sizeBytes: number;
  readonly clients: number;
  readonly requests: number;
  /** Name of the object of a request. */
  readonly nameOf: (index: number) => string;
}

/** @returns seconds for all of it. @throws Error when an answer is not the one that it should be. */
export async function runLoad(target: Target, load: Load): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, noDelay: true, maxSockets: load.clients });
  const indexes = Array.from({ length: load.requests }, (_, index) => index).values();
  const startMs = performance.now();
  const client = async () => {
    for (const index of indexes) await exchange(agent, target, load, index);
  };
  await Promise.all(Array.from({ length: load.clients }, client));
  const seconds = (performance.now() - startMs) / 1000;
  agent.destroy();
  return seconds;
}

const chunk = Buffer.alloc(256 * 1024, 'The quick brown fox jumps over the lazy dog.\n');

async function exchange(agent: http.Agent, target: Target, load: Load, index: number): Promise<void> {
  const { method, sizeBytes } = load;
  const length = method === 'PUT' ? { 'content-length': sizeBytes } : {};
  const path = `${target.path}/${load.nameOf(index)}`;
  const headers = { ...target.headers(), ...length };
  const request = http.request({ port: target.port, host: '127.0.0.1', agent, method, path, headers });
  const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
  if (method === 'PUT') await sendBytes(request, sizeBytes);
  else request.end();
  const [response] = await answered;
  let receivedBytes = 0;
  for await (const piece of response) receivedBytes += (piece as Buffer).length;
  const isGood =
    response.statusCode === (method === 'GET' ? 200 : 204) || (method === 'PUT' && response.statusCode === 201);
  if (!isGood || (method === 'GET' && receivedBytes !== sizeBytes))
    throw new Error(`${method} ${path}: status ${response.statusCode}, ${receivedBytes} bytes`);
}

async function sendBytes(request: http.ClientRequest, sizeBytes: number): Promise<void> {
  for (let left = sizeBytes; left > 0; left -= chunk.length) {
    const piece = left < chunk.length ? chunk.subarray(0, left) : chunk;
    if (!request.write(piece)) await once(request, 'drain');
  }
  request.end();
}
