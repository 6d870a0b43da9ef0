/** `mlocate`: where the copies of objects are, as a supervisor with this configuration sees it. */
import VError from 'verror';
import { loadConfig } from '../common/config.js';
import { createLogger } from '../common/logging.js';
import { connectMoray } from '../moray/client/client.js';
import { present } from '../moray/client/filter.js';
import type { MorayClient } from '../moray/client/types.js';
import { defaultBuckets } from '../records/buckets.js';
import { type TaskError, taskErrors } from '../records/error-codes.js';
import { isStorageRecord, type StorageRecord } from '../records/storage.js';
import { type Program, programOf } from './command.js';
import type { CliContext } from './context.js';

const indexBucket = 'manta';

/** Of a supervisor's configuration, what is needed to look objects up. */
const server = {
  type: 'object',
  required: ['url'],
  properties: { url: { type: 'string', minLength: 1 } },
} as const;
const configSchema = {
  type: 'object',
  required: ['moray'],
  properties: {
    moray: { type: 'object', required: ['index', 'storage'], properties: { index: server, storage: server } },
    buckets: { type: 'object', properties: { storage: { type: 'string', minLength: 1 } } },
  },
} as const;

export const mlocate: Program<CliContext> = programOf({
  name: 'mlocate',
  args: 'conffile key [key...]',
  argCount: { least: 2, most: Number.POSITIVE_INFINITY },
  help: 'shows where objects are, by the configuration of a supervisor; a key is /ACCOUNT_UUID/stor/...',
  options: [],
  async run({ args: [file = '', ...keys], context: { env }, print }) {
    const { moray, buckets } = readConfig(file);
    const log = createLogger({ name: 'mlocate', level: env['LOG_LEVEL'] ?? 'error', stream: process.stderr });
    const storage = await connect(moray.storage.url, log);
    try {
      const nodes = await storageNodes(storage, buckets?.storage ?? defaultBuckets.storage);
      const index = moray.index.url === moray.storage.url ? storage : await connect(moray.index.url, log);
      try {
        const found = await Promise.all(keys.map(async (key) => [key, await locate(index, key, nodes)] as const));
        print(JSON.stringify(Object.fromEntries(found), null, 4));
      } finally {
        if (index !== storage) await index.close();
      }
    } finally {
      await storage.close();
    }
    return 0;
  },
});

function readConfig(file: string) {
  return loadConfig(file, configSchema);
}

async function connect(url: string, log: ReturnType<typeof createLogger>): Promise<MorayClient> {
  try {
    return await connectMoray({ url, log, failFast: true });
  } catch (error) {
    throw new VError({ name: 'ConnectError', cause: error as Error }, 'failed to connect to "%s"', url);
  }
}

async function storageNodes(moray: MorayClient, bucket: string): Promise<ReadonlyMap<string, StorageRecord>> {
  const nodes = new Map<string, StorageRecord>();
  const found = moray.findObjects(bucket, present('manta_storage_id'), { noLimit: true, no_count: true });
  for await (const { value } of found) {
    if (isStorageRecord(value) && value.manta_storage_id !== undefined) nodes.set(value.manta_storage_id, value);
  }
  return nodes;
}

/** @returns an `error` for what a job would be told about this name. @throws when the index does not answer. */
async function locate(index: MorayClient, key: string, nodes: ReadonlyMap<string, StorageRecord>): Promise<object> {
  let record: Readonly<Record<string, unknown>>;
  try {
    record = (await index.getObject(indexBucket, key)).value;
  } catch (error) {
    if (VError.hasCauseWithName(error as Error, 'ObjectNotFoundError')) return failed(taskErrors.noSuchObject(key));
    throw new VError({ name: 'LocateError', cause: error as Error }, 'error locating "%s"', key);
  }
  const { type, creator, owner, objectId, contentLength, roles, sharks } = record;
  if (type !== 'object') return failed(taskErrors.unsupportedType(String(type), key));
  if (!Array.isArray(sharks)) return failed(taskErrors.invalidSharks(key));
  if (sharks.length === 0 && contentLength !== 0) return failed(taskErrors.noSharks(key));
  return {
    creator: creator ?? owner,
    owner,
    objectid: objectId,
    contentLength,
    roles: roles ?? [],
    sharks: sharks.map((shark: { readonly manta_storage_id?: unknown } | null) => {
      const mantaStorageId = shark?.manta_storage_id;
      const node = typeof mantaStorageId === 'string' ? nodes.get(mantaStorageId) : undefined;
      return { mantaStorageId, mantaComputeId: node?.manta_compute_id ?? null, zonename: node?.zone_uuid ?? null };
    }),
  };
}

/** Operators are told what users are not. */
function failed({ code, message, internal }: TaskError): object {
  return { error: { code, message: internal ?? message } };
}
