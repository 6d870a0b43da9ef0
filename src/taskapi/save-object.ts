/**
 * Saving an object that a task made, by the rules that lackey, agent and in-zone tools share (spec 06 §1.4, §5.1): three
 * attempts whatever the error, 1 s and 2 s apart; a missing parent directory is made, with all above it, and the object
 * sent again at once within the same attempt. How bytes travel is the caller's: it hands in `put`.
 */
import { dirname } from 'node:path';

/** `code` and `message` of an error body, when there was one. */
export interface PutAnswer {
  readonly status: number;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/** Sends one PUT. @param what `object` with its body and headers, or an empty directory. @throws when no answer came. */
export type Put = (name: string, what: 'object' | 'directory') => Promise<PutAnswer>;

export interface SaveOptions {
  readonly put: Put;
  readonly pause: (ms: number) => Promise<unknown>;
  /**
   * More attempts, for some four minutes, when nobody could serve the request: a service that is started again on a busy
   * machine, or a store that is away, may be so for longer than three attempts take, and no user should see that.
   */
  readonly waitsForService?: boolean;
  /** Whether missing parents are made; by default they are. */
  readonly makeParents?: boolean;
}

export const directoryContentType = 'application/json; type=directory';
const pausesMs = [1000, 2000];
const pausesWhileAwayMs = [...pausesMs, 4000, 8000, ...Array<number>(15).fill(15_000)];

/** @param name decoded. @throws Error with the message of the last attempt's failure. */
export async function saveObject(name: string, options: SaveOptions): Promise<void> {
  const { put, pause, makeParents = true, waitsForService = false } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      let answer = await put(name, 'object');
      if (makeParents && isParentMissing(answer)) {
        await makeDirectory(put, dirname(name));
        answer = await put(name, 'object');
      }
      if (answer.status < 400) return;
      throw refusal(answer, 'unexpected');
    } catch (error) {
      const pauseMs = (waitsForService && isAway(error) ? pausesWhileAwayMs : pausesMs)[attempt];
      if (pauseMs === undefined) throw error;
      await pause(pauseMs);
    }
  }
}

/** Bottom up: usually only the last of many ancestors is missing. */
async function makeDirectory(put: Put, name: string): Promise<void> {
  let answer = await put(name, 'directory');
  if (isParentMissing(answer) && dirname(name) !== name) {
    await makeDirectory(put, dirname(name));
    answer = await put(name, 'directory');
  }
  if (answer.status >= 400) throw refusal(answer, `cannot make "${name}":`);
}

function refusal({ status, message }: PutAnswer, otherwise: string): Error {
  return Object.assign(new Error(message ?? `${otherwise} status ${status}`), { status });
}

/** Nobody who could serve it was there: not the same as somebody who says no. */
function isAway(error: unknown): boolean {
  const { status, code } = error as { status?: unknown; code?: unknown };
  return status === 503 || code === 'ECONNREFUSED' || code === 'ECONNRESET';
}

function isParentMissing(answer: PutAnswer): boolean {
  return answer.code === 'DirectoryDoesNotExist' || answer.code === 'DirectoryDoesNotExistError';
}

/** Reads `{code, message}` out of an error body, whatever it turns out to be. */
export function parseErrorBody(status: number, body: string): PutAnswer {
  try {
    const { code, message } = JSON.parse(body) as { code?: unknown; message?: unknown };
    return {
      status,
      code: typeof code === 'string' ? code : undefined,
      message: typeof message === 'string' ? message : undefined,
    };
  } catch {
    return { status };
  }
}
