/** What maggr computes of a column: each operation sees the numbers one by one and has a result at any time. */
export interface Aggregate {
  add(value: number): void;
  result(): number;
}

function folding(start: number, fold: (total: number, value: number) => number): () => Aggregate {
  return () => {
    let total = start;
    return {
      add(value) {
        total = fold(total, value);
      },
      result: () => total,
    };
  };
}

/** Welford's: one pass, without keeping the values. */
function onlineVariance(): Aggregate {
  let count = 0;
  let mean = 0;
  let squares = 0;
  return {
    add(value) {
      count++;
      const delta = value - mean;
      mean += delta / count;
      squares += delta * (value - mean);
    },
    result: () => squares / (count - 1),
  };
}

/** Two passes over what was kept: exact where the online one rounds. */
function variance(): Aggregate {
  const values: number[] = [];
  return {
    add(value) {
      values.push(value);
    },
    result() {
      const mean = values.reduce((total, value) => total + value, 0) / values.length;
      return values.reduce((total, value) => total + (value - mean) ** 2, 0) / (values.length - 1);
    },
  };
}

function combined(parts: readonly Aggregate[], combine: (...results: number[]) => number): Aggregate {
  return {
    add(value) {
      for (const part of parts) part.add(value);
    },
    result: () => combine(...parts.map((part) => part.result())),
  };
}

const count = folding(0, (total) => total + 1);
const sum = folding(0, (total, value) => total + value);
const max = folding(Number.NEGATIVE_INFINITY, Math.max);
const min = folding(Number.POSITIVE_INFINITY, Math.min);

/** `key` and `nop` are operations to the user, but compute nothing. */
export const operations: Readonly<Record<string, () => Aggregate>> = {
  count,
  max,
  mean: () => combined([sum(), count()], (total = 0, n = 0) => total / n),
  min,
  range: () => combined([max(), min()], (high = 0, low = 0) => Math.abs(high - low)),
  sum,
  ovariance: onlineVariance,
  variance,
  stddev: () => combined([variance()], (value = 0) => Math.sqrt(value)),
};

export const operationNames = [
  'key',
  'nop',
  'count',
  'max',
  'mean',
  'min',
  'range',
  'sum',
  'ovariance',
  'variance',
  'stddev',
];
