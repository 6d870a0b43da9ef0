/** Asking our own neighbours: one keep-alive connection pool per neighbour, JSON in and out. */
import http from 'node:http';
import VError from 'verror';

export interface JsonAnswer {
  readonly statusCode: number;
  readonly body: unknown;
}

export interface JsonClient {
  /** GET of `path`; repeated once when a kept connection turned out to be closed. */
  get(path: string): Promise<JsonAnswer>;
  close(): void;
}

const maxBodyBytes = 64 * 1024 * 1024;

/** @param url `http://host:port`. @param timeoutMs of silence after which a request fails. */
export function createJsonClient(url: string, timeoutMs: number): JsonClient {
  const base = new URL(url);
  const agent = new http.Agent({ keepAlive: true, noDelay: true, maxSockets: 64 });

  function ask(path: string): Promise<JsonAnswer> {
    return new Promise((resolve, reject) => {
      const request = http.get(new URL(path, base), { agent, timeout: timeoutMs });
      const fail = (cause: Error) => reject(requestFailed(cause, `${base.origin}${path}`, request.reusedSocket));
      request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      request.on('error', fail);
      request.on('response', (response) => {
        readJson(response).then((body) => resolve({ statusCode: response.statusCode ?? 0, body }), fail);
      });
    });
  }

  return {
    get: (path) =>
      ask(path).catch((error: Error) => {
        if (VError.info(error)['staleConnection'] !== true) throw error;
        return ask(path);
      }),
    close: () => agent.destroy(),
  };
}

function requestFailed(cause: Error, url: string, reused: boolean): Error {
  const staleConnection = reused && (cause as NodeJS.ErrnoException).code === 'ECONNRESET';
  return new VError({ name: 'HttpRequestError', cause, info: { staleConnection } }, 'GET %s', url);
}

async function readJson(response: http.IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBodyBytes) throw new Error(`the answer is longer than ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}
