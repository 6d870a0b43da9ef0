/** `marlin token`: a token for `mrjob submit -t`, from a request signed as the published commands sign theirs. */
import VError from 'verror';
import type { Manta } from './manta-client.js';

/** @throws VError `TokenError` with the front door's own words. */
export async function requestToken(manta: Manta, url: string): Promise<string> {
  const date = new Date().toUTCString();
  const { keyId, algorithm, signature } = await manta.sign(`date: ${date}`);
  const key = `/${encodeURIComponent(manta.user)}/keys/${keyId}`;
  const response = await fetch(new URL(`/${encodeURIComponent(manta.user)}/tokens`, url), {
    method: 'POST',
    headers: {
      date,
      authorization: `Signature keyId="${key}",algorithm="${algorithm}",headers="date",signature="${signature}"`,
      'content-length': '0',
    },
  });
  const body = (await response.json()) as { token?: string; message?: string };
  if (body.token === undefined) {
    throw new VError(
      { name: 'TokenError' },
      'no token for "%s": %s (status %d)',
      manta.user,
      body.message ?? 'no reason given',
      response.status,
    );
  }
  return body.token;
}
