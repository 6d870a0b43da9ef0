/** Requests to the operator servers of services. */
import VError from 'verror';

export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** null when it is empty. */
  readonly body: unknown;
}

/** @throws VError when nobody answers, or the answer is an error. */
export async function ask(method: string, url: string): Promise<Answer> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { method });
    text = await response.text();
  } catch (error) {
    const cause = ((error as Error).cause ?? error) as Error;
    throw new VError({ name: 'RequestError', cause }, 'failed to hit "%s"', url);
  }
  const { status } = response;
  if (status >= 400)
    throw new VError({ name: 'AnswerError', info: { status } }, '"%s" failed (code %d): %s', url, status, text);
  return { status, headers: [...response.headers], body: text === '' ? null : JSON.parse(text) };
}
