/**
 * Services that a killed `marlin up` left: each ends by itself when it finds its parent gone, but not at once. The next
 * `up` waits for that, or it would find its ports and its database in use.
 */
import fs from 'node:fs';
import VError from 'verror';
import { sleep, systemClock } from '../common/clock.js';
import { type Layout, services } from './layout.js';

const pollMs = 100;
/** Longer than the grace of each of them. */
const patienceMs = 40_000;

/** @param onWait called once if there are any. @throws VError `SurvivorError` naming those that do not end. */
export async function awaitSurvivors(layout: Layout, onWait: (pids: readonly number[]) => void): Promise<void> {
  const endMs = systemClock.nowMs() + patienceMs;
  let pids = survivors(layout);
  if (pids.length > 0) onWait(pids);
  while (pids.length > 0) {
    if (systemClock.nowMs() > endMs) {
      const text = 'services of a killed "marlin up" in "%s" do not end: processes %s';
      throw new VError({ name: 'SurvivorError' }, text, layout.data, pids.join(', '));
    }
    await sleep(systemClock, pollMs);
    pids = survivors(layout);
  }
}

function survivors(layout: Layout): number[] {
  const configs = new Map(services.map((service) => [layout.config(service), service]));
  return fs.readdirSync('/proc').flatMap((name) => {
    const words = /^\d+$/.test(name) ? commandOf(name) : [];
    const at = words.findIndex((word) => configs.has(word));
    return at > 0 && words[at - 1] === configs.get(words[at] ?? '') ? [Number(name)] : [];
  });
}

function commandOf(pid: string): string[] {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it has ended since it was listed
  }
}
