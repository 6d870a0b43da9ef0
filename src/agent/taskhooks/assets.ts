/** Copies the assets of the phase into the zone, several at a time. Source: chapter 5, section 6.4. */
import VError from 'verror';
import { encodeObjectName } from '../../taskapi/object-names.js';
import type { StreamHook, StreamSetUp } from './hook.js';

const atOnce = 8;

export const assets: StreamHook = {
  name: 'assets',
  async setUp(context) {
    const names = [...new Set(context.details.phase.assets ?? [])];
    const errors: Error[] = [];
    const fetchNext = async (): Promise<void> => {
      for (let name = names.shift(); name !== undefined; name = names.shift()) {
        await fetchAsset(context, name).catch((error: Error) => errors.push(error));
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, names.length) }, fetchNext));
    const [first] = errors;
    if (first === undefined) return;
    throw new VError('first of %d error%s: %s', errors.length, errors.length === 1 ? '' : 's', first.message);
  },
};

async function fetchAsset({ zone, driver, details, upstream, signal }: StreamSetUp, name: string): Promise<void> {
  const headers = { authorization: `Token ${details.token}` };
  const response = await upstream.fetch({ method: 'GET', path: encodeObjectName(name), headers, signal });
  if (response.statusCode !== 200) {
    response.resume();
    throw new VError('error retrieving asset "%s" (status code %d)', name, response.statusCode);
  }
  await driver.writeAsset(zone, name, response);
}
