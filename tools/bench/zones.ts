/**
 * What a zone costs: boot (nothing of it runs yet) and reset between two groups (the old life ends first), each to the
 * return of the driver and to the first request of the lackey. Prints a table, then one JSON line.
 */
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createDriver } from '../../src/agent/zones/drivers/choose.js';
import { createLogger } from '../../src/common/logging.js';

const rounds = 30;
const zone = 'bench';
const limits = { memoryMb: 1024, diskGb: 8 };

async function main(): Promise<void> {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-bench-'));
  const log = createLogger({ name: 'bench', level: 'error' });
  const driver = await createDriver(
    {
      driver: 'auto',
      zones: [zone],
      dataDir: path.join(work, 'data'),
      installRoot: path.resolve('build/zone'),
      zoneUidBase: 20_000_000,
      zoneDefaultImage: '16.1.0',
    },
    log,
  );
  await driver.start();
  const server = net.createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(path.join(driver.socketDirectory(zone), 'sock'));
  await once(server, 'listening');
  fs.chmodSync(path.join(driver.socketDirectory(zone), 'sock'), 0o666);
  const [image] = driver.images;
  if (image === undefined) throw new Error('the driver has no image');
  const reset = async () => {
    const lackey = once(server, 'connection');
    const startMs = performance.now();
    await driver.reset(zone, image, limits, new AbortController().signal);
    const returnedMs = performance.now() - startMs;
    await lackey;
    return { returnedMs, lackeyMs: performance.now() - startMs };
  };
  try {
    await reset(); // makes the empty disk
    const boots = [];
    const resets = [];
    for (let round = 0; round < rounds; round++) {
      await driver.destroy(zone);
      boots.push(await reset());
      resets.push(await reset());
    }
    const figures: Record<string, number> = {};
    for (const [name, times] of [
      ['boot', boots],
      ['reset between groups', resets],
    ] as const)
      for (const [what, key] of [
        ['driver returns', 'returnedMs'],
        ['lackey asks', 'lackeyMs'],
      ] as const)
        for (const share of [50, 99])
          figures[`zone ${name}, ${what}, p${share} (ms)`] = percentile(
            times.map((time) => time[key]),
            share,
          );
    for (const [name, value] of Object.entries(figures)) console.log(`${name.padEnd(52)} ${String(value).padStart(8)}`);
    console.log(JSON.stringify({ driver: driver.name, node: process.version, cpus: os.cpus().length, ...figures }));
  } finally {
    await driver.stop();
    server.close();
    fs.rmSync(work, { recursive: true, force: true });
  }
}

function percentile(times: number[], share: number): number {
  const sorted = times.sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor((share / 100) * sorted.length))] ?? 0);
}

await main();
process.exit(); // the lackey's last connection may still be open
