/** Notices zones that end without having been asked to: SmartOS tells nobody, so all are looked at together. */
import { parseZoneEntries } from './listings.js';
import type { Machine } from './machine.js';

const everyMs = 10_000;

export interface ZoneWatch {
  /** Resolves when the zone does not run any more, or runs as another number: it was booted anew behind our back. */
  gone(zone: string, id: number): Promise<void>;
  stop(): void;
}

export function watchZones(machine: Machine): ZoneWatch {
  const waiting = new Map<string, { readonly id: number; readonly tell: () => void }>();
  const abort = new AbortController();
  let looking = false;

  async function look(): Promise<void> {
    looking = true;
    try {
      while (waiting.size > 0) {
        await machine.pauseMs(everyMs, abort.signal);
        const text = await machine.run(['zoneadm', 'list', '-p']).catch(() => null);
        if (text === null) continue;
        const running = new Map(parseZoneEntries(text).map(({ zone, id }) => [zone, id]));
        for (const [zone, { id, tell }] of waiting) {
          if (running.get(zone) === id) continue;
          waiting.delete(zone);
          tell();
        }
      }
    } catch {
      // stopped
    } finally {
      looking = false;
    }
  }

  return {
    gone: (zone, id) =>
      new Promise((tell) => {
        waiting.set(zone, { id, tell }); // who waited for the life before waits for ever: it was ended by us
        if (!looking && !abort.signal.aborted) void look();
      }),
    stop() {
      waiting.clear();
      abort.abort();
    },
  };
}
