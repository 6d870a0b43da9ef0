/**
 * Between a process and the store: every call takes a while on each way and may be lost on either, with or without
 * anybody noticing; the store may be away; notifications are lost, doubled or late; a listener may be dead without a
 * word. What a dead process had sent may still arrive.
 */
import VError from 'verror';
import type { MorayClient, MorayObject } from '../../src/moray/client/types.js';
import type { Life } from './process.js';
import type { Witness } from './promptness.js';
import type { Chance } from './random.js';
import type { Store } from './store.js';
import type { VirtualTime } from './time.js';

/** Probabilities per call, notification or listener. */
export interface Faults {
  lostBefore: number;
  lostAfter: number;
  /** Of the lost: nobody says so. */
  silent: number;
  refused: number;
  slow: number;
  notifyLost: number;
  notifyDoubled: number;
  notifyLate: number;
  listenerDead: number;
  removalFails: number;
  accountFails: number;
}

export const noFaults: Faults = {
  lostBefore: 0,
  lostAfter: 0,
  silent: 0,
  refused: 0,
  slow: 0,
  notifyLost: 0,
  notifyDoubled: 0,
  notifyLate: 0,
  listenerDead: 0,
  removalFails: 0,
  accountFails: 0,
};

interface Listener {
  readonly life: Life;
  readonly channel: string;
  readonly onPayload: (payload: string) => void;
  readonly onEnd: (cause: Error | null) => void;
  isDead: boolean;
}

export interface Network {
  faults: Faults;
  /** The store is away until then. */
  awayUntilMs: number;
  /** When a call was last lost without a word: who made it may wait for an answer for long. */
  readonly lostSilentlyMs: number;
  /** @param isReliable nothing is lost: for users, whom a fault would only make try again. */
  clientOf(life: Life, isReliable?: boolean): MorayClient;
  /** Ends the listeners of a process, or kills them silently. */
  dropListeners(life: Life, silently: boolean): void;
  /** Of things that are not the store: after a while, or not. */
  delay(life: Life, action: () => void): void;
}

const defaultWayMs = 3;
const slowMs = 8_000;

const nobody: Witness = { asked: () => ({ reached() {}, ended() {} }), heard() {} };

/** @param longestWayMs of a call that is not slow. */
export function createNetwork(
  store: Store,
  time: VirtualTime,
  chance: Chance,
  longestWayMs: number = defaultWayMs,
  witness: Witness = nobody,
): Network {
  const listeners = new Set<Listener>();
  let lostSilentlyMs = Number.NEGATIVE_INFINITY;
  const wayMs = () =>
    chance.happens(network.faults.slow) ? chance.next() * slowMs : 0.1 + chance.next() * longestWayMs;
  const isCutOff = (life: Life) => Math.max(network.awayUntilMs, life.cutOffUntilMs) > time.nowMs;

  const call = <Answer>(life: Life, isReliable: boolean, apply: () => Answer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const faults = isReliable ? noFaults : network.faults;
      const isLostBefore = chance.happens(faults.lostBefore);
      const isLostAfter = chance.happens(faults.lostAfter);
      const isSilent = chance.happens(faults.silent);
      const isRefused = chance.happens(faults.refused);
      const arrivesAnyway = chance.happens(0.5);
      const back = (settle: () => void) => void time.after(wayMs(), () => life.deliver(settle));
      const lost = () => {
        if (isSilent) lostSilentlyMs = time.nowMs;
        else back(() => reject(new VError({ name: 'FastTransportError' }, 'connection lost')));
      };
      time.after(wayMs(), () => {
        if (!life.isAlive && !arrivesAnyway) return;
        if (isLostBefore || (!isReliable && isCutOff(life))) return lost();
        if (isRefused) return back(() => reject(new VError({ name: 'NoDatabasePeersError' }, 'the store is away')));
        let answer: () => void;
        try {
          const result = apply();
          answer = () => resolve(result);
        } catch (error) {
          answer = () => reject(error as Error);
        }
        if (isLostAfter) lost();
        else back(answer);
      });
    });

  const publish = (channel: string, payload: string): void => {
    for (const listener of listeners) {
      if (listener.channel !== channel || listener.isDead) continue;
      const { faults } = network;
      if (chance.happens(faults.notifyLost)) continue;
      const times = chance.happens(faults.notifyDoubled) ? 2 : 1;
      for (let copy = 0; copy < times; copy++) {
        const delayMs = chance.happens(faults.notifyLate) ? chance.next() * 10_000 : chance.next() * longestWayMs;
        time.after(delayMs, () => {
          if (listener.isDead || isCutOff(listener.life)) return;
          listener.life.deliver(() => {
            if (listener.isDead) return;
            witness.heard(listener.life, channel, payload);
            listener.onPayload(payload);
          });
        });
      }
    }
  };

  const unsupported = () => Promise.reject(new Error('not in the simulation'));

  const network: Network = {
    faults: noFaults,
    awayUntilMs: 0,
    get lostSilentlyMs() {
      return lostSilentlyMs;
    },
    clientOf(life, isReliable = false) {
      const find = async function* <Value>(
        ...args: Parameters<MorayClient['findObjects']>
      ): AsyncGenerator<MorayObject<Value>> {
        const breaksAt = chance.happens(network.faults.lostAfter) ? chance.between(0, 5) : Number.POSITIVE_INFINITY;
        let given = 0;
        const look = witness.asked(life, args[0], args[1]);
        let isAnswered = false;
        const search = () => {
          look.reached();
          return store.find(...args);
        };
        try {
          for (const object of await call(life, isReliable, search)) {
            if (given++ >= breaksAt) throw new VError({ name: 'FastTransportError' }, 'connection lost');
            yield object as MorayObject<Value>;
          }
          isAnswered = true;
        } finally {
          look.ended(isAnswered);
        }
      };
      return {
        createBucket: unsupported,
        putBucket: unsupported,
        getBucket: unsupported,
        delBucket: unsupported,
        putObject: unsupported,
        delObject: unsupported,
        updateObjects: unsupported,
        deleteMany: unsupported,
        reindexObjects: unsupported,
        ping: unsupported,
        close: async () => {},
        getObject: (bucket, key) => call(life, isReliable, () => store.get(bucket, key)) as never,
        findObjects: find,
        batch: (requests, { notify = [] } = {}) =>
          call(life, isReliable, () => {
            const answer = store.batch(requests, life.name);
            for (const [channel, payload] of notify) publish(channel, payload);
            return answer;
          }),
        listen(channel, onPayload, onEnd) {
          const isDead = chance.happens(network.faults.listenerDead);
          const listener: Listener = { life, channel, onPayload, onEnd, isDead };
          let isOver = false;
          time.after(wayMs(), () => {
            if (!isOver && life.isAlive) listeners.add(listener);
          });
          return () => {
            isOver = true;
            listener.isDead = true;
            listeners.delete(listener);
          };
        },
        notify: (channel, payload) => call(life, isReliable, () => publish(channel, payload)),
      };
    },
    dropListeners(life, silently) {
      for (const listener of [...listeners]) {
        if (listener.life !== life) continue;
        listener.isDead = true;
        if (silently) continue;
        listeners.delete(listener);
        life.deliver(() => listener.onEnd(new VError({ name: 'FastTransportError' }, 'connection lost')));
      }
    },
    delay: (life, action) => void time.after(wayMs(), () => life.deliver(action)),
  };
  return network;
}
