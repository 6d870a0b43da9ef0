/** Saves a file as an output object of the task, through the zone's storage endpoint. */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { encodeObjectName } from '../../taskapi/object-names.js';
import { reducerHeader, streamHeader } from '../../taskapi/routes.js';
import { directoryContentType, type PutAnswer, parseErrorBody, saveObject } from '../../taskapi/save-object.js';

export interface Emission {
  /** Of the storage endpoint, `MANTA_URL`. */
  readonly url: string;
  readonly file: string;
  /** Decoded. */
  readonly name: string;
  readonly reducer: number;
}

/** Pauses before a connection that was refused is tried again: the lackey may just be starting. */
const connectPausesMs = [500, 1000, 2000];

/** @throws Error with the server's message when the third attempt failed. */
export async function emitFile({ url, file, name, reducer }: Emission): Promise<void> {
  const sizeBytes = fs.statSync(file).size;
  const put = (path: string, what: 'object' | 'directory'): Promise<PutAnswer> => {
    const headers = {
      accept: 'application/json',
      'accept-version': '~1.0',
      'x-request-id': randomUUID(),
      ...(what === 'directory'
        ? { 'content-type': directoryContentType, 'content-length': 0 }
        : {
            'content-length': sizeBytes,
            expect: '100-continue',
            [streamHeader]: 'stdout',
            [reducerHeader]: reducer,
          }),
    };
    const send = () =>
      sendFile(
        http.request(new URL(encodeObjectName(path), url), { method: 'PUT', headers }),
        what === 'object' ? file : undefined,
      );
    return whenConnected(send);
  };
  await saveObject(name, { put, pause });
}

async function whenConnected<T>(send: () => Promise<T>): Promise<T> {
  for (const pauseMs of connectPausesMs) {
    try {
      return await send();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
      await pause(pauseMs);
    }
  }
  return send();
}

function sendFile(request: http.ClientRequest, file: string | undefined): Promise<PutAnswer> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        request.destroy();
        resolve(parseErrorBody(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8')));
      });
    });
    if (file === undefined) {
      request.end();
      return;
    }
    request.on('continue', () => {
      const body = fs.createReadStream(file);
      body.on('error', (error) => request.destroy(error));
      body.pipe(request);
    });
  });
}
