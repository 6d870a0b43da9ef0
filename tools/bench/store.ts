/** Moray through the published client: every call of every part of Marlin passes here. */
import { createRequire } from 'node:module';
import bunyan from 'bunyan';

interface MorayLibrary {
  createClient(options: object): PublishedMoray;
}

type Done = (error: Error | null) => void;

interface PublishedMoray {
  once(event: 'connect' | 'error', listener: (error: Error) => void): void;
  createBucket(bucket: string, config: object, done: Done): void;
  putObject(bucket: string, key: string, value: object, done: Done): void;
  batch(requests: readonly object[], done: Done): void;
  delBucket(bucket: string, done: Done): void;
  close(): void;
}

const bucket = 'marlin_bench';
const sequentialPuts = 1_000;
const batches = 100;
const putsPerBatch = 100;

/** Puts per second, with one index of each type that Marlin uses. */
export async function measureMoray(address: {
  host: string;
  port: number;
}): Promise<{ sequential: number; batched: number }> {
  const library = createRequire(import.meta.url)('moray') as MorayLibrary;
  const client = library.createClient({ ...address, log: bunyan.createLogger({ name: 'bench', level: 'fatal' }) });
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
  });
  const call = (start: (done: Done) => void) =>
    new Promise<void>((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
  const index = { jobId: { type: 'string' }, state: { type: 'string' }, phaseNum: { type: 'number' } };
  const value = (number: number) => ({
    jobId: `job${number % 10}`,
    state: 'dispatched',
    phaseNum: number % 3,
    text: 'x'.repeat(200),
  });
  await call((done) => client.createBucket(bucket, { index }, done));
  try {
    const sequential = await rate(sequentialPuts, async () => {
      for (let number = 0; number < sequentialPuts; number++)
        await call((done) => client.putObject(bucket, `s${number}`, value(number), done));
    });
    const batched = await rate(batches * putsPerBatch, async () => {
      for (let batch = 0; batch < batches; batch++) {
        const requests = Array.from({ length: putsPerBatch }, (_, number) => ({
          bucket,
          key: `b${batch}.${number}`,
          value: value(number),
        }));
        await call((done) => client.batch(requests, done));
      }
    });
    return { sequential, batched };
  } finally {
    await call((done) => client.delBucket(bucket, done));
    client.close();
  }
}

async function rate(count: number, action: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await action();
  return Math.round((count / (performance.now() - startMs)) * 1000);
}
