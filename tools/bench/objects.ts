/**
 * `make bench-objects`: how fast objects go in and out, beside nginx with WebDAV on the same disk, in one run. Requests
 * are signed, and each signature is checked; nginx asks for none. The clients are one process that shares the processors
 * with the servers, so ratios are nearer to 1 than those of the servers alone would be.
 *
 * Arguments: sizes to measure, of 4k, 1m, 1g; all by default. 1g wants 40 GB of free disk.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startBox } from '../../src/standalone/up.js';
import { generateKey, signedHeaders, type TestKey } from '../../test/support/accounts.js';
import { type Load, runLoad, type Target } from './http-load.js';
import { type Nginx, startNginx } from './nginx.js';

interface Row {
  readonly size: '4k' | '1m' | '1g';
  readonly sizeBytes: number;
  readonly clients: number;
  readonly requests: number;
  /** Numbers of copies to measure PUT with. */
  readonly copies: readonly number[];
  /** Objects that are read: few of them where they are large, so that it is not the disk that is measured. */
  readonly read: number;
}

// biome-ignore format: table
const rows: readonly Row[] = [
  { size: '4k', sizeBytes: 2 ** 12, clients: 1,  requests: 500,   copies: [1, 2], read: 500 },
  { size: '4k', sizeBytes: 2 ** 12, clients: 16, requests: 4_000, copies: [1, 2], read: 4_000 },
  { size: '1m', sizeBytes: 2 ** 20, clients: 1,  requests: 100,   copies: [1, 2], read: 100 },
  { size: '1m', sizeBytes: 2 ** 20, clients: 16, requests: 400,   copies: [1, 2], read: 400 },
  { size: '1g', sizeBytes: 2 ** 30, clients: 1,  requests: 1,     copies: [1, 2], read: 1 },
  { size: '1g', sizeBytes: 2 ** 30, clients: 16, requests: 16,    copies: [1],    read: 2 },
];

const login = 'bench';

interface Rivals {
  readonly marlin: { readonly port: number; readonly key: TestKey; readonly frontdoorPid: number };
  readonly nginx: Nginx | undefined;
}

async function main(sizes: readonly string[]): Promise<void> {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-bench-'));
  const key = generateKey('rsa');
  const publicKeyFile = path.join(work, 'key.pub');
  fs.writeFileSync(publicKeyFile, `${key.publicKey}\n`);
  const data = path.join(work, 'data');
  const nginxDirectory = path.join(work, 'nginx');
  for (const directory of [data, nginxDirectory]) fs.mkdirSync(directory, { mode: 0o700 });
  const options = { data, portBase: 0, zoneCount: 1, driver: 'process', account: login, publicKeyFile } as const;
  const box = await startBox({ ...options, host: '127.0.0.1', say: () => {} });
  const nginx = await startNginx(nginxDirectory);
  try {
    const { manta, pids } = box.ready();
    const marlin = { port: Number(new URL(manta.url).port), key, frontdoorPid: pids.frontdoor ?? 0 };
    process.stdout.write(line(['size', 'clients', 'what', 'copies', 'Marlin', 'nginx', 'unit', 'ratio', 'front door']));
    for (const row of rows.filter(({ size }) => sizes.length === 0 || sizes.includes(size))) {
      await measureRow(row, { marlin, nginx });
      fs.rmSync(path.join(nginxDirectory, 'data'), { recursive: true });
      fs.mkdirSync(path.join(nginxDirectory, 'data'));
    }
  } finally {
    await nginx?.stop();
    await box.stop();
    fs.rmSync(work, { recursive: true, force: true });
  }
}

async function measureRow(row: Row, { marlin, nginx }: Rivals): Promise<void> {
  const signature = signer(marlin.key);
  const toMarlin = (copies: number): Target => ({
    port: marlin.port,
    path: `/${login}/stor`,
    headers: () => ({ ...signature(), 'durability-level': copies }),
  });
  const toNginx = nginx && { port: nginx.port, path: '', headers: () => ({}) };
  const nameOf = (index: number) => `${row.size}-${row.clients}-${index}`;
  const put: Load = { ...row, method: 'PUT', nameOf };
  const get: Load = { ...row, method: 'GET', nameOf: (index) => nameOf(index % row.read) };

  const nginxPut = toNginx && (await runLoad(toNginx, put));
  for (const copies of row.copies)
    report(row, { what: 'PUT', copies }, await measured(marlin.frontdoorPid, toMarlin(copies), put), nginxPut);
  const nginxGet = toNginx && (await runLoad(toNginx, get));
  report(row, { what: 'GET' }, await measured(marlin.frontdoorPid, toMarlin(1), get), nginxGet);
}

/** A signature is good for some minutes; one for each request would measure the clients. */
const signedForMs = 60_000;

function signer(key: TestKey): () => ReturnType<typeof signedHeaders> {
  let headers = signedHeaders(key, `/${login}/keys/${key.md5}`);
  let signedMs = performance.now();
  return () => {
    if (performance.now() - signedMs > signedForMs) {
      headers = signedHeaders(key, `/${login}/keys/${key.md5}`);
      signedMs = performance.now();
    }
    return headers;
  };
}

interface Measured {
  readonly seconds: number;
  /** Most memory of the front door meanwhile, MB. */
  readonly peakMb: number;
}

const sampleMs = 50;

async function measured(pid: number, target: Target, load: Load): Promise<Measured> {
  let peakMb = residentMb(pid);
  const sampling = setInterval(() => {
    peakMb = Math.max(peakMb, residentMb(pid));
  }, sampleMs);
  try {
    return { seconds: await runLoad(target, load), peakMb };
  } finally {
    clearInterval(sampling);
  }
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

function report(
  { size, sizeBytes, clients, requests }: Row,
  { what, copies }: { readonly what: string; readonly copies?: number },
  ours: Measured,
  theirSeconds: number | undefined,
): void {
  const isSmall = sizeBytes < 2 ** 20;
  const rate = (seconds: number) => (isSmall ? requests : (requests * sizeBytes) / 1e6) / seconds;
  const theirs = theirSeconds === undefined ? undefined : rate(theirSeconds);
  const ratio = theirs === undefined ? '-' : (rate(ours.seconds) / theirs).toFixed(2);
  const rates = [Math.round(rate(ours.seconds)), theirs === undefined ? 'not here' : Math.round(theirs)];
  const cells = [size, clients, what, copies ?? '', ...rates, isSmall ? 'per s' : 'MB/s', ratio];
  process.stdout.write(line([...cells, `${Math.round(ours.peakMb)} MB`]));
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.map((cell) => String(cell).padStart(8)).join(' | ')} |\n`;
}

await main(process.argv.slice(2));
