/** Storage nodes for tests: a real one over a directory that goes with the test, and raw HTTP to talk to it. */
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import type { Test } from 'tap';
import { createLogger } from '../../src/common/logging.js';
import { type StorageNode, startStorageNode } from '../../src/storage/node.js';

export interface TestStorageNode extends StorageNode {
  readonly root: string;
}

/** A storage node without Moray: no heartbeats, nothing is removed. */
export async function startTestStorageNode(t: Test, root?: string): Promise<TestStorageNode> {
  const directory = root ?? temporaryDirectory(t);
  const log = createLogger({ name: 'storage', level: 'fatal' });
  const node = await startStorageNode({ root: directory, host: '127.0.0.1', port: 0, log });
  t.teardown(() => node.stop());
  return { ...node, root: directory };
}

export function temporaryDirectory(t: Test): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-storage-'));
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** Whether `100 Continue` came before. */
  readonly continued: boolean;
}

/** One request on a connection of its own. With `expect: 100-continue` the body waits for it. */
export async function askHttp(
  url: string,
  options: {
    readonly method?: string;
    readonly headers?: http.OutgoingHttpHeaders;
    readonly body?: Uint8Array | string;
  } = {},
): Promise<HttpAnswer> {
  const { method = 'GET', headers = {}, body } = options;
  const request = http.request(url, { method, headers, agent: false });
  let continued = false;
  request.on('continue', () => {
    continued = true;
    request.end(body);
  });
  if (headers['expect'] === undefined) request.end(body);
  else request.flushHeaders();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  request.on('error', () => {}); // the server may close before it has read everything: the answer counts
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  request.destroy();
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks), continued };
}
