/** The configuration files of the services of a one-box: the same schemas as on many machines, written at each start. */
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultBuckets } from '../records/buckets.js';
import type { Box } from './box.js';
import { type Layout, type ServiceName, services, writeWhole } from './layout.js';
import type { Ports } from './ports.js';

/** What the operator may choose at `marlin up`. */
export interface BoxOptions {
  readonly host: string;
  readonly driver: 'auto' | 'oci' | 'process';
  /** Root file systems for zones beside the machine itself, and the versions of all. */
  readonly imagesDir?: string | undefined;
  readonly images: readonly string[];
}

/** build/: the compiled program, from where this file is. */
export const buildDirectory = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

export interface Addresses {
  readonly morayUrl: string;
  readonly mahiUrl: string;
  readonly mantaUrl: string;
  readonly agentUrl: string;
  readonly supervisorUrl: string;
  readonly archiverUrl: string;
}

/** Loopback is named as 127.0.0.1: a name would have to be resolved, and zones may resolve it otherwise. */
export function addressesOf(ports: Ports): Addresses {
  return {
    morayUrl: `tcp://127.0.0.1:${ports.moray}`,
    mahiUrl: `http://127.0.0.1:${ports.mahi}`,
    mantaUrl: `http://127.0.0.1:${ports.frontdoor}`,
    agentUrl: `http://127.0.0.1:${ports.agent}`,
    supervisorUrl: `http://127.0.0.1:${ports.supervisor}`,
    archiverUrl: `http://127.0.0.1:${ports.archiver}`,
  };
}

export function writeConfigs(layout: Layout, box: Box, ports: Ports, options: BoxOptions): void {
  if (!fs.existsSync(layout.tokenKey)) writeWhole(layout.tokenKey, `${crypto.randomBytes(32).toString('hex')}\n`);
  const configs = configsOf(layout, box, ports, options);
  for (const service of services) {
    const config = { ...configs[service], log: { file: layout.log(service) } };
    writeWhole(layout.config(service), `${JSON.stringify(config, null, 2)}\n`);
  }
}

function configsOf(layout: Layout, box: Box, ports: Ports, options: BoxOptions): Record<ServiceName, object> {
  const { host } = options;
  const urls = addressesOf(ports);
  return {
    moray: {
      host,
      port: ports.moray,
      monitorPort: ports.morayMonitor,
      dataFile: path.join(layout.data, 'moray', 'moray.db'),
    },
    storage: {
      datacenter: box.name,
      moray: { url: urls.morayUrl },
      nodes: box.storage.map(({ storageId, zoneName }, index) => ({
        manta_storage_id: storageId,
        root: layout.storageRoot(storageId),
        host,
        port: ports.storage[index],
        url: `http://127.0.0.1:${ports.storage[index]}`,
        zone_uuid: zoneName,
        manta_compute_id: box.computeId,
        server_uuid: box.serverId,
      })),
    },
    frontdoor: {
      host,
      port: ports.frontdoor,
      moray: { url: urls.morayUrl },
      accountsFile: layout.accounts,
      mahi: { host, port: ports.mahi },
      monitorPort: ports.frontdoorMonitor,
      tokenKeyFile: layout.tokenKey,
      datacenter: box.name,
      multiDC: false,
      images: options.images,
    },
    supervisor: {
      instanceUuid: box.supervisorId,
      host,
      port: ports.supervisor,
      manta: { url: urls.mantaUrl },
      moray: { index: { url: urls.morayUrl }, storage: { url: urls.morayUrl } },
      auth: { url: urls.mahiUrl },
      buckets: defaultBuckets,
      // The one agent runs every task: each of its restarts costs every running task an attempt.
      tunables: { maxTaskRetries: 8 },
    },
    agent: {
      instanceUuid: box.serverId,
      mantaComputeId: box.computeId,
      host,
      port: ports.agent,
      manta: { url: urls.mantaUrl },
      moray: { url: urls.morayUrl },
      zones: box.zones,
      storage: box.storage.map(({ storageId, zoneName }) => ({
        zonename: zoneName,
        root: layout.storageRoot(storageId),
      })),
      driver: options.driver,
      ...(options.imagesDir === undefined ? {} : { imagesDir: options.imagesDir }),
      network: 'none',
      dataDir: layout.data,
      installRoot: path.join(buildDirectory, 'zone'),
    },
    archiver: {
      instance: `archiver.${box.name}`,
      host,
      port: ports.archiver,
      manta: { url: urls.mantaUrl },
      moray: { url: urls.morayUrl },
      auth: { url: urls.mahiUrl },
      tokenKeyFile: layout.tokenKey,
    },
  };
}
