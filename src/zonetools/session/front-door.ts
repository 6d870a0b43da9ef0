/** What the session agent asks of the front door, through the zone's storage endpoint. */
import crypto from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { acceptanceOf } from '../../http/websocket/connection.js';
import { encodeObjectName } from '../../taskapi/object-names.js';

export interface SlaveConnection {
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** @param endpoint `MANTA_URL`. @param name decoded. */
export async function deleteObject(endpoint: string, name: string): Promise<void> {
  const url = new URL(encodeObjectName(name), endpoint);
  const request = http.request(url, { method: 'DELETE', headers: { 'content-length': 0 } });
  request.end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.resume();
  await once(response, 'end');
}

export interface SlaveTarget {
  /** Of the zone; empty: there is none, and the URL is taken as it is. */
  readonly endpoint: string;
  readonly signedUrl: string;
  /** The user's choice not to check certificates. */
  readonly insecureTls: boolean;
}

/**
 * Connects to the session that the URL names, by way of the zone's endpoint if there is one.
 * @throws Error when the front door refuses, with what it says.
 */
export async function connectSlave({ endpoint, signedUrl, insecureTls }: SlaveTarget): Promise<SlaveConnection> {
  const signed = new URL(signedUrl);
  const url = endpoint === '' ? signed : new URL(`${signed.pathname}${signed.search}`, endpoint);
  const key = crypto.randomBytes(16).toString('base64');
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': key,
    'sec-websocket-version': '13',
  };
  const request =
    url.protocol === 'https:'
      ? https.request(url, { headers, rejectUnauthorized: !insecureTls })
      : http.request(url, { headers });
  request.end();
  return new Promise((resolve, reject) => {
    request.once('error', reject);
    request.once('response', (response) => {
      const text: Buffer[] = [];
      response.on('data', (chunk: Buffer) => text.push(chunk));
      response.once('close', () => reject(refused(response, Buffer.concat(text).toString())));
    });
    request.once('upgrade', (response, socket, head) => {
      if (response.headers['sec-websocket-accept'] === acceptanceOf(key)) resolve({ socket, head });
      else reject(new Error('the front door answered to another key'));
    });
  });
}

function refused({ statusCode }: http.IncomingMessage, text: string): Error {
  return new Error(`the front door refused the session: ${statusCode} ${text}`);
}
