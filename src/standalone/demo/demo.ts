/**
 * `marlin demo`: from nothing to a finished map-reduce job, told as it happens. It says to the front door what the
 * published commands would, and shows those commands, so that what worked here can be typed there.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import VError from 'verror';
import { sleep, systemClock } from '../../common/clock.js';
import { connectManta, type JobStatus, type Manta } from '../manta-client.js';
import { type RunningBox, startBox, type UpOptions } from '../up.js';
import { packPackages } from './packages.js';
import { createProgress, type Progress } from './progress.js';

const wantedPackages = 150;
const uploadsAtOnce = 8;
const shownLines = 12;

/** One line of the index: name, version, licence and description of a package. */
const map = 'tar -xOzf $MANTA_INPUT_FILE package/package.json | json -a -d "\\t" name version license description';
const reduce = 'sort | gzip | mpipe ~~/public/packages/summary.gz';
const failingMap = 'echo "no changelog in $MANTA_INPUT_OBJECT" >&2; exit 3';

export interface DemoOptions {
  readonly driver: UpOptions['driver'];
  /** Every line of the index instead of the first few. */
  readonly all: boolean;
}

/** @returns the exit status. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const progress = createProgress(process.stdout, systemClock.nowMs);
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-demo-'));
  let box: RunningBox | undefined;
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => reject(new VError('interrupted by %s', signal)));
  });
  try {
    box = await Promise.race([bringUp(path.join(work, 'data'), options, progress), interrupted]);
    await Promise.race([tellStory(box, work, options, progress), interrupted]);
    return 0;
  } finally {
    progress.step('Stopping');
    await box?.stop();
    fs.rmSync(work, { recursive: true, force: true });
    progress.done('everything is stopped and removed');
  }
}

async function bringUp(data: string, options: DemoOptions, progress: Progress): Promise<RunningBox> {
  progress.step('Starting a one-box Marlin');
  fs.mkdirSync(data, { recursive: true, mode: 0o700 });
  const box = await startBox({
    data,
    portBase: 0,
    driver: options.driver,
    host: '127.0.0.1',
    say: (line) => progress.update(line),
  });
  progress.done(`Moray, storage, front door, supervisor and agent are up at ${box.ready().manta.url}`);
  return box;
}

async function tellStory(box: RunningBox, work: string, options: DemoOptions, progress: Progress): Promise<void> {
  const { manta: address, sshAuthSock } = box.ready();
  if (sshAuthSock !== undefined) process.env['SSH_AUTH_SOCK'] = sshAuthSock;
  const privateKey = address.keyFile === undefined ? undefined : fs.readFileSync(address.keyFile, 'utf8');
  const manta = connectManta(address, privateKey);
  try {
    const directory = `/${manta.user}/public/packages`;
    const names = await storePackages(manta, directory, work, progress);
    await buildIndex(manta, names, options, progress);
    await showFailure(manta, names.slice(0, 1), progress);
  } finally {
    manta.close();
  }
}

async function storePackages(manta: Manta, directory: string, work: string, progress: Progress): Promise<string[]> {
  progress.step('Packing the npm packages that this program is built from');
  const packed = await packPackages(work, wantedPackages, (count, total) => progress.update(`${count} of ${total}`));
  progress.done(`${packed.length} packages`);

  progress.step(`Storing them (mput ~~/public/packages/…)`);
  await manta.mkdirp(directory);
  const queue = packed.values();
  let stored = 0;
  const worker = async () => {
    for (const { name, file, sizeBytes } of queue) {
      await manta.put(`${directory}/${name}`, fs.createReadStream(file), sizeBytes);
      progress.update(`${++stored} of ${packed.length}`);
    }
  };
  await Promise.all(Array.from({ length: uploadsAtOnce }, worker));
  const bytes = packed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  progress.done(`${packed.length} objects, ${(bytes / 1e6).toFixed(1)} MB, two copies each`);
  return packed.map(({ name }) => `${directory}/${name}`);
}

async function buildIndex(
  manta: Manta,
  names: readonly string[],
  options: DemoOptions,
  progress: Progress,
): Promise<void> {
  progress.line(`\n$ mfind -t o ~~/public/packages | mjob create -w \\\n      -m '${map}' \\\n      -r '${reduce}'`);
  progress.step('Running the job');
  const job = await manta.createJob([
    { type: 'map', exec: map },
    { type: 'reduce', exec: reduce },
  ]);
  await manta.addInputs(job, names);
  const status = await finish(manta, job, progress);
  progress.done(`job ${job}: ${status.stats.tasks} tasks`);
  if (status.stats.errors > 0)
    throw new VError('the job had %d errors: %j', status.stats.errors, await manta.errors(job));

  const [output = ''] = await manta.outputs(job);
  const index = gunzipSync(await manta.get(output))
    .toString('utf8')
    .trimEnd()
    .split('\n');
  progress.line(`\n$ mget ${output} | gunzip`);
  for (const line of options.all ? index : index.slice(0, shownLines)) progress.line(shorten(line));
  if (!options.all && index.length > shownLines) progress.line(`… ${index.length - shownLines} more`);
  progress.line(`The index has ${index.length} packages.`);
  if (index.length !== names.length) throw new VError('expected %d packages in the index', names.length);
}

async function showFailure(manta: Manta, names: readonly string[], progress: Progress): Promise<void> {
  progress.line(`\nAnd when a command fails:\n$ echo ${names[0]} | mjob create -o -m '${failingMap}'`);
  progress.step('Running it');
  const job = await manta.createJob([{ type: 'map', exec: failingMap }]);
  await manta.addInputs(job, names);
  const status = await finish(manta, job, progress);
  progress.done(`job ${job} is done with ${status.stats.errors} error`);
  for (const error of await manta.errors(job)) {
    progress.line(`$ mjob errors ${job}\n${error.code}: ${error.message} (${error.what})`);
    if (error.stderr === undefined) throw new VError('the error names no stderr object');
    progress.line(`$ mget ${error.stderr}\n${(await manta.get(error.stderr)).toString('utf8').trimEnd()}\n`);
  }
  if (status.stats.errors !== names.length)
    throw new VError('expected %d error, got %d', names.length, status.stats.errors);
}

async function finish(manta: Manta, job: string, progress: Progress): Promise<JobStatus> {
  for (;;) {
    const status = await manta.status(job);
    if (status.state === 'done') return status;
    if (status.stats.tasks > 0) progress.update(`${status.stats.tasksDone} of ${status.stats.tasks} tasks done`);
    await sleep(systemClock, 100);
  }
}

function shorten(line: string): string {
  const text = line.replaceAll('\t', '  ');
  const width = process.stdout.columns ?? 100;
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}
