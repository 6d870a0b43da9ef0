/** The front door: the public HTTP API over the namespace, the storage nodes and the job library; and the accounts port. */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs/promises';
import { createFileStore } from '../accounts/file-store.js';
import { createMahiClient } from '../accounts/mahi-client.js';
import { startMahiServer } from '../accounts/mahi-server.js';
import { createTokens } from '../accounts/tokens.js';
import type { AccountStore } from '../accounts/types.js';
import { systemClock } from '../common/clock.js';
import { loadConfig } from '../common/config.js';
import { createLogger, type Logger } from '../common/logging.js';
import { runParts } from '../common/parts.js';
import { createRequestMetrics } from '../http/metrics.js';
import { createOperatorServer } from '../http/operator-server.js';
import { createJobs } from '../jobs/jobs.js';
import { connectMoray } from '../moray/client/client.js';
import { defaultBuckets } from '../records/buckets.js';
import { configSchema, type FrontdoorConfig } from './config.js';
import { createLimits } from './limits/limits.js';
import { ensureBuckets } from './metadata/buckets.js';
import { createEntryStore } from './metadata/entry-store.js';
import { createNodeClient } from './placement/node-client.js';
import { createPicker } from './placement/picker.js';
import { startHttpServer } from './server.js';
import { publishAsset } from './sessions/asset.js';
import { createReflector } from './sessions/reflector.js';

export { configSchema } from './config.js';

/** Larger than what the server gives the requests that it is serving. */
const stopGraceMs = 15_000;

export async function main(configFile: string): Promise<void> {
  const unknownKeys: string[] = [];
  const config = loadConfig(configFile, configSchema, (key) => unknownKeys.push(key));
  const log = createLogger({ name: 'frontdoor', level: config.log.level, file: config.log.file });
  for (const key of unknownKeys) log.warn({ key }, 'configuration "%s": unknown key', configFile);
  await runParts([async () => (await startFrontdoor(config, log)).stop], stopGraceMs);
}

export interface Frontdoor {
  readonly port: number;
  /** Of the accounts port; undefined when none is configured. */
  readonly mahiPort: number | undefined;
  /** Of `/metrics`; undefined when none is configured. */
  readonly monitorPort: number | undefined;
  readonly stop: () => Promise<void>;
}

/** Starts inside this process. Waits for the metadata store, however long that takes to come up. */
export async function startFrontdoor(config: FrontdoorConfig, log: Logger): Promise<Frontdoor> {
  const clock = systemClock;
  const tokens = createTokens(await fs.readFile(config.tokenKeyFile, 'utf8'));
  const { accounts, closeAccounts } = openAccounts(config, log);
  const moray = await connectMoray({ url: config.moray.url, log });
  const buckets = { ...defaultBuckets, ...config.buckets };
  await ensureBuckets(moray, buckets);
  const { mahi, storage } = config;
  const picker = createPicker({ moray, clock, log, pollMs: storage.pollMs, lagMs: storage.lagMs });
  const nodes = createNodeClient(storage.connectTimeoutMs);
  const reflector = createReflector(clock);
  const metrics = createRequestMetrics();
  const limits = createLimits({ config: config.limits, clock, registry: metrics.registry });
  const newId = () => crypto.randomUUID();
  const http = await startHttpServer({
    config,
    log,
    clock,
    random: Math.random,
    newId,
    accounts,
    tokens,
    entries: createEntryStore(moray),
    jobs: createJobs({ moray, buckets, clock, newId, images: config.images }),
    picker,
    nodes,
    reflector,
    limits,
    metrics,
  });
  const stopPublishing = publishAsset({
    address: { host: config.host, port: http.port },
    accounts,
    tokens,
    clock,
    log,
  });
  const accountsPort = mahi === undefined ? undefined : await startMahiServer(accounts, { ...mahi, log });
  const { host, monitorPort } = config;
  const snapshot = () => ({
    requestsUnderWay: limits.underWay(),
    connections: limits.connections.snapshot(),
  });
  const monitor =
    monitorPort === undefined
      ? undefined
      : await createOperatorServer({ name: 'MarlinFrontdoor', host, port: monitorPort, log, snapshot, metrics });
  log.info({ port: http.port, mahiPort: accountsPort?.port, monitorPort: monitor?.port }, 'front door is listening');
  return {
    port: http.port,
    mahiPort: accountsPort?.port,
    monitorPort: monitor?.port,
    stop: async () => {
      stopPublishing();
      reflector.stop();
      await http.stop();
      await accountsPort?.stop();
      await monitor?.stop();
      picker.stop();
      nodes.close();
      closeAccounts();
      await moray.close();
    },
  };
}

/** The schema sees to it that just one of the two is there. */
function openAccounts(
  { accountsFile, auth }: Pick<FrontdoorConfig, 'accountsFile' | 'auth'>,
  log: Logger,
): { readonly accounts: AccountStore; readonly closeAccounts: () => void } {
  if (auth !== undefined) {
    const accounts = createMahiClient(auth.url);
    return { accounts, closeAccounts: () => accounts.close() };
  }
  assert(accountsFile !== undefined, 'accounts are kept nowhere');
  return { accounts: createFileStore(accountsFile, log), closeAccounts: () => {} };
}
