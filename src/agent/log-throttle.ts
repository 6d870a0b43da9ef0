/** What a query brings again and again is worth one line a minute. */
import type { Clock } from '../common/clock.js';

const windowMs = 60_000;
const maxKeys = 10_000;

/** @returns says what it is given, unless the same key was heard in this window of a minute. */
export function createLogThrottle(clock: Clock): (key: string, say: () => void) => void {
  const said = new Set<string>();
  let sinceMs = clock.nowMs();
  return (key, say) => {
    const nowMs = clock.nowMs();
    if (nowMs - sinceMs >= windowMs || said.size >= maxKeys) {
      said.clear();
      sinceMs = nowMs;
    }
    if (said.has(key)) return;
    said.add(key);
    say();
  };
}
