/** Chance that a seed fixes: the same numbers in the same order, on every machine. */
import { createHash } from 'node:crypto';

export interface Chance {
  /** In [0, 1). */
  next(): number;
  /** Whether something of this probability happens. */
  happens(probability: number): boolean;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  /** @throws when there is nothing to pick from. */
  pick<Item>(items: readonly Item[]): Item;
}

/** @param purpose numbers for one purpose do not depend on how many another one took. */
export function chanceOf(seed: number, purpose: string): Chance {
  const digest = createHash('sha256').update(`${seed} ${purpose}`).digest();
  // sfc32 by Chris Doty-Humphrey: 128 bits of state, fast, without patterns that anybody has found.
  let [a, b, c, d] = [0, 4, 8, 12].map((at) => digest.readUInt32LE(at)) as [number, number, number, number];
  const next = () => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let warmUp = 0; warmUp < 12; warmUp++) next();
  return {
    next,
    happens: (probability) => next() < probability,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    pick(items) {
      const item = items[Math.floor(next() * items.length)];
      if (item === undefined) throw new Error('there is nothing to pick from');
      return item;
    },
  };
}
