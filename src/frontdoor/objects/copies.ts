/**
 * The bytes of a stored object. Its copies are asked in random order, those on nodes that are away last; when one breaks
 * off, the next goes on where it stopped, so that what was begun is finished if any copy is whole.
 */
import VError from 'verror';
import type { ObjectEntry } from '../metadata/entry.js';
import { shuffled } from '../placement/choose.js';
import { statusOf } from '../placement/node-client.js';
import type { Call } from '../request/call.js';

/** Both inclusive. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** @throws VError when no copy is left. */
export async function* readCopies(call: Call, entry: ObjectEntry, { first, last }: ByteRange): AsyncGenerator<Buffer> {
  const { nodes, picker, random } = call.services;
  const path = `/${entry.creator ?? entry.owner}/${entry.objectId}`;
  let at = first;
  const sharks = shuffled(entry.sharks, random).sort(
    (one, other) => Number(picker.isAway(one.manta_storage_id)) - Number(picker.isAway(other.manta_storage_id)),
  );
  for (const { manta_storage_id: id } of sharks) {
    const url = await picker.urlOf(id);
    const whole = at === 0 && last === entry.contentLength - 1;
    try {
      const range = whole ? undefined : { first: at, last };
      const bytes = await nodes.read({ url, path, requestId: call.requestId, range });
      for await (const chunk of bytes as AsyncIterable<Buffer>) {
        const wanted = at + chunk.length > last + 1 ? chunk.subarray(0, last + 1 - at) : chunk;
        at += wanted.length;
        yield wanted;
      }
      if (at > last) return;
      call.services.log.error({ req_id: call.requestId, url, path, at, last }, 'a copy of an object is too short');
    } catch (error) {
      if (statusOf(error) === undefined) picker.noteSilence(id);
      call.services.log.warn(
        { err: error, req_id: call.requestId, url, path, at },
        'a copy of an object cannot be read',
      );
    }
  }
  throw new VError({ name: 'NoCopyError', info: { path } }, 'no copy of object %s could be read', path);
}
