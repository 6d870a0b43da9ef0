/**
 * `marlin storage`: the logical storage nodes of one machine in one process. It serves objects as soon as it listens;
 * it is ready when every node has said in `manta_storage` where it is, so that uploads find them.
 */
import { type Clock, systemClock } from '../common/clock.js';
import { loadConfig } from '../common/config.js';
import { createLogger, type Logger } from '../common/logging.js';
import { runParts } from '../common/parts.js';
import { connectMoray } from '../moray/client/client.js';
import type { MorayClient } from '../moray/client/types.js';
import { configSchema, type StorageConfig } from './config.js';
import { beat, ensureStorageBucket, type HeartbeatSource } from './heartbeat.js';
import { type StorageNode, startStorageNode } from './node.js';
import { startRemoval } from './removal.js';

export interface StorageService {
  /** Where each logical node listens, by `manta_storage_id`. */
  readonly urls: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const graceMs = 10_000;
const retryMs = 1000;

export async function main(configFile: string): Promise<void> {
  const unknown: string[] = [];
  const config = loadConfig(configFile, configSchema, (path) => unknown.push(path));
  const log = createLogger({ name: 'storage', file: config.log.file });
  if (unknown.length > 0) log.warn({ configFile, unknown }, 'configuration has keys that this version does not know');
  await runParts([async () => (await startStorage(config, log)).stop], graceMs);
}

/** Starts every logical node of the configuration inside this process. */
export async function startStorage(
  config: StorageConfig,
  log: Logger,
  clock: Clock = systemClock,
): Promise<StorageService> {
  const nodes = await startNodes(config, log);
  const moray = await connectMoray({ url: config.moray.url, log });
  const sources = config.nodes.map((node, index): HeartbeatSource => {
    const { url, files } = nodes[index] as StorageNode;
    return { node, datacenter: config.datacenter, url: node.url ?? url, files };
  });
  const heartbeats = await startHeartbeats({ moray, sources, everyMs: config.heartbeatMs, log, clock });
  const removal = startRemoval({
    moray,
    nodes: sources.map(({ node, files }) => ({ storageId: node.manta_storage_id, files })),
    ...config.removal,
    log,
    clock,
  });
  log.info({ nodes: sources.map(({ node, url }) => ({ id: node.manta_storage_id, root: node.root, url })) }, 'ready');
  return {
    urls: Object.fromEntries(sources.map(({ node, url }) => [node.manta_storage_id, url])),
    async stop() {
      heartbeats.stop();
      const removed = removal.stop();
      await Promise.all(nodes.map((node) => node.stop()));
      await moray.close(); // ends a removal that waits for an answer
      await removed;
    },
  };
}

async function startNodes(config: StorageConfig, log: Logger): Promise<readonly StorageNode[]> {
  const nodes: StorageNode[] = [];
  for (const { root, host, port, manta_storage_id } of config.nodes)
    nodes.push(await startStorageNode({ root, host, port, log: log.child({ node: manta_storage_id }) }));
  return nodes;
}

interface HeartbeatsOptions {
  readonly moray: MorayClient;
  readonly sources: readonly HeartbeatSource[];
  readonly everyMs: number;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Resolves when every node has been announced once; tries until then. A later failure waits for the next time. */
async function startHeartbeats({ moray, sources, everyMs, log, clock }: HeartbeatsOptions): Promise<{ stop(): void }> {
  let stopped = false;
  let cancel = () => {};
  const beatAll = () => Promise.all(sources.map((source) => beat(moray, source, clock.nowMs())));
  const failed = (error: unknown) => {
    if (!stopped) log.warn({ err: error }, 'heartbeat failed: uploads may not find this storage node');
  };
  const turn = () => {
    cancel = clock.after(
      everyMs,
      () =>
        void beatAll()
          .catch(failed)
          .then(() => !stopped && turn()),
    );
  };
  for (;;) {
    try {
      await ensureStorageBucket(moray);
      await beatAll();
      break;
    } catch (error) {
      failed(error);
      await new Promise<void>((resolve) => void clock.after(retryMs, resolve));
    }
  }
  turn();
  return {
    stop() {
      stopped = true;
      cancel();
    },
  };
}
