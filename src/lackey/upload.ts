/** Saves captured output that is too long to travel inside a report: a PUT to the agent's socket. Source: spec 06 §1.4. */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { encodeObjectName } from '../taskapi/object-names.js';
import { streamHeader } from '../taskapi/routes.js';
import { directoryContentType, type Put, type PutAnswer, parseErrorBody, saveObject } from '../taskapi/save-object.js';
import { readText } from './agent-client.js';

export interface Upload {
  readonly socketPath: string;
  /** Decoded. */
  readonly name: string;
  readonly stream: 'stdout' | 'stderr' | 'core';
  /** Read from its start to its end; stays open. */
  readonly descriptor: number;
}

/** @throws Error with the cause when the third attempt failed. */
export async function upload({ socketPath, name, stream, descriptor }: Upload): Promise<void> {
  const sizeBytes = fs.fstatSync(descriptor).size;
  const put: Put = (path, what) => {
    const request = http.request({
      socketPath,
      method: 'PUT',
      path: encodeObjectName(path),
      headers: {
        accept: 'application/json',
        'x-request-id': randomUUID(),
        ...(what === 'directory'
          ? { 'content-type': directoryContentType, 'content-length': 0 }
          : { 'content-length': sizeBytes, expect: '100-continue', [streamHeader]: stream }),
      },
    });
    const body = () =>
      fs.createReadStream('', { fd: descriptor, start: 0, end: Math.max(0, sizeBytes - 1), autoClose: false });
    return sendWithBody(request, what === 'object' && sizeBytes > 0 ? body : undefined);
  };
  await saveObject(name, { put, pause, waitsForService: true });
}

function sendWithBody(request: http.ClientRequest, body: (() => fs.ReadStream) | undefined): Promise<PutAnswer> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const status = response.statusCode ?? 0;
      readText(response)
        .then((text) => resolve(parseErrorBody(status, text)), reject)
        .finally(() => request.destroy());
    });
    if (body === undefined) {
      request.end();
      return;
    }
    request.on('continue', () => {
      const stream = body();
      stream.on('error', (error) => request.destroy(error));
      stream.pipe(request);
    });
  });
}
