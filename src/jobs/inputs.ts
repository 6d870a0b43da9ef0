/**
 * Adding inputs: names come from a request body or a command line, one after another and perhaps slowly, and each
 * becomes a record. A reader gathers names, a writer takes all that has been gathered and stores it in one call; while
 * that call is under way the next names gather. So a lone name is stored at once, a flood in large batches, and the
 * reader is never more than a batch ahead. One call at a time keeps the order: `_id` follows the order of the names.
 */
import { domainChannel, jobsChannel, payloadOf } from '../bus/channels.js';
import type { BatchRequest } from '../moray/client/types.js';
import { newJobInput } from '../records/job-input.js';
import type { JobStore } from './store.js';
import type { InputOptions } from './types.js';

const batchLimit = 500;
/** Characters: names may be long, and a frame has a limit. */
const batchCharsLimit = 4 * 1024 * 1024;

export async function addJobInput(
  store: JobStore,
  jobId: string,
  name: string,
  options: InputOptions = {},
): Promise<void> {
  await save(store, jobId, [name], options);
}

export async function addJobInputs(
  store: JobStore,
  jobId: string,
  names: Iterable<string> | AsyncIterable<string>,
  options: InputOptions = {},
): Promise<number> {
  let writing: Promise<void> = Promise.resolve();
  let isWriting = false;
  let gathered: string[] = [];
  let gatheredChars = 0;
  let count = 0;
  let failure: { readonly error: unknown } | null = null;
  const write = async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve)); // what has arrived together goes together
    while (gathered.length > 0 && failure === null) {
      const batch = gathered;
      gathered = [];
      gatheredChars = 0;
      try {
        await save(store, jobId, batch, options);
        count += batch.length;
      } catch (error) {
        failure = { error };
      }
    }
    isWriting = false;
  };
  for await (const name of names) {
    if (name === '') continue;
    gathered.push(name);
    gatheredChars += name.length;
    if (!isWriting) {
      isWriting = true;
      writing = write();
    }
    if (gathered.length >= batchLimit || gatheredChars >= batchCharsLimit) await writing;
    rethrow(failure);
  }
  await writing;
  rethrow(failure);
  return count;
}

function rethrow(failure: { readonly error: unknown } | null): void {
  if (failure !== null) throw failure.error;
}

/** Without a domain nobody's query finds the records yet: supervisors are told, so that the owner marks them. */
async function save(store: JobStore, jobId: string, names: readonly string[], { domain }: InputOptions): Promise<void> {
  const nowMs = store.clock.nowMs();
  const requests = names.map((name): BatchRequest => {
    const value = newJobInput(jobId, name, nowMs, domain);
    return { operation: 'put', bucket: store.buckets.jobinput, key: store.newId(), value };
  });
  const channel = domain === undefined ? jobsChannel : domainChannel(domain);
  await store.moray.batch(requests, { notify: [[channel, payloadOf(['jobinput'])]] });
}
