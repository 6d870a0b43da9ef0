/**
 * Taking in the bytes of an object: theory of operation. The client's stream is written to every chosen storage node at
 * once, chunk by chunk: the next chunk is read only when the slowest node has taken this one, so that nothing piles up
 * here, however large the object. Nodes make the bytes visible under a fresh object id when they have all of them; the
 * entry that names the id is written later and elsewhere, so whatever goes wrong here (a client that goes away, a node
 * that fails, a digest that differs) leaves the old object as it was. What a node keeps of a failed upload has no entry
 * and is removed by the node itself.
 *
 * What is small and already on its way (the client did not ask whether it may send) is taken in first and then given to
 * each node in one message: most objects that jobs write are of this kind.
 */
import crypto from 'node:crypto';
import type { Request } from 'restify';
import VError from 'verror';
import { readBody } from '../../http/body.js';
import { httpError } from '../../http/errors.js';
import type { StorageNode } from '../placement/choose.js';
import { type NodeClient, statusOf, type Upload } from '../placement/node-client.js';
import { megabytes } from './size.js';

export interface OpenUpload {
  readonly node: StorageNode;
  readonly upload: Upload;
}

/** In memory. */
export interface SmallObject {
  readonly objectId: string;
  readonly bytes: Buffer;
  /** base64 */
  readonly md5: string;
}

export interface Destination {
  readonly nodes: NodeClient;
  /** The nodes to try next; undefined when too few are left. */
  readonly setWithout: (refused: ReadonlySet<string>) => readonly StorageNode[] | undefined;
  /** UUID of the account whose bytes these are. */
  readonly creator: string;
  readonly contentType: string;
  readonly requestId: string;
  /** For the message when there is no room. */
  readonly maxBytes: number;
  readonly onRefused: (node: StorageNode, error: unknown) => void;
}

const insufficientStorage = 507;

/**
 * Opens an upload on every node of the first set whose nodes all agree.
 * @throws VError `NotEnoughSpace` when the last set had no room, `NoStorageNodes` when it was not there.
 */
export async function openUploads(
  to: Destination,
  objectId: string,
  sizeBytes: number | undefined,
): Promise<readonly OpenUpload[]> {
  const { nodes, creator, contentType, requestId } = to;
  const path = `/${creator}/${objectId}`;
  return onFirstSet(
    to,
    async (node) => ({ node, upload: await nodes.open({ url: node.url, path, sizeBytes, contentType, requestId }) }),
    ({ upload }) => upload.abort(),
  );
}

/** Stores the bytes on every node of the first set whose nodes all take them. @throws as `openUploads`. */
export async function storeEverywhere(to: Destination, object: SmallObject): Promise<readonly StorageNode[]> {
  const { nodes, creator, contentType, requestId } = to;
  const { objectId, bytes, md5 } = object;
  return onFirstSet(
    to,
    async (node) => {
      const path = `/${creator}/${objectId}`;
      const digest = await nodes.store({ url: node.url, path, bytes, contentType, requestId });
      if (digest !== undefined && digest !== md5) throw storedOtherwise(node);
      return node;
    },
    forgotten,
  );
}

/** The same for several objects, which all go to the same nodes. */
export async function storeTogether(to: Destination, objects: readonly SmallObject[]): Promise<readonly StorageNode[]> {
  const { nodes, creator, requestId } = to;
  return onFirstSet(
    to,
    async (node) => {
      await nodes.storeTogether({ url: node.url, creator, objects, requestId });
      return node;
    },
    forgotten,
  );
}

/** What a node has of a set that failed has no entry, and is removed by the node. */
const forgotten = () => {};

/** Sets of nodes that are tried: each costs the time to find out that a node does not answer. */
const maxSets = 3;

async function onFirstSet<Result>(
  { setWithout, maxBytes, onRefused }: Destination,
  attempt: (node: StorageNode) => Promise<Result>,
  undo: (result: Result) => void,
): Promise<readonly Result[]> {
  let full = false;
  const refused = new Set<string>();
  for (let tried = 0; tried < maxSets; tried++) {
    const set = setWithout(refused);
    if (set === undefined) break;
    const outcomes = await Promise.allSettled(set.map(attempt));
    const results = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    if (results.length === set.length) return results;
    for (const result of results) undo(result);
    const refusals = set.flatMap((node, index) => {
      const outcome = outcomes[index];
      return outcome?.status === 'rejected' ? [{ node, error: outcome.reason as unknown }] : [];
    });
    for (const { node, error } of refusals) {
      refused.add(node.id);
      onRefused(node, error);
    }
    full = refusals.some(({ error }) => statusOf(error) === insufficientStorage);
  }
  throw full ? httpError('NotEnoughSpace', megabytes(maxBytes)) : httpError('NoStorageNodes');
}

function storedOtherwise(node: StorageNode): Error {
  return new VError({ name: 'StorageNodeError' }, 'storage node %s stored other bytes than it was sent', node.id);
}

/** Where bytes come from: a request is one. */
export interface ByteSource {
  iterator(options: { readonly destroyOnReturn: boolean }): AsyncIterable<unknown>;
  /** Whether everything has come. */
  readonly complete: boolean;
  readonly destroyed: boolean;
}

export interface ReceiveOptions {
  readonly source: ByteSource;
  readonly uploads: readonly OpenUpload[];
  readonly sizeBytes: number | undefined;
  readonly maxBytes: number;
  /** Longest wait for the client's next byte, or for a node to take one. */
  readonly stallMs: number;
  /** Told of the nodes at which it failed, if it did. */
  readonly onFailed: (node: StorageNode, error: unknown) => void;
  readonly nowMs: () => number;
}

export interface Received {
  readonly sizeBytes: number;
  /** base64 */
  readonly md5: string;
  /** When the last byte was here, and with no node yet. */
  readonly lastByteMs: number;
}

/**
 * Resolves when every node has everything; for no bytes at all, nodes are let go.
 * @throws VError `MaxContentLengthExceeded`, `UploadTimeout`, `UploadAbandoned`, `NotEnoughSpace`, or of a node's failure.
 */
export async function receive(options: ReceiveOptions): Promise<Received> {
  const { onFailed } = options;
  const uploads = options.uploads.map(observed);
  const watch = startWatch(options.stallMs, () => stallOf(uploads, options.stallMs));
  try {
    const received = await Promise.race([pump({ ...options, uploads }, watch), watch.stalled]);
    if (received.sizeBytes === 0) {
      for (const { upload } of uploads) upload.abort();
      return received;
    }
    const digests = await Promise.race([Promise.all(uploads.map(({ upload }) => upload.finish())), watch.stalled]);
    const wrong = digests.findIndex((digest) => digest !== undefined && digest !== received.md5);
    const liar = uploads[wrong];
    if (liar !== undefined) throw storedOtherwise(liar.node);
    return received;
  } catch (error) {
    for (const { node, failure } of uploads) if (failure() !== undefined) onFailed(node, failure());
    for (const { upload } of uploads) upload.abort(); // fails, too, what did not
    if (statusOf(error) === insufficientStorage) throw httpError('NotEnoughSpace', megabytes(options.maxBytes));
    throw error;
  } finally {
    watch.stop();
  }
}

interface ObservedUpload extends OpenUpload {
  /** What the node failed with. */
  readonly failure: () => unknown;
  /** Whether it is the node that is waited for: bytes were given to it, and it has not taken them. */
  readonly isAwaited: () => boolean;
  /** The node has let it wait too long. */
  readonly fail: (error: Error) => void;
}

function observed({ node, upload }: OpenUpload): ObservedUpload {
  let failure: unknown;
  let isAwaited = false;
  async function watched<Result>(promise: Promise<Result>): Promise<Result> {
    isAwaited = true;
    try {
      return await promise;
    } catch (error) {
      failure ??= error;
      throw error;
    } finally {
      isAwaited = false;
    }
  }
  return {
    node,
    upload: {
      write(chunk) {
        const wait = upload.write(chunk);
        return wait === undefined ? undefined : watched(wait);
      },
      finish: () => watched(upload.finish()),
      abort: () => upload.abort(),
    },
    failure: () => failure,
    isAwaited: () => isAwaited,
    fail(error) {
      failure ??= error;
    },
  };
}

/** Whose silence it was: that of the nodes that have not taken what they were given, else the client's. */
function stallOf(uploads: readonly ObservedUpload[], stallMs: number): Error {
  const silent = uploads.filter((upload) => upload.isAwaited());
  for (const upload of silent) upload.fail(silence(upload.node, stallMs));
  const [first] = silent;
  return first === undefined ? httpError('UploadTimeout') : silence(first.node, stallMs);
}

function silence(node: StorageNode, stallMs: number): Error {
  return new VError({ name: 'StorageNodeError' }, 'storage node %s took nothing for %d ms', node.id, stallMs);
}

async function pump(
  { source, uploads, maxBytes, sizeBytes: announced, nowMs }: ReceiveOptions,
  watch: Watch,
): Promise<Received> {
  const hash = crypto.createHash('md5');
  let sizeBytes = 0;
  let lastByteMs = nowMs();
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      watch.progress();
      lastByteMs = nowMs();
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw httpError('MaxContentLengthExceeded', sizeBytes);
      const waits = uploads.map(({ upload }) => upload.write(chunk)).filter((wait) => wait !== undefined);
      hash.update(chunk);
      if (waits.length > 0) await Promise.all(waits);
      watch.progress();
    }
  } catch (error) {
    if (source.destroyed && !source.complete) throw httpError('UploadAbandoned');
    throw error;
  }
  if (!source.complete || (announced !== undefined && sizeBytes !== announced)) throw httpError('UploadAbandoned');
  return { sizeBytes, md5: hash.digest('base64'), lastByteMs };
}

/** A body of known, small size. @throws VError `UploadTimeout`, `UploadAbandoned`. */
export async function readSmall(request: Request, stallMs: number): Promise<Buffer> {
  if (request.complete) return readBody(request);
  const watch = startWatch(stallMs, () => httpError('UploadTimeout'));
  request.on('data', watch.progress);
  try {
    return await Promise.race([readBody(request), watch.stalled]);
  } catch (error) {
    if (request.destroyed && !request.complete) throw httpError('UploadAbandoned');
    throw error;
  } finally {
    request.off('data', watch.progress);
    watch.stop();
  }
}

interface Watch {
  progress(): void;
  /** Rejects when nothing has moved for too long; never resolves. */
  readonly stalled: Promise<never>;
  stop(): void;
}

function startWatch(stallMs: number, stall: () => Error): Watch {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(stall()), stallMs);
  });
  stalled.catch(() => {}); // whoever races against it is told; when nobody does any more there is nothing to tell
  return { progress: () => timer?.refresh(), stalled, stop: () => clearTimeout(timer) };
}
