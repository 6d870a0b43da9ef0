/** `marlin supervisor CONFIG`: composes a supervisor of real parts. */
import { randomInt } from 'node:crypto';
import { createMahiClient } from '../accounts/mahi-client.js';
import { createBus } from '../bus/bus.js';
import { ensureBuckets } from '../bus/ensure-buckets.js';
import { systemClock } from '../common/clock.js';
import { loadConfig } from '../common/config.js';
import { createLogger, type Logger } from '../common/logging.js';
import { runParts } from '../common/parts.js';
import { connectMoray } from '../moray/client/client.js';
import { configSchema, type SupervisorConfig } from './config.js';
import { startOperatorServer } from './operator.js';
import { startSupervisor } from './supervisor.js';
import { createRemover } from './tasks/remove.js';

const graceMs = 10_000;
const chanceBits = 2 ** 47;

export interface RunningSupervisor {
  /** Of the operator server. */
  readonly port: number;
  stop(): Promise<void>;
}

export async function startService(config: SupervisorConfig, log: Logger): Promise<RunningSupervisor> {
  const { moray: servers, auth, buckets, instanceUuid, manta, tunables } = config;
  const moray = await connectMoray({ url: servers.storage.url, log });
  const index = servers.index.url === servers.storage.url ? moray : await connectMoray({ url: servers.index.url, log });
  const accounts = createMahiClient(auth.url, { maxAgeMs: auth.maxAuthCacheAgeMs, maxEntries: auth.maxAuthCacheSize });
  // Ids are made of this chance, so it must not be guessable nor repeat.
  const random = () => randomInt(chanceBits) / chanceBits;
  await ensureBuckets({ moray, buckets, log, clock: systemClock });
  const bus = createBus({ moray, buckets, instance: instanceUuid, clock: systemClock, random, log });
  const remover = createRemover({
    url: manta.url,
    timeoutMs: manta.connectTimeout,
    limit: tunables.maxPendingDeletes,
  });
  const outside = { bus, index, accounts, remover };
  const here = { clock: systemClock, defer: (action: () => void) => void setImmediate(action), random, log };
  const supervisor = await startSupervisor(config, { ...outside, ...here });
  const operator = await startOperatorServer(config, supervisor, log);
  return {
    port: operator.port,
    async stop() {
      await operator.stop();
      await supervisor.stop();
      remover.close();
      await bus.stop();
      accounts.close();
      if (index !== moray) await index.close();
      await moray.close();
    },
  };
}

export async function main(configFile: string): Promise<void> {
  const unknown: string[] = [];
  const config = loadConfig(configFile, configSchema, (key) => unknown.push(key));
  const log = createLogger({ name: 'jobsupervisor', file: config.log?.file });
  if (unknown.length > 0) log.warn({ keys: unknown }, `configuration "${configFile}" has unknown members`);
  await runParts([async () => (await startService(config, log)).stop], graceMs);
}
