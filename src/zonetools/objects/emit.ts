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
    const request = http.request(new URL(encodeObjectName(path), url), { method: 'PUT', headers });
    return sendFile(request, what === 'object' ? file : undefined);
  };
  await saveObject(name, { put, pause });
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
