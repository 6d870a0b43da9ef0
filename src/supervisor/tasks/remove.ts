/**
 * Removing intermediate objects: through the front door, with the token of the job, as its user would. A name is removed
 * whatever it stands for by now. That it is gone already, or became a directory with entries, is no error. What will be
 * refused for ever (the token expired, the account was closed) is given up and logged: a job must not wait for it for
 * ever; everything else is tried again later.
 */
import http from 'node:http';
import https from 'node:https';
import VError from 'verror';

export interface RemoverOptions {
  readonly url: string;
  readonly timeoutMs: number;
  /** At a time; more wait. */
  readonly limit: number;
}

export type Removal = 'removed' | 'refused';

export interface Remover {
  /** @throws VError `RemovalError` when it should be tried again. */
  remove(name: string, token: string): Promise<Removal>;
  close(): void;
}

const settled = new Set([200, 202, 204, 404, 410]);
const transient = new Set([408, 409, 425, 429]);

export function createRemover({ url, timeoutMs, limit }: RemoverOptions): Remover {
  const base = new URL(url);
  const client = base.protocol === 'https:' ? https : http;
  const agent = new client.Agent({ keepAlive: true, maxSockets: limit, timeout: timeoutMs });
  const pending = new Map<string, Promise<Removal>>();

  const send = (name: string, token: string): Promise<Removal> =>
    new Promise((resolve, reject) => {
      const path = name.split('/').map(encodeURIComponent).join('/');
      const headers = { authorization: `Token ${token}`, 'content-length': 0 };
      const fail = (cause: Error) =>
        reject(new VError({ name: 'RemovalError', cause, info: { object: name } }, 'cannot remove "%s"', name));
      const request = client.request(new URL(path, base), { method: 'DELETE', agent, headers, timeout: timeoutMs });
      request.on('timeout', () => request.destroy(new Error(`no answer for ${timeoutMs} ms`)));
      request.on('error', fail);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () => {
          const status = response.statusCode ?? 500;
          const outcome = outcomeOf(status, Buffer.concat(chunks).toString('utf8'));
          if (outcome === undefined) fail(new Error(`the front door answered ${status}`));
          else resolve(outcome);
        });
      });
      request.end();
    });

  return {
    remove(name, token) {
      const asked = pending.get(name);
      if (asked !== undefined) return asked;
      const asking = send(name, token).finally(() => pending.delete(name));
      pending.set(name, asking);
      return asking;
    },
    close: () => agent.destroy(),
  };
}

/** undefined: to be tried again. */
export function outcomeOf(status: number, body: string): Removal | undefined {
  if (settled.has(status)) return 'removed';
  if (/"code"\s*:\s*"(ResourceNotFound|DirectoryNotEmpty|DirectoryDoesNotExist)/.test(body)) return 'removed';
  if (status >= 500 || transient.has(status) || status < 400) return undefined;
  return 'refused';
}
