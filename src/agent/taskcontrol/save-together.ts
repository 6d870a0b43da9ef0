/**
 * Saving outputs together: theory of operation. Most outputs are tiny, and what a PUT costs is not their bytes. So while
 * many tasks end, their outputs gather here for a moment and leave in one request per job:
 *
 *   save --> a turn is left? --> leaves at once: alone, as a PUT
 *            none is left    --> waits with others for the next turn --> one request --> each: saved, or not
 *
 * Turns are those of a pace (bus/pace.ts): the few outputs of a small job never wait, and under load requests are as far
 * apart as answers take long. What comes back as not saved, for whatever reason, is the caller's to PUT.
 */
import { createPace } from '../../bus/pace.js';
import type { Clock } from '../../common/clock.js';
import type { Logger } from '../../common/logging.js';
import {
  maxBytesTogether,
  maxObjectsTogether,
  type SavedTogether,
  type SaveTogether,
  saveTogetherPath,
} from '../../taskapi/save-together.js';
import { readText, type Upstream } from '../upstream.js';

export interface GatheredOutput {
  readonly login: string;
  readonly jobId: string;
  /** The job's, whichever of its tasks sends it. */
  readonly token: string;
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface TogetherSaver {
  /** Resolves to whether the output is stored; never rejects. */
  save(output: GatheredOutput): Promise<boolean>;
  /** What waits is told that it is not stored. */
  stop(): void;
}

interface TogetherSaverParts {
  readonly upstream: Pick<Upstream, 'fetch'>;
  readonly clock: Clock;
  readonly log: Logger;
}

type Waiting = GatheredOutput & { readonly told: (isSaved: boolean) => void };

const paceLimits = { burst: 4, everyMs: 100, longestMs: 150 };
const maxAnswerBytes = 64 * 1024;

export function createTogetherSaver({ upstream, clock, log }: TogetherSaverParts): TogetherSaver {
  const waiting = new Map<string, Waiting[]>();
  const pace = createPace(clock, paceLimits, () => {
    if (waiting.size > 0 && pace.take()) sendAll();
  });

  function sendAll(): void {
    const jobs = [...waiting.values()];
    waiting.clear();
    for (const outputs of jobs) for (const part of partsOf(outputs)) void send(part);
  }

  async function send(outputs: readonly Waiting[]): Promise<void> {
    const sentMs = clock.nowMs();
    const saved = outputs.length === 1 ? [false] : await ask(outputs);
    if (outputs.length > 1) pace.took(clock.nowMs() - sentMs);
    for (const [index, { told }] of outputs.entries()) told(saved[index] === true);
  }

  async function ask(outputs: readonly Waiting[]): Promise<readonly boolean[]> {
    const [{ login, jobId, token }] = outputs as [Waiting];
    const body: SaveTogether = {
      objects: outputs.map(({ path, bytes }) => ({ name: path, body: Buffer.from(bytes).toString('base64') })),
    };
    const bytes = Buffer.from(JSON.stringify(body));
    try {
      const response = await upstream.fetch({
        method: 'POST',
        path: saveTogetherPath(login, jobId),
        headers: {
          authorization: `Token ${token}`,
          accept: 'application/json',
          'content-type': 'application/json',
          'content-length': bytes.length,
        },
        body: bytes,
      });
      const text = await readText(response, maxAnswerBytes);
      if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}: ${text}`);
      const { saved } = JSON.parse(text) as Partial<SavedTogether>;
      if (!Array.isArray(saved)) throw new Error(`it does not say what is saved: ${text}`);
      return saved;
    } catch (error) {
      log.warn({ err: error, job: jobId, outputs: outputs.length }, 'outputs could not be saved together');
      return [];
    }
  }

  return {
    save: (output) =>
      new Promise((told) => {
        const { jobId } = output;
        waiting.set(jobId, [...(waiting.get(jobId) ?? []), { ...output, told }]);
        if (pace.take()) sendAll();
      }),
    stop() {
      pace.stop();
      for (const { told } of [...waiting.values()].flat()) told(false);
      waiting.clear();
    },
  };
}

/** As many requests as the limits of one make necessary. */
function partsOf(outputs: readonly Waiting[]): readonly (readonly Waiting[])[] {
  const parts: Waiting[][] = [];
  let part: Waiting[] = [];
  let sizeBytes = 0;
  for (const output of outputs) {
    if (part.length === maxObjectsTogether || sizeBytes + output.bytes.length > maxBytesTogether) {
      parts.push(part);
      part = [];
      sizeBytes = 0;
    }
    part.push(output);
    sizeBytes += output.bytes.length;
  }
  return [...parts, part];
}
