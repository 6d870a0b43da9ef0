/**
 * The published client of Manta, wrapped once for promises: what `demo`, `token` and the benchmarks say to the front
 * door is what any user's program would say.
 */
import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
import { createLogger } from '../common/logging.js';
import type { ReadyBox } from './up.js';

type Done<Result> = (error: Error | null, result: Result) => void;

/** The part of the published client that we use. */
interface PublishedClient {
  mkdirp(directory: string, done: Done<unknown>): void;
  put(name: string, input: Readable, options: { size: number }, done: Done<unknown>): void;
  get(name: string, done: Done<Readable>): void;
  createJob(job: object, done: Done<string>): void;
  addJobKey(job: string, names: readonly string[], options: { end: boolean }, done: Done<unknown>): void;
  endJob(job: string, done: Done<unknown>): void;
  job(job: string, done: Done<JobStatus>): void;
  jobOutput(job: string, done: Done<NodeJS.EventEmitter>): void;
  jobErrors(job: string, done: Done<NodeJS.EventEmitter>): void;
  close(): void;
}

interface MantaLibrary {
  createClient(options: object): PublishedClient;
  cliSigner(options: { keyId: string; user: string; algorithm?: string }): RequestSigner;
  privateKeySigner(options: { key: string; keyId: string; user: string }): RequestSigner;
}

type RequestSigner = (data: string, done: Done<{ keyId: string; algorithm: string; signature: string }>) => void;

export interface JobStatus {
  readonly state: string;
  readonly stats: {
    readonly errors: number;
    readonly outputs: number;
    readonly tasks: number;
    readonly tasksDone: number;
  };
}

export interface JobError {
  readonly what: string;
  readonly code: string;
  readonly message: string;
  readonly stderr?: string;
}

export interface Manta {
  readonly user: string;
  mkdirp(directory: string): Promise<void>;
  put(name: string, input: Readable, sizeBytes: number): Promise<void>;
  get(name: string): Promise<Buffer>;
  createJob(phases: readonly object[]): Promise<string>;
  addInputs(job: string, names: readonly string[]): Promise<void>;
  status(job: string): Promise<JobStatus>;
  outputs(job: string): Promise<string[]>;
  errors(job: string): Promise<JobError[]>;
  /** Signs a text as the account's key does. */
  sign: (data: string) => Promise<{ keyId: string; algorithm: string; signature: string }>;
  close(): void;
}

/** @param privateKey PEM; without it the key is looked for as the published commands do. */
export function connectManta(manta: ReadyBox['manta'], privateKey: string | undefined): Manta {
  const library = createRequire(import.meta.url)('manta') as MantaLibrary;
  const { url, user, keyId } = manta;
  const signer =
    privateKey === undefined
      ? library.cliSigner({ keyId, user })
      : library.privateKeySigner({ key: privateKey, keyId, user });
  const log = createLogger({ name: 'manta', level: 'fatal', stream: process.stderr });
  const client = library.createClient({ url, user, sign: signer, log, connectTimeout: 4_000 });
  const call = <Result>(start: (done: Done<Result>) => void): Promise<Result> =>
    new Promise((resolve, reject) => start((error, result) => (error ? reject(error) : resolve(result))));
  return {
    user,
    mkdirp: async (directory) => void (await call((done) => client.mkdirp(directory, done))),
    put: async (name, input, size) => void (await call((done) => client.put(name, input, { size }, done))),
    async get(name) {
      const chunks: Buffer[] = [];
      for await (const chunk of await call<Readable>((done) => client.get(name, done))) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    },
    createJob: (phases) => call((done) => client.createJob({ phases }, done)),
    async addInputs(job, names) {
      await call((done) => client.addJobKey(job, names, { end: true }, done));
    },
    status: (job) => call((done) => client.job(job, done)),
    outputs: async (job) => collect<string>(await call((done) => client.jobOutput(job, done)), 'key'),
    errors: async (job) => collect<JobError>(await call((done) => client.jobErrors(job, done)), 'err'),
    sign: (data) => call((done) => signer(data, done)),
    close: () => client.close(),
  };
}

function collect<Item>(emitter: NodeJS.EventEmitter, event: string): Promise<Item[]> {
  return new Promise((resolve, reject) => {
    const items: Item[] = [];
    emitter.on(event, (item: Item) => items.push(item));
    emitter.once('error', reject);
    emitter.once('end', () => resolve(items));
  });
}
