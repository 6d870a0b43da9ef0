/**
 * The requests of one zone that wait: long polls for a task, and requests to the front door beyond those that may be
 * under way at once. Waiting requests end with the zone's life.
 */
import type http from 'node:http';
import type { Clock } from '../../common/clock.js';

export interface Poll {
  readonly response: http.ServerResponse;
  /** Answers if it can. @returns whether it did. */
  readonly look: () => boolean;
  readonly cancel: () => void;
}

export interface LongPolls {
  /** Parks the request; after `waitMs` it is told that there is nothing. */
  park(response: http.ServerResponse, look: () => boolean, expired: () => void): void;
  wake(): void;
  /** Empties the list. @returns who waited. */
  takeAll(): http.ServerResponse[];
  readonly size: number;
}

export function createLongPolls(clock: Clock, waitMs: number): LongPolls {
  const polls = new Set<Poll>();
  const drop = (poll: Poll) => {
    poll.cancel();
    polls.delete(poll);
  };
  return {
    get size() {
      return polls.size;
    },
    park(response, look, expired) {
      const poll: Poll = {
        response,
        look,
        cancel: clock.after(waitMs, () => {
          polls.delete(poll);
          expired();
        }),
      };
      polls.add(poll);
      response.once('close', () => drop(poll));
    },
    wake() {
      for (const poll of polls) if (poll.look()) drop(poll);
    },
    takeAll() {
      const waiting = [...polls];
      for (const poll of waiting) drop(poll);
      return waiting.map(({ response }) => response);
    },
  };
}

/** At most `limit` at once; the others wait in order. A slot is given back by calling what `take` resolved to. */
export interface Slots {
  /** Rejects when `signal` aborts first. */
  take(signal: AbortSignal): Promise<() => void>;
  readonly used: number;
  readonly waiting: number;
}

export function createSlots(limit: number): Slots {
  let used = 0;
  const waiting = new Set<() => void>();
  const giveBack = () => {
    const [next] = waiting;
    if (next === undefined) {
      used--;
      return;
    }
    waiting.delete(next);
    next();
  };
  const once = () => {
    let given = false;
    return () => {
      if (!given) giveBack();
      given = true;
    };
  };
  return {
    get used() {
      return used;
    },
    get waiting() {
      return waiting.size;
    },
    take(signal) {
      if (signal.aborted) return Promise.reject(new Error('the client went away'));
      if (used < limit) {
        used++;
        return Promise.resolve(once());
      }
      return new Promise((resolve, reject) => {
        const start = () => {
          signal.removeEventListener('abort', leave);
          resolve(once());
        };
        const leave = () => {
          waiting.delete(start);
          reject(new Error('the client went away'));
        };
        waiting.add(start);
        signal.addEventListener('abort', leave, { once: true });
      });
    },
  };
}
