/**
 * Waiting for a zone or a service to get where it should, by asking once a second: SmartOS tells nobody. A command that
 * fails meanwhile is no answer. A zone may take long on a busy machine, but not for ever. Source: spec 05 §5.4.
 */
import VError from 'verror';
import { onlyEntry, type ZoneEntry } from './listings.js';
import type { Machine } from './machine.js';

const everyMs = 1_000;
const mostTimes = 600;

/** @throws VError when it takes more than ten minutes, or is aborted. */
export async function waitForZone(
  machine: Machine,
  zone: string,
  state: string,
  signal: AbortSignal,
): Promise<ZoneEntry> {
  return poll(machine, signal, state, async () => {
    const entry = onlyEntry(await machine.run(['zoneadm', '-z', zone, 'list', '-p'], { signal }), zone);
    return { state: entry.state, result: entry };
  });
}

/** @throws VError likewise, and when the service is in maintenance: it will not get anywhere by itself. */
export async function waitForService(
  machine: Machine,
  zone: string,
  service: string,
  signal: AbortSignal,
): Promise<void> {
  await poll(machine, signal, 'online', async () => {
    const state = (await machine.run(['svcs', '-H', '-z', zone, '-ostate', service], { signal })).trim();
    return { state, result: null };
  });
}

async function poll<Result>(
  machine: Machine,
  signal: AbortSignal,
  wanted: string,
  ask: () => Promise<{ state: string; result: Result }>,
): Promise<Result> {
  let last = 'unknown';
  for (let times = 0; times < mostTimes; times++) {
    signal.throwIfAborted();
    const answer = await ask().catch(() => null);
    if (answer?.state === wanted) return answer.result;
    last = answer?.state ?? last;
    if (last === 'maintenance') break;
    await machine.pauseMs(everyMs, signal);
  }
  throw new VError('waiting for "%s" to reach "%s", but current state is "%s"', last, wanted, last);
}
