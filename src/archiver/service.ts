/** `marlin archiver CONFIG`: finished jobs become objects, and their records go when their time is over. */
import crypto from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import { Gauge } from 'prom-client';
import { createMahiClient } from '../accounts/mahi-client.js';
import { createTokens } from '../accounts/tokens.js';
import { ensureBuckets } from '../bus/ensure-buckets.js';
import { systemClock } from '../common/clock.js';
import { loadConfig } from '../common/config.js';
import { createLogger, type Logger } from '../common/logging.js';
import { runParts } from '../common/parts.js';
import { createOperatorServer, type OperatorRoute } from '../http/operator-server.js';
import { createArchiving } from '../jobs/archiving.js';
import { createJobs } from '../jobs/jobs.js';
import { connectMoray } from '../moray/client/client.js';
import { defaultBuckets } from '../records/buckets.js';
import { archiveJob } from './archive-job.js';
import { type Archiver, startArchiver } from './archiver.js';
import { type ArchiverConfig, configSchema } from './config.js';
import { createMantaClient } from './manta.js';

const graceMs = 10_000;

export async function main(configFile: string): Promise<void> {
  const unknown: string[] = [];
  const config = loadConfig(configFile, configSchema, (key) => unknown.push(key));
  const log = createLogger({ name: 'archiver', file: config.log.file });
  if (unknown.length > 0) log.warn({ configFile, unknown }, 'configuration has keys that this version does not know');
  await runParts([async () => (await startService(config, log)).stop], graceMs);
}

export interface ArchiverService {
  /** Of the operator server. */
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts inside this process. */
export async function startService(config: ArchiverConfig, log: Logger): Promise<ArchiverService> {
  const clock = systemClock;
  const instance = config.instance ?? os.hostname();
  const tokens = createTokens(await fs.readFile(config.tokenKeyFile, 'utf8'));
  const accounts = createMahiClient(config.auth.url);
  const moray = await connectMoray({ url: config.moray.url, log });
  const buckets = { ...defaultBuckets, ...config.buckets };
  await ensureBuckets({ moray, buckets, log, clock });
  const store = { moray, buckets, clock, newId: () => crypto.randomUUID() };
  const jobs = createJobs({ ...store, images: [] });
  const archiving = createArchiving(store);
  const stopping = new AbortController();
  const manta = createMantaClient(config.manta.url, stopping.signal);
  const { operator, concurrency } = config;
  const archiver = startArchiver({
    jobs,
    archiving,
    archive: (job) => archiveJob(job, { jobs, archiving, accounts, tokens, manta, instance, operator, clock, log }),
    instance,
    pollMs: config.pollInterval * 1000,
    lingerMs: config.lingerTime * 1000,
    takeoverMs: config.takeoverTime * 1000,
    concurrency,
    clock,
    log,
  });
  const server = await startOperatorServer(config, archiver, log);
  log.info({ instance, port: server.port }, 'archiver is running');
  return {
    port: server.port,
    async stop() {
      const stopped = archiver.stop();
      stopping.abort(); // what is in hand fails, and is done again by the next life
      await stopped;
      await server.stop();
      manta.close();
      accounts.close();
      await moray.close();
    },
  };
}

const ping: OperatorRoute = {
  method: 'get',
  path: '/ping',
  handle: async (_request, response) => response.sendRaw(200, 'Ok.'),
};

async function startOperatorServer({ host, port }: ArchiverConfig, archiver: Archiver, log: Logger) {
  const snapshot = () => ({ ...archiver.counts, inHand: archiver.inHand(), failing: archiver.failing() });
  const server = await createOperatorServer({ name: 'MarlinArchiver', host, port, log, routes: [ping], snapshot });
  new Gauge({
    name: 'marlin_archiver_jobs',
    help: 'Jobs since the start by what became of them, and those in hand or failing now',
    labelNames: ['what'],
    registers: [server.registry],
    collect() {
      for (const [what, count] of Object.entries(archiver.counts)) this.set({ what }, count);
      this.set({ what: 'in_hand' }, archiver.inHand().length);
      this.set({ what: 'failing' }, archiver.failing().length);
    },
  });
  return server;
}
