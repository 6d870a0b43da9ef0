/**
 * Copies the assets of the phase into the zone, several at a time. An asset that is not there fails the tasks of the
 * group for good, so what may pass (the front door is being restarted) is tried three times. Source: spec 05 §6.4.
 */
import VError from 'verror';
import { sleep } from '../../common/clock.js';
import { encodeObjectName } from '../../taskapi/object-names.js';
import type { StreamHook, StreamSetUp } from './hook.js';

const atOnce = 8;
const pausesMs = [1_000, 2_000];

export const assets: StreamHook = {
  name: 'assets',
  async setUp(context) {
    const names = [...new Set(context.details.phase.assets ?? [])];
    const errors: Error[] = [];
    const fetchNext = async (): Promise<void> => {
      for (let name = names.shift(); name !== undefined; name = names.shift()) {
        await fetchPatiently(context, name).catch((error: Error) => errors.push(error));
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, names.length) }, fetchNext));
    const [first] = errors;
    if (first === undefined) return;
    throw new VError('first of %d error%s: %s', errors.length, errors.length === 1 ? '' : 's', first.message);
  },
};

async function fetchPatiently(context: StreamSetUp, name: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await fetchAsset(context, name);
      return;
    } catch (error) {
      const pauseMs = pausesMs[attempt];
      if (VError.info(error as Error)['final'] === true || pauseMs === undefined) throw error;
      if (!(await sleep(context.clock, pauseMs, context.signal))) throw error;
    }
  }
}

async function fetchAsset({ zone, driver, details, upstream, signal }: StreamSetUp, name: string): Promise<void> {
  const headers = { authorization: `Token ${details.token}` };
  const response = await upstream.fetch({ method: 'GET', path: encodeObjectName(name), headers, signal });
  if (response.statusCode !== 200) {
    response.resume();
    const final = (response.statusCode ?? 500) < 500;
    throw new VError({ info: { final } }, 'error retrieving asset "%s" (status code %d)', name, response.statusCode);
  }
  await driver.writeAsset(zone, name, response);
}
