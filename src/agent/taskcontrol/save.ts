/**
 * Saves captured output that came inside a report, as a lackey would. The agent remembers which directories of a job
 * exist, so that of a thousand tasks one pays for them; should one be missing after all, saving makes the chain anew.
 * While many tasks end, their outputs travel together first (save-together.ts).
 */
import path from 'node:path';
import { type Clock, sleep } from '../../common/clock.js';
import { encodeObjectName } from '../../taskapi/object-names.js';
import { streamHeader } from '../../taskapi/routes.js';
import { directoryContentType, type PutAnswer, parseErrorBody, saveObject } from '../../taskapi/save-object.js';
import type { GroupDetails, Job } from '../tasks/task.js';
import { readText, type Upstream } from '../upstream.js';
import type { OutputKind } from './outputs.js';
import type { TogetherSaver } from './save-together.js';

export interface CapturedOutput {
  readonly kind: OutputKind;
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface SaveContext {
  readonly upstream: Upstream;
  readonly together: Pick<TogetherSaver, 'save'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly job: Job;
  readonly details: GroupDetails;
  /** Chance in [0, 1] that a request fails. */
  readonly failProbability: number;
}

const maxErrorBytes = 64 * 1024;

/** @throws Error after the last attempt. */
export async function saveOutput(context: SaveContext, output: CapturedOutput): Promise<void> {
  const parent = path.posix.dirname(output.path);
  if (context.failProbability === 0) {
    await ensureDirectory(context, parent);
    const { job, details } = context;
    const { login, token } = details;
    if (await context.together.save({ login, token, jobId: job.id, path: output.path, bytes: output.bytes })) return;
  }
  await saveObject(output.path, {
    waitsForService: true,
    pause: (ms) => sleep(context.clock, ms),
    async put(name, what) {
      if (context.random() < context.failProbability) throw new Error('injected failure');
      if (what === 'directory') return putDirectory(context, name);
      await ensureDirectory(context, parent);
      const headers = { [streamHeader]: output.kind, 'content-length': output.bytes.length };
      return send(context, { name, headers, body: output.bytes });
    },
  });
}

/** Takes back what was saved for a task that had ended meanwhile: nobody lists it. @throws Error when it is still there. */
export async function removeOutput({ upstream, details }: SaveContext, name: string): Promise<void> {
  const headers = { authorization: `Token ${details.token}`, accept: 'application/json' };
  const response = await upstream.fetch({ method: 'DELETE', path: encodeObjectName(name), headers });
  const text = await readText(response, maxErrorBytes);
  const { statusCode = 500 } = response;
  if (statusCode >= 400 && statusCode !== 404) throw new Error(`status ${statusCode}: ${text}`);
}

/** Makes the directory of an output while the command runs that will write it: a tiny task would wait longer for it. */
export function prepareDirectory(context: SaveContext, outputPath: string): void {
  void ensureDirectory(context, path.posix.dirname(outputPath));
}

/**
 * The directory of the job's outputs is made with the job; what is below it, by whoever needs it first. Never rejects:
 * what could not be made is missed when the output is saved.
 */
async function ensureDirectory(context: SaveContext, directory: string): Promise<void> {
  const root = `/${context.details.login}/jobs/${context.job.id}/stor`;
  if (!directory.startsWith(`${root}/`)) return;
  await ensureDirectory(context, path.posix.dirname(directory));
  const { directories } = context.job;
  const known = directories.get(directory);
  if (known !== undefined) return known;
  const made = putDirectory(context, directory).then(
    (answer) => {
      if (answer.status >= 400) directories.delete(directory);
    },
    () => {
      directories.delete(directory);
    },
  );
  directories.set(directory, made);
  await made;
}

function putDirectory(context: SaveContext, name: string): Promise<PutAnswer> {
  return send(context, { name, headers: { 'content-type': directoryContentType, 'content-length': 0 } });
}

async function send(
  context: SaveContext,
  what: { readonly name: string; readonly headers: Record<string, string | number>; readonly body?: Uint8Array },
): Promise<PutAnswer> {
  const response = await context.upstream.fetch({
    method: 'PUT',
    path: encodeObjectName(what.name),
    headers: { authorization: `Token ${context.details.token}`, accept: 'application/json', ...what.headers },
    ...(what.body === undefined ? {} : { body: what.body }),
  });
  const text = await readText(response, maxErrorBytes);
  const status = response.statusCode ?? 500;
  return status < 400 ? { status } : parseErrorBody(status, text);
}
