/**
 * Virtual time: what is to happen stands in a line, ordered by time and, at the same time, by when it was put there. One
 * thing happens at a time; all promises that it settles are through before the next. So everything that happens follows
 * from the seed, and an hour costs as much as what happens in it.
 */
export interface VirtualTime {
  readonly nowMs: number;
  after(delayMs: number, action: () => void): () => void;
  /** Until `isOver` says so, nothing is left to happen, or the time is up. */
  run(isOver: () => boolean, untilMs: number): Promise<void>;
  readonly happened: number;
}

interface Event {
  readonly atMs: number;
  readonly turn: number;
  action: (() => void) | null;
}

/** Any day: nothing depends on it. */
export const beginning = Date.UTC(2026, 0, 1);

const looksEvery = 64;

export function createVirtualTime(): VirtualTime {
  const line: Event[] = [];
  let nowMs = beginning;
  let turns = 0;
  let happened = 0;

  return {
    get nowMs() {
      return nowMs;
    },
    get happened() {
      return happened;
    },
    after(delayMs, action) {
      const event: Event = { atMs: nowMs + Math.max(0, delayMs), turn: turns++, action };
      push(line, event);
      return () => {
        event.action = null;
      };
    },
    async run(isOver, untilMs) {
      while (!isOver()) {
        const next = line[0];
        if (next === undefined || next.atMs > untilMs) {
          nowMs = Math.max(nowMs, untilMs);
          return;
        }
        pop(line);
        if (next.action === null) continue;
        nowMs = next.atMs;
        happened++;
        next.action();
        await settled(happened);
      }
    },
  };
}

/**
 * Every promise that can go on has gone on by then: ticks wait for promises. They do so without a look at the world
 * outside, which costs as much as an event does; now and then there is one, so that a rejection that nobody handles is
 * reported.
 */
function settled(turn: number): Promise<void> {
  return new Promise((resolve) => {
    if (turn % looksEvery === 0) setImmediate(resolve);
    else process.nextTick(resolve);
  });
}

/** A binary heap, the next event first. */
function push(line: Event[], event: Event): void {
  let at = line.push(event) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (!isBefore(event, line[above])) break;
    line[at] = line[above] as Event;
    at = above;
  }
  line[at] = event;
}

function pop(line: Event[]): void {
  const last = line.pop();
  if (last === undefined || line.length === 0) return;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    if (below >= line.length) break;
    if (below + 1 < line.length && isBefore(line[below + 1] as Event, line[below])) below++;
    if (!isBefore(line[below] as Event, last)) break;
    line[at] = line[below] as Event;
    at = below;
  }
  line[at] = last;
}

function isBefore(event: Event, other: Event | undefined): boolean {
  return other !== undefined && (event.atMs < other.atMs || (event.atMs === other.atMs && event.turn < other.turn));
}
