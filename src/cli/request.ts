/** Requests to the operator servers of services. */
import VError from 'verror';
import type { Clock } from '../common/clock.js';

export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** null when it is empty. */
  readonly body: unknown;
}

/** Who is asked. */
export interface Service {
  /** What people call it: `agent`. */
  readonly name: string;
  /** Without a slash at its end. */
  readonly url: string;
}

/** A service answers in a moment: one that takes this long is stopped, or hangs. */
const answerLimitMs = 10_000;
/** What is removed is gone before the answer, and that may be much. */
const removalLimitMs = 240_000;

/** @throws VError when nobody answers, nobody answers in time, or the answer is an error. */
export async function ask(clock: Clock, service: Service, method: string, path: string): Promise<Answer> {
  const url = `${service.url}${path}`;
  const silence = new AbortController();
  const cancel = clock.after(method === 'DELETE' ? removalLimitMs : answerLimitMs, () => silence.abort());
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { method, signal: silence.signal });
    text = await response.text();
  } catch (error) {
    if (silence.signal.aborted)
      throw new VError({ name: 'SilenceError' }, 'the %s at %s does not answer', service.name, service.url);
    const cause = ((error as Error).cause ?? error) as Error;
    throw new VError({ name: 'RequestError', cause }, 'failed to hit "%s"', url);
  } finally {
    cancel();
  }
  const { status } = response;
  if (status >= 400)
    throw new VError({ name: 'AnswerError', info: { status } }, '"%s" failed (code %d): %s', url, status, text);
  return { status, headers: [...response.headers], body: text === '' ? null : JSON.parse(text) };
}
