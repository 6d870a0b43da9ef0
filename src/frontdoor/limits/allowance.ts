/**
 * How often somebody may do something: a purse per key that fills at a steady rate up to a brim, and each request takes
 * one coin. The brim lets a client that was quiet send many at once; the rate is what it gets in the long run. A refused
 * request takes nothing, so whoever waits as long as it is told is served.
 *
 * Purses are kept for those seen last. Who is forgotten starts anew with a full one: that costs us at most a brim, where
 * keeping all of them would let strangers fill the memory.
 */

interface Purse {
  coins: number;
  filledMs: number;
}

export interface AllowanceOptions {
  /** 0: no limit. */
  readonly perSecond: number;
  /** Seconds of quiet that are made up for. */
  readonly burstS: number;
  /** Purses that are kept. */
  readonly maxKeys?: number;
}

export interface Allowance {
  /** Takes one if there is one. @returns 0, or ms until there is one. */
  take(key: string, nowMs: number): number;
}

const usualKeys = 10_000;

export function createAllowance({ perSecond, burstS, maxKeys = usualKeys }: AllowanceOptions): Allowance {
  const brim = perSecond * burstS;
  /** Those seen last at the end. */
  const purses = new Map<string, Purse>();

  function purseOf(key: string, nowMs: number): Purse {
    const kept = purses.get(key) ?? { coins: brim, filledMs: nowMs };
    purses.delete(key);
    purses.set(key, kept);
    const [oldest] = purses.keys();
    if (purses.size > maxKeys && oldest !== undefined) purses.delete(oldest);
    // A clock that was set back adds nothing.
    const passedMs = Math.max(0, nowMs - kept.filledMs);
    kept.coins = Math.min(brim, kept.coins + (passedMs * perSecond) / 1000);
    kept.filledMs = nowMs;
    return kept;
  }

  return {
    take(key, nowMs) {
      if (perSecond === 0) return 0;
      const purse = purseOf(key, nowMs);
      if (purse.coins < 1) return ((1 - purse.coins) * 1000) / perSecond;
      purse.coins -= 1;
      return 0;
    },
  };
}
