/**
 * Reads objects of a job through the front door with the job's own token, as its tasks do: the operator needs no key
 * and sees no more than the job's owner may.
 */
import VError from 'verror';

/** How much of an object is worth a look: its end. */
const tailBytes = 16 * 1024;
const timeoutMs = 30_000;

/** Resolves to the end of the object, or to why it cannot be read, in brackets. */
export type ObjectReader = (name: string) => Promise<string>;

/** @throws VError when there is no address or no token. */
export function createObjectReader(mantaUrl: string | undefined, token: string | undefined): ObjectReader {
  if (mantaUrl === undefined || mantaUrl === '')
    throw new VError({ name: 'MantaUrlError' }, 'MANTA_URL must be set to read objects');
  if (token === undefined) throw new VError({ name: 'JobTokenError' }, 'the job has no token to read objects with');
  return async (name) => {
    const path = name.split('/').map(encodeURIComponent).join('/');
    const headers = { authorization: `Token ${token}`, range: `bytes=-${tailBytes}` };
    try {
      const response = await fetch(new URL(path, mantaUrl), { headers, signal: AbortSignal.timeout(timeoutMs) });
      const text = await response.text();
      if (!response.ok) return `[cannot be read: ${response.status} ${codeOf(text)}]`;
      const [, from = '0'] = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '') ?? [];
      return from === '0' ? text : `[the first ${from} bytes are left out]\n${text}`;
    } catch (cause) {
      throw new VError({ name: 'ObjectReadError', cause: cause as Error }, 'cannot read "%s" from %s', name, mantaUrl);
    }
  };
}

function codeOf(body: string): string {
  try {
    return String((JSON.parse(body) as { readonly code?: unknown }).code ?? '');
  } catch {
    return '';
  }
}
