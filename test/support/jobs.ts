/** Runs a job through the front door and gathers all that a user, and an operator, can see of it afterwards. */

import { createLogger } from '../../src/common/logging.js';
import { connectMoray } from '../../src/moray/client/client.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { Manta } from '../../src/standalone/manta-client.js';
import { requestToken } from '../../src/standalone/token.js';
import type { DeployedBox } from './deployed-box.js';

type Box = Omit<DeployedBox, 'put'>;

export interface JobPhase {
  readonly type?: 'map' | 'reduce';
  readonly exec: string;
  readonly init?: string;
  readonly assets?: readonly string[];
  readonly count?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly image?: string;
}

export interface JobErrorLine {
  readonly phase: string;
  readonly what: string;
  readonly code: string;
  readonly message: string;
  readonly input?: string;
  readonly p0input?: string;
  readonly stderr?: string;
  readonly core?: string;
}

export interface FinishedJob {
  readonly id: string;
  /** The raw record. */
  readonly record: Readonly<Record<string, unknown>>;
  readonly stats: Readonly<Record<string, number>>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly contents: readonly string[];
  readonly errors: readonly JobErrorLine[];
  /** Objects below JOB/stor. */
  readonly stored: readonly string[];
}

export async function submit(box: Box, phases: readonly JobPhase[], inputs: readonly string[]): Promise<string> {
  const id = await box.manta.createJob(phases.map((phase) => ({ type: 'map', ...phase })));
  await addInputs(box, id, inputs);
  return id;
}

/** Through `mrjob submit`, which speaks to the store: the front door has no chance to refuse the definition. */
export async function submitBelow(
  box: Box,
  phases: readonly JobPhase[],
  inputs: readonly string[],
  options: readonly string[] = [],
): Promise<string> {
  const ofPhases = phases.flatMap(({ type = 'map', exec, image, memory }) => [
    ...(image === undefined ? [] : ['-i', image]),
    ...(memory === undefined ? [] : ['-d', String(memory)]),
    type === 'map' ? '-m' : '-r',
    exec,
  ]);
  const args = [...options.flatMap((option) => ['-x', `${option}=true`]), ...ofPhases];
  const quoted = args.map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(' ');
  const { status, stdout, stderr } = await box.run(`mrjob submit -t "$(marlin token)" ${quoted}`);
  if (status !== 0) throw new Error(`mrjob submit ${quoted}: ${stderr}`);
  const id = stdout.trim();
  await addInputs(box, id, inputs);
  return id;
}

/** @param manta whose job it is. */
export async function addInputs(
  box: Box,
  id: string,
  inputs: readonly string[],
  manta: Manta = box.manta,
): Promise<void> {
  // Not by the published client, which refuses names that it can tell are bad.
  const response = await fetch(`${box.ready().manta.url}/${manta.user}/jobs/${id}/live/in?end=true`, {
    method: 'POST',
    headers: {
      authorization: `Token ${await requestToken(manta, box.ready().manta.url)}`,
      'content-type': 'text/plain',
    },
    body: inputs.join('\n'),
  });
  if (!response.ok) throw new Error(`inputs of job ${id}: ${response.status} ${await response.text()}`);
}

/** Waits for state `done`, by looking: the front door has no other way. @throws after `limitMs`. */
export async function waitDone(box: Box, id: string, limitMs: number, manta: Manta = box.manta): Promise<void> {
  const endMs = Date.now() + limitMs;
  while ((await manta.status(id)).state !== 'done') {
    if (Date.now() > endMs)
      throw new Error(`job ${id} is not done after ${limitMs} ms: ${JSON.stringify(await manta.status(id))}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function readJob(box: Box, id: string, manta: Manta = box.manta): Promise<FinishedJob> {
  const { moray: address } = box.ready();
  const log = createLogger({ name: 'test', level: 'fatal' });
  const moray = await connectMoray({ url: `tcp://${address.host}:${address.port}`, log });
  try {
    const record = (await moray.getObject(defaultBuckets.job, id)).value as Record<string, unknown>;
    const inputs: string[] = [];
    for await (const row of moray.findObjects(defaultBuckets.jobinput, `(jobId=${id})`, { noLimit: true }))
      inputs.push(String((row.value as { input: string }).input));
    const outputs = await manta.outputs(id);
    const contents = await Promise.all(
      outputs.map(async (name) => (await manta.get(name)).toString('utf8').replace(/\r$/, '')),
    );
    const errors = (await manta.errors(id)) as unknown as JobErrorLine[];
    return {
      id,
      record,
      stats: record['stats'] as Record<string, number>,
      inputs,
      outputs,
      contents,
      errors,
      stored: await walk(box, manta.user, `/${manta.user}/jobs/${id}/stor`),
    };
  } finally {
    await moray.close();
  }
}

export async function runJob(
  box: Box,
  phases: readonly JobPhase[],
  inputs: readonly string[],
  limitMs = 60_000,
): Promise<FinishedJob> {
  const id = await submit(box, phases, inputs);
  await waitDone(box, id, limitMs);
  return readJob(box, id);
}

/** @param user with the same key as the box's. */
async function walk(box: Box, user: string, directory: string): Promise<string[]> {
  const { status, stdout, stderr } = await box.run('mfind -t o "$DIR"', { env: { DIR: directory, MANTA_USER: user } });
  if (status !== 0) throw new Error(`mfind ${directory}: ${stderr}`);
  return stdout.split('\n').filter((line) => line !== '');
}
